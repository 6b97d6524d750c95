public import SwiftletJSON

/// A chat template: the Jinja text that turns a conversation into a model's prompt.
///
/// The part of Jinja that real templates use renders exactly as `transformers` renders it with jinja2; a template that
/// uses more is refused when it is read. Rendering is bounded in time and memory whatever the template says.
public struct ChatTemplate: Sendable {
  /// The text of the template.
  public let source: String
  private let body: Block
  private let names: [String]
  private let hiddenNames: [[Int]]
  private let file: String?

  /// - Parameters:
  ///   - source: the text of the template.
  ///   - file: the name of the file that holds it, for errors.
  /// - Throws: `TemplateError` of the kind `.unsupported` with the construct and its line for a template that needs more of
  ///   Jinja, and `.syntax` or `.limit` for one that is not well-formed or too large.
  public init(source: String, file: String? = nil) throws(TemplateError) {
    let (parser, body) = try Self.naming(file) { () throws(TemplateError) in
      var parser = try Parser(source: source)
      let body = try parser.template()
      return (parser, body)
    }
    self.body = body
    names = parser.names
    hiddenNames = NameAnalysis.hiddenNames(of: body, frameCount: parser.frameCount)
    self.source = source
    self.file = file
  }

  /// Puts the file's name into errors.
  private static func naming<Result>(
    _ file: String?, _ body: () throws(TemplateError) -> Result
  ) throws(TemplateError) -> Result {
    do throws(TemplateError) {
      return try body()
    } catch {
      throw TemplateError(error.kind, file: file)
    }
  }

  /// Renders a conversation.
  ///
  /// As in `transformers`, a message's reasoning may be called `reasoning_content`, `thinking` or `reasoning`, and
  /// `documents` is none when it is not among the variables.
  /// - Parameters:
  ///   - messages: an array of objects with `role`, `content` and what else the template reads (`tool_calls` and so on).
  ///   - tools: an array of JSON schemas of functions; nil without tools.
  ///   - addGenerationPrompt: whether the prompt ends where the assistant's answer starts.
  ///   - variables: what else the template may read, such as `bos_token`, `eos_token` and `enable_thinking`.
  ///   - time: what `strftime_now` in the template tells.
  /// - Throws: `TemplateError` of the kind `.raised` when the template refuses the conversation, `.runtime` when it fails on it, `.limit`
  ///   when it needs more than a chat ever does, `.input` when the messages are no array of objects.
  public func render(
    messages: JSONValue, tools: JSONValue? = nil, addGenerationPrompt: Bool, variables: [JSONMember] = [], time: TemplateTime
  ) throws(TemplateError) -> String {
    guard let elements = messages.elements else {
      throw .input(reason: "'messages' is \(messages.typeName), expected an array of objects")
    }
    var conversation: [JSONValue] = []
    for (place, message) in elements.enumerated() {
      guard let members = message.members else {
        throw .input(reason: "message \(place) is \(message.typeName), expected an object with 'role' and 'content'")
      }
      conversation.append(.object(Self.withReasoning(members)))
    }
    var all = [JSONMember(key: "documents", value: .null)] + variables
    all.append(JSONMember(key: "messages", value: .array(conversation)))
    all.append(JSONMember(key: "tools", value: tools ?? .null))
    all.append(JSONMember(key: "add_generation_prompt", value: .bool(addGenerationPrompt)))
    return try render(variables: all, time: time)
  }

  /// - Parameter steps: the most that it may take; tests take less of hostile templates' time.
  func render(
    variables: [JSONMember], time: TemplateTime, steps: Int = RenderingLimits.steps
  ) throws(TemplateError) -> String {
    try Self.naming(file) { () throws(TemplateError) in
      try Renderer(names: names, hiddenNames: hiddenNames, variables: variables, time: time, steps: steps).render(body)
    }
  }

  /// Gives the message's reasoning the two names that templates read it by.
  private static func withReasoning(_ members: [JSONMember]) -> [JSONMember] {
    let message = JSONValue.object(members)
    let found = ["reasoning_content", "thinking", "reasoning"].lazy.compactMap { message[$0] }.first { !$0.isNull }
    guard let reasoning = found else { return members }
    let thinking = message["thinking"] ?? reasoning
    var result = [JSONMember(key: "thinking", value: thinking)] + members.filter { $0.key != "thinking" }
    if let place = result.firstIndex(where: { $0.key == "reasoning_content" }) {
      result[place].value = reasoning
    } else {
      result.append(JSONMember(key: "reasoning_content", value: reasoning))
    }
    return result
  }
}
