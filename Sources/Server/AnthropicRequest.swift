internal import SwiftletGeneration
internal import SwiftletJSON

/// A request for Anthropic's Messages API, read and checked.
struct AnthropicRequest: Sendable {
  let served: ServedModel
  let modelName: String
  let request: GenerationRequest
  let isStreamed: Bool
  /// Whether the answer may call tools.
  let hasTools: Bool
  /// The most calls that an answer has; nil for any number.
  let callLimit: Int?

  /// - Throws: `APIError` naming the field, or `TemplateError`.
  init(_ body: JSONValue, models: ServedModels) throws {
    let fields = try Fields(body)
    let choice = try models.choice(fields, isAnthropic: true)
    served = choice.served
    modelName = choice.name
    isStreamed = try fields.bool("stream") ?? false
    var options = served.model.loaded.advisedOptions
    options.maximumResponseTokens = try fields.required("max_tokens", try fields.integer("max_tokens", in: 1 ... .max))
    if let value = try fields.number("temperature", in: 0...1) { options.temperature = value }
    if let value = try fields.number("top_p", in: 0...1) { options.topP = value }
    if let value = try fields.integer("top_k", in: 0...Int(Int32.max)) { options.topK = value }
    options.seed = .random(in: 0 ... .max)
    if fields["stop_sequences"]?.string != nil {
      throw fields.failure("stop_sequences", expected: "an array of strings")
    }
    options.stop = try GenerationOptions.stops(fields, "stop_sequences")
    options.thinking = try ThinkingBudget(fields, alias: choice.thinking, isAnthropic: true)
    let chat = try Self.messages(fields, parsesArguments: served.parsesArguments)
    let tools = try Self.tools(fields), toolChoice = try ToolChoice(anthropic: fields), shown = toolChoice.shown(tools)
    hasTools = shown != nil
    callLimit = toolChoice.callLimit
    options.constraint = try toolChoice.grammar(tools: tools, format: ResponseFormat.anthropicGrammar(fields), served)
    let isFormat = try fields.object("output_config")?["format"] != nil
    try served.prepare(options.constraint, parameter: isFormat ? "output_config" : "tools")
    request = try served.request(chat, tools: shown, options: options)
  }

  /// The tokens of the prompt that a message with this body would have. What only says something of the answer is not read.
  /// - Throws: `APIError` naming the field, or `TemplateError`.
  static func promptTokens(_ body: JSONValue, models: ServedModels) throws -> Int {
    let fields = try Fields(body)
    let choice = try models.choice(fields, isAnthropic: true)
    var options = GenerationOptions()
    options.thinking = try ThinkingBudget(fields, alias: choice.thinking, isAnthropic: true)
    let chat = try messages(fields, parsesArguments: choice.served.parsesArguments)
    let shown = try ToolChoice(anthropic: fields).shown(tools(fields))
    return try choice.served.request(chat, tools: shown, options: options).prompt.count
  }

  /// Anthropic's tools as OpenAI's, which chat templates read.
  private static func tools(_ fields: Fields) throws(APIError) -> [JSONValue] {
    var tools: [JSONValue] = []
    for (index, value) in (try fields.array("tools") ?? []).enumerated() {
      let tool = try Fields(value, path: "tools[\(index)]")
      var function = [JSONMember(key: "name", value: .string(try tool.required("name", try tool.string("name"))))]
      if let text = try tool.string("description") { function.append(JSONMember(key: "description", value: .string(text))) }
      if try tool.object("input_schema") != nil, let schema = tool["input_schema"] {
        function.append(JSONMember(key: "parameters", value: schema))
      }
      tools.append(["type": "function", "function": .object(function)])
    }
    return tools
  }

  private static func messages(_ fields: Fields, parsesArguments: Bool) throws(APIError) -> ChatMessages {
    var messages: [JSONValue] = []
    if let system = fields["system"] {
      messages.append(["role": "system", "content": .string(try text(system, path: "system", separator: "\n\n"))])
    }
    let values = try fields.required("messages", try fields.array("messages"))
    guard !values.isEmpty else { throw .malformed("messages: found none, expected at least one", parameter: "messages") }
    var prefix: AnswerPrefix?
    for (index, value) in values.enumerated() {
      let message = try Fields(value, path: "messages[\(index)]")
      let role = try message.required("role", try message.string("role"))
      guard role == "user" || role == "assistant" else {
        throw .malformed(
          "\(message.name("role")): found \"\(role.prefix(40))\", expected user or assistant", parameter: message.name("role"))
      }
      let blocks = try Blocks(message, parsesArguments: parsesArguments)
      if role == "user" {
        messages += blocks.toolResults
        if !blocks.text.isEmpty || blocks.toolResults.isEmpty {
          messages.append(["role": "user", "content": .string(blocks.text)])
        }
      } else if index == values.count - 1, blocks.toolCalls.isEmpty {
        prefix = AnswerPrefix(reasoning: blocks.thought, content: blocks.text)
      } else {
        var members = [JSONMember(key: "role", value: "assistant"), JSONMember(key: "content", value: .string(blocks.text))]
        if !blocks.toolCalls.isEmpty {
          members.append(JSONMember(key: "tool_calls", value: .array(blocks.toolCalls)))
          if !blocks.thought.isEmpty { members.append(JSONMember(key: "reasoning_content", value: .string(blocks.thought))) }
        }
        messages.append(.object(members))
      }
    }
    return ChatMessages(messages: messages, prefix: prefix)
  }

  /// The text of a string or of blocks of text.
  private static func text(_ value: JSONValue, path: String, separator: String) throws(APIError) -> String {
    if let text = value.string { return text }
    guard let elements = value.elements else {
      throw .malformed("\(path): found \(Fields.kind(value)), expected a string or an array of blocks", parameter: path)
    }
    var texts: [String] = []
    for (index, element) in elements.enumerated() {
      let block = try Fields(element, path: "\(path)[\(index)]")
      let type = try block.required("type", try block.string("type"))
      guard type == "text" else {
        throw .malformed("\(block.name("type")): found \"\(type.prefix(40))\", but this model reads text only", parameter: path)
      }
      texts.append(try block.required("text", try block.string("text")))
    }
    return texts.joined(separator: separator)
  }

  /// What the blocks of a message hold.
  private struct Blocks {
    var text = ""
    var thought = ""
    var toolCalls: [JSONValue] = []
    var toolResults: [JSONValue] = []

    init(_ message: Fields, parsesArguments: Bool) throws(APIError) {
      guard let content = message["content"] else {
        throw .malformed("\(message.name("content")) is missing", parameter: message.name("content"), code: "missing_parameter")
      }
      if let string = content.string {
        text = string
        return
      }
      guard let elements = content.elements else {
        throw message.failure("content", expected: "a string or an array of blocks")
      }
      for (index, element) in elements.enumerated() {
        let block = try Fields(element, path: message.name("content[\(index)]"))
        let type = try block.required("type", try block.string("type"))
        switch type {
        case "text": text += try block.required("text", try block.string("text"))
        case "thinking": thought += try block.string("thinking") ?? ""
        case "redacted_thinking": continue
        case "tool_use":
          let input = block["input"] ?? .object([])
          toolCalls.append([
            "type": "function", "id": .string(try block.required("id", try block.string("id"))),
            "function": [
              "name": .string(try block.required("name", try block.string("name"))),
              "arguments": parsesArguments ? input : .string(input.serialized()),
            ],
          ])
        case "tool_result":
          let id = try block.required("tool_use_id", try block.string("tool_use_id"))
          let result = try block["content"].map { value throws(APIError) in
            try AnthropicRequest.text(value, path: block.name("content"), separator: "\n")
          }
          toolResults.append(["role": "tool", "tool_call_id": .string(id), "content": .string(result ?? "")])
        default:
          throw .malformed(
            "\(block.name("type")): found \"\(type.prefix(40))\", but this model reads text only", parameter: block.name("type"))
        }
      }
    }
  }
}
