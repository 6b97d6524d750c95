internal import Foundation
public import SwiftletGeneration
public import SwiftletJSON

extension LanguageModel {
  /// What to answer or continue.
  public enum Prompt: Sendable {
    /// One message of the user, in the model's chat format; continued as it is by models without a chat template.
    case text(String)
    /// Continued as it is.
    case raw(String)
    /// A conversation: an array of objects with `role` and `content`, in the model's chat format.
    case messages(JSONValue)
    /// The text between two texts, for models trained to fill it in, such as DeepSeek-Coder and Qwen2.5-Coder.
    case fillInMiddle(prefix: String, suffix: String)
  }

  /// The request for a prompt, in the model's own format.
  /// - Throws: `LanguageModelError` or `TemplateError`.
  public func request(_ prompt: Prompt, options: GenerationOptions) throws -> GenerationRequest {
    guard let tokenizer = loaded.tokenizer else { throw LanguageModelError.noTokenizer(path: loaded.path) }
    switch prompt {
    case .text(let text):
      guard chatPrompt != nil else { return try request(.raw(text), options: options) }
      return try request(.messages([["role": "user", "content": .string(text)]]), options: options)
    case .raw(let text):
      let ids = tokenizer.encode(text, addingBeginningOfSequence: tokenizer.addsBeginningOfSequence)
      return GenerationRequest(prompt: ids, options: options, splitsReasoning: false)
    case .fillInMiddle(let prefix, let suffix):
      guard let ids = tokenizer.encode(prefix: prefix, suffix: suffix) else {
        throw LanguageModelError.noFillInMiddle(path: loaded.path)
      }
      return GenerationRequest(prompt: ids, options: options, splitsReasoning: false)
    case .messages(let messages):
      guard let chatPrompt else { throw LanguageModelError.noChatTemplate(path: loaded.path) }
      let rendered = try chatPrompt.render(messages, extra: options.thinking.templateVariables)
      return GenerationRequest(renderedPrompt: rendered, tokenizer: tokenizer, options: options)
    }
  }

  /// Whether the model can think before it answers: when it is asked to, its chat template opens a thought, or leaves that to a
  /// model whose vocabulary has `<think>`.
  public var canThink: Bool {
    guard chatPrompt != nil, let tokenizer = loaded.tokenizer else { return false }
    let asked = try? request(.text("Hi"), options: GenerationOptions(thinking: .max))
    return asked?.mayThink(with: tokenizer) ?? false
  }

  /// Starts a request. A constraint that is new is made ready before, on a thread of its own.
  /// - Throws: `GenerationError` when prompt or options cannot be served.
  public func generate(_ request: GenerationRequest) async throws -> GenerationStream {
    if let constraint = request.options.constraint {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        let engine = engine
        DispatchQueue.global().async { continuation.resume(with: Result { try engine.prepare(constraint) }) }
      }
    }
    return try engine.generate(request)
  }

  /// Answers one prompt, outside of any conversation.
  /// - Parameter options: nil for what the model's files advise.
  public func complete(_ prompt: Prompt, options: GenerationOptions? = nil) async throws -> Completion {
    var completion = Completion()
    for try await event in try await generate(request(prompt, options: options ?? loaded.advisedOptions)) {
      completion.add(event)
    }
    guard completion.summary != nil else { throw CancellationError() }
    return completion
  }
}

extension LanguageModel {
  /// What answers with these options depend on beside their prompts, so that files of answers are not continued with others.
  public func settings(of options: GenerationOptions) -> JSONValue {
    let biases = options.logitBias.sorted { $0.key < $1.key }.map { JSONMember(key: "\($0.key)", value: .number($0.value)) }
    let settings: JSONValue = [
      "model": .string(URL(fileURLWithPath: loaded.path).standardizedFileURL.path),
      "context": .integer(engine.contextLength), "template": loaded.template.map { .string($0.text) } ?? .null,
      "temperature": .number(options.temperature), "top_k": .integer(options.topK), "top_p": .number(options.topP),
      "min_p": .number(options.minP), "repetition_penalty": .number(options.repetitionPenalty),
      "frequency_penalty": .number(options.frequencyPenalty), "presence_penalty": .number(options.presencePenalty),
      "logit_bias": .object(biases), "seed": .string("\(options.seed)"), "stop": .array(options.stop.map { .string($0) }),
      "max_tokens": options.maximumResponseTokens.map { .integer($0) } ?? .null,
    ]
    var members = settings.members ?? []
    if let constraint = options.constraint {
      members.append(JSONMember(key: "constraint", value: .string(constraint.description)))
    }
    if options.thinking != ThinkingBudget() {
      members.append(JSONMember(key: "thinking", value: .string(options.thinking.description)))
    }
    return .object(members)
  }
}

/// An answer, or as much of it as there is.
public struct Completion: Sendable {
  public var content = ""
  /// What a reasoning model thought before it answered.
  public var reasoning = ""
  public var tokens: [Int32] = []
  /// Counts, speeds and why the answer ended; nil until it has.
  public var summary: GenerationSummary?
  /// The mean log-probability of its tokens; nil unless `GenerationOptions.topLogProbabilities` asks.
  public var logProbability: Double? { likelihood.value }
  private var likelihood = MeanLogProbability()

  public init() {}

  /// Adds what an event brings, and returns the text that is new.
  @discardableResult
  public mutating func add(_ event: GenerationEvent) -> [AnswerPart] {
    let parts: [AnswerPart]
    switch event {
    case .promptScored, .promptDone: parts = []
    case .token(let token):
      tokens.append(token.id)
      likelihood.add(token)
      parts = token.parts
    case .finished(let summary):
      self.summary = summary
      parts = summary.parts
    }
    for part in parts {
      switch part {
      case .content(let text): content += text
      case .reasoning(let text): reasoning += text
      }
    }
    return parts
  }

  /// The answer as the command's `--json` prints it. `reasoning_tokens` is there when it has a thought, `log_probability`
  /// when that was asked for, `draft` when the next tokens were guessed.
  public var json: JSONValue {
    var members = [
      JSONMember(key: "text", value: .string(content)),
      JSONMember(key: "reasoning", value: .string(reasoning)),
      JSONMember(key: "ids", value: .array(tokens.map { .integer(Int($0)) })),
      JSONMember(key: "prompt_tokens", value: .integer(summary?.promptTokens ?? 0)),
      JSONMember(key: "completion_tokens", value: .integer(tokens.count)),
      JSONMember(key: "finish_reason", value: summary.map { .string($0.finishReason.rawValue) } ?? .null),
      JSONMember(key: "prefill_tokens_per_second", value: .number(summary?.prefillTokensPerSecond ?? 0)),
      JSONMember(key: "decode_tokens_per_second", value: .number(summary?.decodeTokensPerSecond ?? 0)),
    ]
    if let count = summary?.reasoningTokens, count > 0 {
      members.append(JSONMember(key: "reasoning_tokens", value: .integer(count)))
    }
    if let logProbability { members.append(JSONMember(key: "log_probability", value: .number(logProbability))) }
    if let drafts = summary?.drafts { members.append(JSONMember(key: "draft", value: drafts.json)) }
    return .object(members)
  }
}

extension DraftCounts {
  /// As the command's `--json` prints it.
  public var json: JSONValue {
    [
      "kind": .string(drafting.rawValue), "passes": .integer(passes), "proposed": .integer(proposed),
      "accepted": .integer(accepted), "acceptance": .number(acceptance), "tokens_per_pass": .number(tokensPerPass),
      "gain": gain.map { .number($0) } ?? .null,
    ]
  }
}
