public import SwiftletConstraints
public import SwiftletJSON

/// The form in which a model is trained to write calls of tools. `ToolCallParser` reads all of them.
public enum ToolCallForm: Sendable, Equatable {
  /// `<tool_call>{"name": …, "arguments": {…}}</tool_call>`, of Hermes and Qwen.
  case hermes
  /// A fence of `json` between DeepSeek's marks, of DeepSeek-V3 and R1.
  case deepseekV3
  /// JSON between DeepSeek's marks, of DeepSeek-V3.1.
  case deepseekV31
  /// The markup of DeepSeek-V3.2, in which each argument has a line of its own (`MarkupCall`).
  case deepseekV32
  /// `{"name": …, "parameters": {…}}`, of Llama 3.1.
  case llama

  /// The form that a chat template has; that of Hermes for one that knows of no tools.
  public init(template: TemplateSource?) {
    let text = (template?.toolText ?? template?.text) ?? ""
    if text.contains("<tool_call>") {
      self = .hermes
    } else if text.contains("｜DSML｜") {
      self = .deepseekV32
    } else if text.contains("<｜tool▁call▁begin｜>") {
      self = text.contains("```json") ? .deepseekV3 : .deepseekV31
    } else if text.contains("\"parameters\":") {
      self = .llama
    } else {
      self = .hermes
    }
  }

  /// Whether an answer can hold several calls.
  private var isRepeatable: Bool { self != .llama }

  /// The arguments of a call.
  /// - Parameters:
  ///   - parameters: the schema of an object.
  ///   - budget: what is left for this tool and those that follow.
  /// - Throws: `SchemaError` naming the first keyword that cannot be kept.
  public func arguments(_ parameters: JSONValue, budget: inout SchemaBudget) throws(SchemaError) -> Grammar {
    if self == .deepseekV32 { return .schema(try JSONSchema(parameters: parameters, budget: &budget)) }
    return .schema(try JSONSchema(parameters, budget: &budget))
  }

  /// An answer that calls tools and does nothing else.
  /// - Parameters:
  ///   - tools: what may be called, with `arguments` of this form; one at least.
  ///   - maximumCalls: at least 1.
  public func calls(_ tools: [(name: String, arguments: Grammar)], maximumCalls: Int) -> Grammar {
    let call = Grammar.choice(tools.map { self.call($0.name, $0.arguments) })
    if maximumCalls == 1 || !isRepeatable { return surrounded(call) }
    return surrounded(.repetition(call, separator: separator, minimum: 1, maximum: maximumCalls))
  }

  private func call(_ name: String, _ arguments: Grammar) -> Grammar {
    let quoted = JSONValue.string(name).serialized()
    switch self {
    case .hermes:
      return .sequence([
        .literal("<tool_call>\n{\"name\": \(quoted), \"arguments\": "), arguments, .literal("}\n</tool_call>"),
      ])
    case .deepseekV3:
      return .sequence([
        .literal("<｜tool▁call▁begin｜>function<｜tool▁sep｜>\(name)\n```json\n"), arguments, .literal("\n```<｜tool▁call▁end｜>"),
      ])
    case .deepseekV31:
      return .sequence([
        .literal("<｜tool▁call▁begin｜>\(name)<｜tool▁sep｜>"), arguments, .literal("<｜tool▁call▁end｜>"),
      ])
    case .deepseekV32:
      return .sequence([
        .literal("<｜DSML｜invoke name=\"\(name)\">\n"), arguments, .literal("\n</｜DSML｜invoke>"),
      ])
    case .llama:
      return .sequence([.literal("{\"name\": \(quoted), \"parameters\": "), arguments, .literal("}")])
    }
  }

  private var separator: String { self == .deepseekV31 ? "" : "\n" }

  private func surrounded(_ calls: Grammar) -> Grammar {
    switch self {
    case .hermes, .llama: calls
    case .deepseekV3, .deepseekV31: .sequence([.literal("<｜tool▁calls▁begin｜>"), calls, .literal("<｜tool▁calls▁end｜>")])
    case .deepseekV32:
      // White space has come where a thought was ended for it.
      .sequence([
        .choice([.literal("\n\n"), .literal("")]), .literal("<｜DSML｜function_calls>\n"), calls,
        .literal("\n</｜DSML｜function_calls>"),
      ])
    }
  }
}
