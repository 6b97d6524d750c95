internal import Swiftlet
internal import SwiftletConstraints
internal import SwiftletGeneration
internal import SwiftletJSON

/// Which tools an answer may call, and whether it must.
struct ToolChoice: Sendable {
  enum Kind: Sendable, Equatable {
    case none
    case auto
    /// One at least.
    case required
    /// This one.
    case named(String)
  }

  var kind: Kind
  /// Whether one answer may call several.
  var isParallel: Bool
  /// The field that says so, for errors.
  private var parameter: String

  /// More calls than this in one answer are not asked for by anybody; models that repeat themselves would make them.
  private static let maximumCalls = 8
  /// Each takes a grammar of its own. OpenAI's API takes as many.
  private static let mostTools = 128

  /// Of `tool_choice` and `parallel_tool_calls`, in OpenAI's shape.
  init(_ fields: Fields) throws(APIError) {
    parameter = "tool_choice"
    isParallel = try fields.bool("parallel_tool_calls") ?? true
    switch fields["tool_choice"] {
    case nil, .string("auto")?: kind = .auto
    case .string("none")?: kind = .none
    case .string("required")?: kind = .required
    case .object?:
      guard let choice = try fields.object("tool_choice"), try choice.string("type") == "function" else {
        throw fields.failure("tool_choice", expected: Self.expected)
      }
      let function = try choice.required("function", try choice.object("function"))
      kind = .named(try function.required("name", try function.string("name")))
    default: throw fields.failure("tool_choice", expected: Self.expected)
    }
  }

  private static let expected =
    "none, auto, required, or {\"type\": \"function\", \"function\": {\"name\": …}} with the name of a tool"

  /// Of `tool_choice`, in Anthropic's shape.
  init(anthropic fields: Fields) throws(APIError) {
    parameter = "tool_choice"
    (kind, isParallel) = (.auto, true)
    guard let choice = try fields.object("tool_choice") else { return }
    isParallel = try choice.bool("disable_parallel_tool_use") != true
    let type = try choice.required("type", try choice.string("type"))
    switch type {
    case "auto": kind = .auto
    case "none": kind = .none
    case "any": kind = .required
    case "tool": kind = .named(try choice.required("name", try choice.string("name")))
    default:
      throw .malformed(
        "\(choice.name("type")): found \"\(type.prefix(40))\", expected auto, any, tool or none", parameter: choice.name("type"))
    }
  }

  /// The most calls that an answer has; nil for any number.
  var callLimit: Int? {
    if case .named = kind { return 1 }
    return isParallel ? nil : 1
  }

  /// The tools that the template is to show; nil for none.
  func shown(_ tools: [JSONValue]) -> JSONValue? { kind == .none || tools.isEmpty ? nil : .array(tools) }

  /// What an answer must be.
  /// - Parameters:
  ///   - tools: as OpenAI's API has them.
  ///   - format: what an answer that calls no tools must be.
  func grammar(tools: [JSONValue], format: Grammar?, _ served: ServedModel) throws(APIError) -> Grammar? {
    var callable = tools
    switch kind {
    case .none: return format
    case .auto: if tools.isEmpty || format == nil { return format }
    case .required:
      guard !tools.isEmpty else {
        throw .malformed("\(parameter): asks for a call, but there are no tools", parameter: parameter)
      }
    case .named(let name):
      callable = tools.filter { $0["function"]?["name"]?.string == name }
      guard !callable.isEmpty else {
        throw .malformed("\(parameter): there is no tool with the name \"\(name.prefix(64))\"", parameter: parameter)
      }
    }
    guard callable.count <= Self.mostTools else {
      throw .malformed(
        "tools: found \(callable.count), but an answer that is kept to a form may call one of \(Self.mostTools) at most",
        parameter: "tools", code: "invalid_schema")
    }
    let form = ToolCallForm(template: served.model.loaded.template)
    var parts: [(name: String, arguments: Grammar)] = [], budget = SchemaBudget()
    for (index, tool) in callable.enumerated() {
      guard let name = tool["function"]?["name"]?.string else { continue }
      let parameters = tool["function"]?["parameters"].flatMap { $0.isNull ? nil : $0 } ?? Self.noParameters
      let place = "the parameters of tool '\(name.prefix(64))' (\(index))"
      guard let objects = Self.ofObjects(parameters) else {
        throw .malformed("tools: \(place) are no schema of an object", parameter: "tools", code: "invalid_schema")
      }
      do throws(SchemaError) {
        parts.append((name, try form.arguments(objects, budget: &budget)))
      } catch {
        throw ResponseFormat.refusal(error, parameter: "tools", of: place)
      }
    }
    let calls = form.calls(parts, maximumCalls: callLimit ?? Self.maximumCalls)
    if kind == .auto, let format { return .choice([format, calls]) }
    return calls
  }

  /// Arguments are objects, also where the schema does not say so; nil where it says something else.
  private static func ofObjects(_ schema: JSONValue) -> JSONValue? {
    let types = schema["type"].map { $0.elements ?? [$0] } ?? ["object"]
    guard let members = schema.members, types.contains(where: { $0.string == "object" }) else { return nil }
    return .object([JSONMember(key: "type", value: "object")] + members.filter { $0.key != "type" })
  }

  private static let noParameters: JSONValue = ["type": "object", "properties": .object([]), "additionalProperties": false]
}

extension ServedModel {
  /// Makes a constraint ready.
  /// - Parameter parameter: what asked for it.
  /// - Throws: `APIError` when no answer can keep to it.
  func prepare(_ constraint: Grammar?, parameter: String) throws(APIError) {
    guard let constraint else { return }
    do throws(GenerationError) {
      try model.engine.prepare(constraint)
    } catch .constraintRefused(let error) {
      throw .malformed("\(parameter): \(error)", parameter: parameter, code: "invalid_schema")
    } catch {
      throw APIError(error)
    }
  }
}
