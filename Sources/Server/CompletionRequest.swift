internal import Swiftlet
internal import SwiftletGeneration
internal import SwiftletJSON
internal import SwiftletTokenization

/// A request for `/completions`, read and checked: one or several prompts to continue, or a gap to fill.
struct CompletionRequest: Sendable {
  let served: ServedModel
  let modelName: String
  /// `n` for each prompt, prompt after prompt.
  let requests: [GenerationRequest]
  let answersPerPrompt: Int
  /// Of each prompt, what comes before its answer when `echo` asks for it.
  let echoes: [String]
  /// Whether what comes before an answer has log-probabilities too.
  let scoresPrompt: Bool
  let isStreamed: Bool
  let includesUsage: Bool
  let wantsLogProbabilities: Bool

  /// What OpenAI's API takes for `max_tokens` that is not given.
  private static let answerTokens = 16
  private static let mostAnswers = 64

  private enum Prompt {
    case text(String)
    case ids([Int32])
  }

  /// - Throws: `APIError` naming the field.
  init(_ body: JSONValue, models: ServedModels) throws {
    let fields = try Fields(body)
    let choice = try models.choice(fields)
    served = choice.served
    modelName = choice.name
    let loaded = served.model.loaded, tokenizer = try served.tokenizer()
    let echo = try fields.bool("echo") ?? false
    let suffix = try fields.string("suffix").flatMap { $0.isEmpty ? nil : $0 }
    // The tokens around a gap are not those of the text before it.
    let mayScore = echo && suffix == nil
    var options = try GenerationOptions(
      fields, advised: loaded.advisedOptions, vocabularySize: loaded.configuration.vocabularySize, leastTokens: mayScore ? 0 : 1)
    if fields["max_tokens"] == nil, fields["max_completion_tokens"] == nil { options.maximumResponseTokens = Self.answerTokens }
    options.topLogProbabilities = try fields.integer("logprobs", in: 0...20)
    wantsLogProbabilities = options.topLogProbabilities != nil
    scoresPrompt = mayScore && wantsLogProbabilities
    options.scoresPrompt = scoresPrompt
    if mayScore, options.maximumResponseTokens == 0, !scoresPrompt {
      options.scoresPrompt = true
      options.topLogProbabilities = 0
    }
    isStreamed = try fields.bool("stream") ?? false
    let streamOptions = try fields.object("stream_options")
    if streamOptions != nil, !isStreamed {
      throw APIError.malformed("stream_options: only goes with \"stream\": true", parameter: "stream_options")
    }
    includesUsage = try streamOptions?.bool("include_usage") ?? false
    let count = try fields.integer("n", in: 1...16) ?? 1
    if let best = try fields.integer("best_of", in: 1...16), best != count {
      throw APIError.malformed("best_of: is not supported; leave it out", parameter: "best_of", code: "unsupported_parameter")
    }
    let prompts = try Self.prompts(fields, served)
    guard prompts.count * count <= Self.mostAnswers else {
      throw APIError.outOfRange(
        "n", "found \(prompts.count) prompts with \(count) answers each, expected \(Self.mostAnswers) at most")
    }
    options.constraint = try ResponseFormat.grammar(fields)
    if suffix != nil, options.constraint != nil {
      throw APIError.malformed("response_format: does not go with suffix; leave one of them out", parameter: "response_format")
    }
    try served.prepare(options.constraint, parameter: "response_format")
    var requests: [GenerationRequest] = [], echoes: [String] = []
    for prompt in prompts {
      let ids = try Self.ids(prompt, suffix: suffix, tokenizer)
      for index in 0..<count {
        options.sampleIndex = index
        requests.append(GenerationRequest(prompt: ids, options: options, splitsReasoning: false))
        echoes.append(echo ? Self.text(prompt, tokenizer) : "")
      }
    }
    self.requests = requests
    self.echoes = echoes
    answersPerPrompt = count
  }

  /// A text, ids, or an array of either.
  private static func prompts(_ fields: Fields, _ served: ServedModel) throws(APIError) -> [Prompt] {
    guard let value = fields["prompt"] else {
      throw .malformed("prompt is missing", parameter: "prompt", code: "missing_parameter")
    }
    if let text = value.string { return [.text(text)] }
    guard let elements = value.elements else {
      throw fields.failure("prompt", expected: "a string, an array of strings, or an array of token ids")
    }
    guard !elements.isEmpty else { throw .malformed("prompt: found an empty array", parameter: "prompt") }
    if elements[0].integer != nil { return [.ids(try API.ids(elements, name: "prompt", served))] }
    var prompts: [Prompt] = []
    for (index, element) in elements.enumerated() {
      if let text = element.string {
        prompts.append(.text(text))
      } else if let ids = element.elements {
        prompts.append(.ids(try API.ids(ids, name: "prompt[\(index)]", served)))
      } else {
        throw .malformed(
          "prompt[\(index)]: found \(Fields.kind(element)), expected a string or an array of token ids", parameter: "prompt",
          code: "invalid_type")
      }
    }
    return prompts
  }

  private static func ids(_ prompt: Prompt, suffix: String?, _ tokenizer: Tokenizer) throws(APIError) -> [Int32] {
    if let suffix {
      guard let ids = tokenizer.encode(prefix: text(prompt, tokenizer), suffix: suffix) else {
        throw .malformed(
          "suffix: this model has no tokens for filling in the middle; leave it out, or take a model trained for it, such as "
            + "DeepSeek-Coder-V2-Lite-Base", parameter: "suffix", code: "unsupported_parameter")
      }
      return ids
    }
    switch prompt {
    case .ids(let ids): return ids
    case .text(let text): return tokenizer.encode(text, addingBeginningOfSequence: tokenizer.addsBeginningOfSequence)
    }
  }

  private static func text(_ prompt: Prompt, _ tokenizer: Tokenizer) -> String {
    switch prompt {
    case .ids(let ids): tokenizer.decode(ids)
    case .text(let text): text
    }
  }
}
