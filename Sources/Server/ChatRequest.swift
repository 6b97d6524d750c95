internal import Swiftlet
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
  /// The most calls that an answer has; nil for any number.
  let callLimit: Int?
  /// How one of the answers is chosen; nil to give them all.
  let choosing: AnswerChoice?

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
    let tools = try Self.tools(fields), toolChoice = try ToolChoice(fields), shown = toolChoice.shown(tools)
    hasTools = shown != nil
    callLimit = toolChoice.callLimit
    options.constraint = try toolChoice.grammar(tools: tools, format: ResponseFormat.grammar(fields), served)
    try served.prepare(options.constraint, parameter: fields["response_format"] == nil ? "tools" : "response_format")
    options.thinking = try ThinkingBudget(fields, alias: choice.thinking)
    let request = try served.request(chat, tools: shown, options: options)
    let count = try fields.integer("n", in: 1...16) ?? 1
    let choosing = try Self.choice(fields, count: count, isStreamed: isStreamed, hasTools: hasTools)
    self.choosing = choosing
    requests = (0..<count).map { index in
      var sample = request
      sample.options.sampleIndex = index
      if choosing == .likelihood, sample.options.topLogProbabilities == nil { sample.options.topLogProbabilities = 0 }
      return sample
    }
  }

  /// Swiftlet's own fields `vote` and `best_by`.
  private static func choice(
    _ fields: Fields, count: Int, isStreamed: Bool, hasTools: Bool
  ) throws(APIError) -> AnswerChoice? {
    let votes = try fields.bool("vote") ?? false, way = try fields.string("best_by")
    guard votes || way != nil else { return nil }
    let name = votes ? "vote" : "best_by"
    if let way, way != "likelihood" {
      throw .outOfRange("best_by", "found \"\(way.prefix(40))\", expected likelihood")
    }
    func conflict(_ reason: String) -> APIError { .malformed("\(name): \(reason)", parameter: name) }
    if votes, way != nil { throw conflict("excludes best_by; one answer is chosen in one way") }
    if count < 2 { throw conflict("chooses one of several answers; give \"n\" from 2 to 16") }
    if isStreamed { throw conflict("chooses when all answers are there, so it excludes \"stream\": true") }
    if hasTools {
      throw conflict("excludes tools: calls have no answer to compare; leave tools out, or \"tool_choice\": \"none\"")
    }
    return votes ? .vote : .likelihood
  }

  /// The tools of a request, checked.
  private static func tools(_ fields: Fields) throws(APIError) -> [JSONValue] {
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
    return values
  }
}
