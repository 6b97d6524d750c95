internal import Foundation
public import SwiftletChatTemplates
public import SwiftletJSON
public import SwiftletTokenization

/// Turns conversations into prompts: a chat template with the special tokens it names.
public struct ChatPrompt: Sendable {
  public let template: ChatTemplate
  /// Renders conversations with tools, for models that have a template of their own for these.
  public let toolTemplate: ChatTemplate?
  private let variables: [JSONMember]

  /// - Parameter source: what the model's files hold, or one of the built-in templates, `TemplateSource(.deepseekV32)`.
  /// - Throws: `TemplateError` for a template that is broken or needs more of Jinja than is supported.
  public init(_ source: TemplateSource, tokenizer: Tokenizer) throws(TemplateError) {
    template = try ChatTemplate(source: source.text, file: source.file)
    var toolTemplate: ChatTemplate?
    if let text = source.toolText { toolTemplate = try ChatTemplate(source: text, file: source.file) }
    self.toolTemplate = toolTemplate
    func text(_ id: Int32?) -> JSONValue { .string(id.map { tokenizer.decode([$0]) } ?? "") }
    variables = [
      JSONMember(key: "bos_token", value: text(tokenizer.beginningOfSequence)),
      JSONMember(key: "eos_token", value: text(tokenizer.endOfSequence)),
    ]
  }

  /// Whether a rendered prompt ends inside a thought, as those of reasoning models do.
  public static func opensThought(_ prompt: String) -> Bool { ReasoningParser.opensThought(prompt) }

  /// Whether a rendered prompt ends with a thought that is closed already, as those that ask for none do.
  public static func closesThought(_ prompt: String) -> Bool { ReasoningParser.closesThought(prompt) }

  /// The prompt that lets the model answer next.
  /// - Parameters:
  ///   - messages: an array of objects with `role` and `content`.
  ///   - tools: an array of function schemas.
  ///   - extra: what else the template reads, such as `enable_thinking`.
  ///   - time: what templates tell that print the date; nil for now.
  public func render(
    _ messages: JSONValue, tools: JSONValue? = nil, addGenerationPrompt: Bool = true, extra: [JSONMember] = [],
    time: TemplateTime? = nil
  ) throws(TemplateError) -> String {
    // As transformers chooses, which takes an empty array for tools too.
    let hasTools = tools.map { !$0.isNull } ?? false
    return try (hasTools ? toolTemplate ?? template : template).render(
      messages: messages, tools: tools, addGenerationPrompt: addGenerationPrompt, variables: variables + extra,
      time: time
        ?? TemplateTime(secondsSince1970: Int(Date.now.timeIntervalSince1970), secondsFromGMT: TimeZone.current.secondsFromGMT()))
  }
}
