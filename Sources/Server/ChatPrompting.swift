internal import Swiftlet
internal import SwiftletChatTemplates
internal import SwiftletGeneration
internal import SwiftletJSON
internal import SwiftletTokenization

extension ThinkingBudget {
  /// Of DeepSeek's `thinking`, OpenAI's `reasoning_effort`, and the model's name, the first that says something.
  /// - Parameters:
  ///   - alias: whether the model's name asks for a thought; nil for names that say nothing of it.
  ///   - isAnthropic: whether `output_config.effort` counts before `reasoning_effort`.
  init(_ fields: Fields, alias: Bool?, isAnthropic: Bool = false) throws(APIError) {
    self.init(isEnabled: alias)
    var place = fields, key = "reasoning_effort"
    if isAnthropic, let config = try fields.object("output_config"), config["effort"] != nil { (place, key) = (config, "effort") }
    if let effort = try place.string(key) {
      switch effort {
      case "none": isEnabled = false
      case "minimal", "low": maximum = Self.lowTokens
      case "medium", "high", "xhigh": maximum = Self.highTokens
      case "max": maximum = nil
      default:
        throw .outOfRange(
          place.name(key),
          "found \"\(effort.prefix(40))\", expected none, minimal, low, medium, high, xhigh or max")
      }
    }
    if let thinking = try fields.object("thinking") {
      let type = try thinking.required("type", try thinking.string("type"))
      guard ["enabled", "disabled", "adaptive"].contains(type) else {
        throw .outOfRange(thinking.name("type"), "found \"\(type.prefix(40))\", expected enabled or disabled")
      }
      isEnabled = type != "disabled"
      if let tokens = try thinking.integer("budget_tokens", in: 1 ... .max) { maximum = tokens }
      if let tokens = try thinking.integer("min_tokens", in: 0 ... .max) {
        guard tokens <= maximum ?? .max else {
          throw .outOfRange(
            thinking.name("min_tokens"), "found \(tokens), but the thought has at most \(maximum ?? 0) tokens")
        }
        minimum = tokens
      }
    }
    // Whoever wants no thought wants none that the model opens by itself either.
    if isEnabled == false { (maximum, minimum) = (0, 0) }
  }
}

extension ServedModel {
  /// What DeepSeek's API takes for `max_tokens` that is not given, without and with a thought.
  private static let answerTokens = 4096, thoughtTokens = 32768

  /// The request for the answer to a conversation.
  /// - Throws: `APIError`, `TemplateError`.
  func request(_ chat: ChatMessages, tools: JSONValue?, options: GenerationOptions) throws -> GenerationRequest {
    let tokenizer = try tokenizer()
    guard let chatPrompt = model.chatPrompt else {
      throw APIError.malformed("\(LanguageModelError.noChatTemplate(path: id))", parameter: "model")
    }
    let text = try chatPrompt.render(.array(chat.messages), tools: tools, extra: options.thinking.templateVariables)
    var request = GenerationRequest(renderedPrompt: text, prefix: chat.prefix, tokenizer: tokenizer, options: options)
    if options.maximumResponseTokens == nil {
      let thinks = request.promptOpensThought || options.thinking.isEnabled == true
      request.options.maximumResponseTokens = thinks ? Self.thoughtTokens : Self.answerTokens
    }
    return request
  }
}
