internal import Swiftlet
internal import SwiftletChatTemplates
internal import SwiftletGeneration
internal import SwiftletJSON
internal import SwiftletTokenization

/// How much a model is to think.
struct Thinking: Sendable {
  /// nil: as the model's template has it.
  var isEnabled: Bool?
  /// The most tokens of thought; nil for no limit of its own.
  var budget: Int?

  init(isEnabled: Bool? = nil, budget: Int? = nil) {
    self.isEnabled = isEnabled
    self.budget = budget
  }

  /// Of DeepSeek's `thinking`, OpenAI's `reasoning_effort`, and the model's name, the first that says something.
  init(_ fields: Fields, alias: Bool?) throws(APIError) {
    isEnabled = alias
    if let effort = try fields.string("reasoning_effort") {
      switch effort {
      case "none": isEnabled = false
      case "minimal", "low": budget = 1024
      case "medium", "high", "xhigh": budget = 8192
      case "max": budget = nil
      default:
        throw .outOfRange(
          fields.name("reasoning_effort"),
          "found \"\(effort.prefix(40))\", expected none, minimal, low, medium, high, xhigh or max")
      }
    }
    guard let thinking = try fields.object("thinking") else { return }
    let type = try thinking.required("type", try thinking.string("type"))
    guard ["enabled", "disabled", "adaptive"].contains(type) else {
      throw .outOfRange(thinking.name("type"), "found \"\(type.prefix(40))\", expected enabled or disabled")
    }
    isEnabled = type != "disabled"
    if let tokens = try thinking.integer("budget_tokens", in: 1 ... .max) { budget = tokens }
  }
}

extension ServedModel {
  /// What DeepSeek's API takes for `max_tokens` that is not given, without and with a thought.
  private static let answerTokens = 4096, thoughtTokens = 32768

  /// The request for the answer to a conversation.
  /// - Throws: `APIError`, `TemplateError`.
  func request(
    _ chat: ChatMessages, tools: JSONValue?, thinking: Thinking, options: GenerationOptions
  ) throws -> GenerationRequest {
    let tokenizer = try tokenizer()
    guard let chatPrompt = model.chatPrompt else {
      throw APIError.malformed("\(LanguageModelError.noChatTemplate(path: id))", parameter: "model")
    }
    // Templates read one name or the other, if any.
    let extra = thinking.isEnabled.map { isEnabled in
      ["thinking", "enable_thinking"].map { JSONMember(key: $0, value: .bool(isEnabled)) }
    }
    var text = try chatPrompt.render(.array(chat.messages), tools: tools, extra: extra ?? [])
    var opensThought = ChatPrompt.opensThought(text)
    func closeThought() {
      text += "\n</think>\n\n"
      opensThought = false
    }
    if opensThought, thinking.isEnabled == false { closeThought() }
    if let prefix = chat.prefix {
      if let reasoning = prefix.reasoning, !reasoning.isEmpty {
        text += (opensThought ? "" : "<think>\n") + reasoning
        opensThought = true
      }
      if !prefix.content.isEmpty {
        if opensThought { closeThought() }
        text += prefix.content
      }
    }
    var options = options
    if options.maximumResponseTokens == nil {
      options.maximumResponseTokens = opensThought || thinking.isEnabled == true ? Self.thoughtTokens : Self.answerTokens
    }
    let limit = thinking.budget.map { ThoughtLimit(tokens: $0, closing: tokenizer.encode("\n</think>\n\n")) }
    let mayOpenThought = thinking.isEnabled != false && chat.prefix == nil && !ChatPrompt.closesThought(text)
    return GenerationRequest(
      prompt: tokenizer.encode(text), options: options, promptOpensThought: opensThought, mayOpenThought: mayOpenThought,
      thoughtLimit: limit)
  }
}
