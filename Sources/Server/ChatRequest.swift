internal import SwiftletGeneration
internal import SwiftletJSON
internal import SwiftletTokenization

/// A request for `/chat/completions`, read and checked.
struct ChatRequest: Sendable {
  let served: ServedModel
  let modelName: String
  /// One for each of the `n` answers.
  let requests: [GenerationRequest]
  let isStreamed: Bool
  let includesUsage: Bool
  let wantsLogProbabilities: Bool
  /// Whether the answer may call tools.
  let hasTools: Bool

  var promptTokens: Int { requests.first?.prompt.count ?? 0 }

  /// - Throws: `APIError` naming the field, or `TemplateError`.
  init(_ body: JSONValue, models: ServedModels) throws {
    let fields = try Fields(body)
    let choice = try models.choice(fields)
    served = choice.served
    modelName = choice.name
    let chat = try ChatMessages(fields, parsesArguments: served.parsesArguments)
    let configuration = served.model.loaded.configuration
    var options = try GenerationOptions(
      fields, advised: served.model.loaded.advisedOptions, vocabularySize: configuration.vocabularySize)
    wantsLogProbabilities = try fields.bool("logprobs") ?? false
    let top = try fields.integer("top_logprobs", in: 0...20)
    if top != nil, !wantsLogProbabilities {
      throw APIError.malformed("top_logprobs: only goes with \"logprobs\": true", parameter: "top_logprobs")
    }
    if wantsLogProbabilities { options.topLogProbabilities = top ?? 0 }
    isStreamed = try fields.bool("stream") ?? false
    let streamOptions = try fields.object("stream_options")
    if streamOptions != nil, !isStreamed {
      throw APIError.malformed("stream_options: only goes with \"stream\": true", parameter: "stream_options")
    }
    includesUsage = try streamOptions?.bool("include_usage") ?? false
    try Self.checkFormat(fields)
    let tools = try Self.tools(fields)
    hasTools = tools != nil
    let request = try served.request(
      chat, tools: tools, thinking: Thinking(fields, alias: choice.thinking), options: options)
    let count = try fields.integer("n", in: 1...16) ?? 1
    requests = (0..<count).map { index in
      var sample = request
      sample.options.sampleIndex = index
      return sample
    }
  }

  /// Constrained output.
  private static func checkFormat(_ fields: Fields) throws(APIError) {
    guard let format = try fields.object("response_format") else { return }
    let type = try format.required("type", try format.string("type"))
    guard type == "text" else {
      throw .malformed(
        "response_format: \"\(type.prefix(40))\" is not supported yet; leave it out, or take {\"type\": \"text\"}",
        parameter: "response_format", code: "unsupported_parameter")
    }
  }

  /// The tools that the template is to show; nil for none.
  private static func tools(_ fields: Fields) throws(APIError) -> JSONValue? {
    let values = try fields.array("tools") ?? []
    for (index, value) in values.enumerated() {
      let tool = try Fields(value, path: "tools[\(index)]")
      let type = try tool.string("type") ?? "function"
      guard type == "function" else {
        throw .malformed("\(tool.name("type")): found \"\(type.prefix(40))\", expected function", parameter: tool.name("type"))
      }
      let function = try tool.required("function", try tool.object("function"))
      _ = try function.required("name", try function.string("name"))
      _ = try function.string("description")
      _ = try function.object("parameters")
    }
    if let choice = fields["tool_choice"] {
      switch choice.string {
      case "none"?: return nil
      case "auto"?: break
      default:
        throw .malformed(
          "tool_choice: only none and auto are supported yet", parameter: "tool_choice", code: "unsupported_parameter")
      }
    }
    return values.isEmpty ? nil : .array(values)
  }
}
