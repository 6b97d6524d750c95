internal import Foundation
internal import Hummingbird
internal import SwiftletGeneration
internal import SwiftletJSON
internal import SwiftletTokenization

/// `POST /completions` and `/beta/completions`: texts continued, and gaps filled.
extension API {
  func completions(_ request: Request, _ context: ServerContext) async throws -> Response {
    let completion = try await read(request, context) { [models] in try CompletionRequest($0, models: models) }
    context.record.note(model: completion.served.id)
    let run: AnswerRun
    do {
      run = try await start(completion.requests, completion.served, context)
    } catch let error where error.code == "context_length_exceeded" {
      throw error.naming("prompt")
    }
    let format = CompletionFormat(completion, record: context.record, tokenizer: try completion.served.tokenizer())
    return completion.isStreamed
      ? Self.stream(run, format) : try await whole(context) { try await Self.collect(run, format, idle: $0) }
  }

  private static func collect(
    _ run: AnswerRun, _ format: CompletionFormat, idle: @Sendable () -> Void
  ) async throws -> JSONValue {
    var choices = [ChoiceState](repeating: ChoiceState(), count: run.streams.count)
    defer { format.note(choices) }
    try await run.collect(&choices, idle: idle)
    return format.whole(choices)
  }

  private static func stream(_ run: AnswerRun, _ format: CompletionFormat) -> Response {
    EventStream.response { events in
      var choices = [ChoiceState](repeating: ChoiceState(), count: run.streams.count)
      defer { format.note(choices) }
      var offsets = format.firstOffsets
      for (index, echo) in format.echoes.enumerated() where !echo.isEmpty && !format.scoresPrompt {
        try await events.send(format.chunk(index, text: echo))
      }
      try await events.tellingErrors(format.record) { events in
        try await run.forEach { signal in
          switch signal {
          case .event(let index, let event):
            let text = choices[index].add(event).map(\.text).joined()
            if format.scoresPrompt, case .promptDone = event {
              try await events.send(format.scoredEcho(index, choices[index]))
            }
            let reason = choices[index].finishReason
            if !text.isEmpty || reason != nil {
              let logProbabilities = format.logProbabilities(choices[index].takeTokens(), at: &offsets[index])
              try await events.send(
                format.chunk(index, text: text, logProbabilities: logProbabilities, finishReason: reason))
            }
          case .denied(let index, let rule):
            choices[index].deny(by: rule)
            try await events.send(
              format.chunk(index, text: "", finishReason: choices[index].finishReason, denial: rule))
          case .tick: try await events.keepAlive()
          case .cut:
            for index in choices.indices where choices[index].finishReason == nil {
              choices[index].cut()
              try await events.send(format.chunk(index, text: "", finishReason: choices[index].finishReason))
            }
          }
        }
        if format.includesUsage { try await events.send(format.usageChunk(choices)) }
      }
      try await events.sendDone()
    }
  }
}

extension AnswerPiece {
  fileprivate var text: String {
    switch self {
    case .reasoning(let text), .content(let text): text
    case .call, .arguments: ""
    }
  }
}

/// Writes the answers of a completion request.
struct CompletionFormat: Sendable {
  private let id: String
  private let created = Int(Date.now.timeIntervalSince1970)
  private let model: String
  private let answersPerPrompt: Int
  private let tokenizer: Tokenizer
  private let wantsLogProbabilities: Bool
  private let prompts: [[Int32]]
  let scoresPrompt: Bool
  let echoes: [String]
  let includesUsage: Bool
  let record: RequestRecord

  init(_ completion: CompletionRequest, record: RequestRecord, tokenizer: Tokenizer) {
    id = "cmpl-" + record.id
    model = completion.modelName
    answersPerPrompt = completion.answersPerPrompt
    wantsLogProbabilities = completion.wantsLogProbabilities
    prompts = completion.requests.map(\.prompt)
    scoresPrompt = completion.scoresPrompt
    echoes = completion.echoes
    includesUsage = completion.includesUsage
    self.record = record
    self.tokenizer = tokenizer
  }

  private func usage(_ choices: [ChoiceState]) -> Usage {
    stride(from: 0, to: choices.count, by: answersPerPrompt).map { first in
      Usage(promptTokens: prompts[first].count, choices: Array(choices[first..<min(first + answersPerPrompt, choices.count)]))
    }.reduce(Usage(promptTokens: 0, choices: []), +)
  }

  /// Tells log and metrics.
  func note(_ choices: [ChoiceState]) { record.note(usage: usage(choices), finishReason: choices.first?.finishReason) }

  /// Of each answer, where its first token stands.
  var firstOffsets: [Int] { echoes.map(\.unicodeScalars.count) }

  /// A token with its log-probabilities; the first of a prompt has none.
  private typealias ScoredToken = (id: Int32, values: TokenLogProbabilities?)

  /// The tokens of an echoed prompt. One that begins the sequence without being part of the text is left out.
  private func promptTokens(_ index: Int, _ state: ChoiceState) -> [ScoredToken] {
    guard scoresPrompt else { return [] }
    let tokens = zip(prompts[index], [nil] + state.promptLogProbabilities.map(Optional.some)).map { ($0, $1) as ScoredToken }
    guard let first = tokens.first?.id, first == tokenizer.beginningOfSequence,
      !echoes[index].hasPrefix(tokenizer.decode([first]))
    else { return tokens }
    return Array(tokens.dropFirst())
  }

  /// The older shape, in which tokens and their log-probabilities are lists of their own.
  /// - Parameters:
  ///   - echoed: tokens of the text before the answer.
  ///   - offset: where the first other token stands in the text, in characters as Python counts them; then that of the next one.
  private func logProbabilities(
    _ tokens: [(token: GeneratedToken, values: TokenLogProbabilities)], echoed: [ScoredToken], at offset: inout Int
  ) -> JSONValue {
    guard wantsLogProbabilities else { return .null }
    let all = echoed + tokens.map { ($0.token.id, $0.values) }
    func text(_ id: Int32) -> String { tokenizer.decode([id]) }
    let top = all.map { _, values in
      guard let values else { return JSONValue.null }
      // Parts of characters have one text, and of what has one name the likeliest is told.
      var names: Set<[UInt8]> = []
      let likeliest = values.top.map { (text($0.id), $0.logProbability) }.filter { names.insert(Array($0.0.utf8)).inserted }
      return .object(likeliest.map { JSONMember(key: $0.0, value: .number(max($0.1, -9999))) })
    }
    let texts = all.map { text($0.id) }
    var offsets: [JSONValue] = [], echoOffset = 0
    for (index, text) in texts.enumerated() {
      let length = text.unicodeScalars.count
      if index < echoed.count {
        offsets.append(.integer(echoOffset))
        echoOffset += length
      } else {
        offsets.append(.integer(offset))
        offset += length
      }
    }
    return [
      "tokens": .array(texts.map { .string($0) }),
      "token_logprobs": .array(all.map { $0.values.map { .number(max($0.chosen, -9999)) } ?? .null }),
      "top_logprobs": .array(top), "text_offset": .array(offsets),
    ]
  }

  /// The same of tokens of an answer alone.
  func logProbabilities(
    _ tokens: [(token: GeneratedToken, values: TokenLogProbabilities)], at offset: inout Int
  ) -> JSONValue {
    logProbabilities(tokens, echoed: [], at: &offset)
  }

  /// The text before an answer with its log-probabilities, once all of them are known.
  func scoredEcho(_ index: Int, _ state: ChoiceState) -> JSONValue {
    var offset = 0
    return chunk(
      index, text: echoes[index], logProbabilities: logProbabilities([], echoed: promptTokens(index, state), at: &offset))
  }

  private func object(_ choices: [JSONValue], usage: JSONValue?) -> JSONValue {
    var members: [JSONMember] = [
      JSONMember(key: "id", value: .string(id)), JSONMember(key: "object", value: "text_completion"),
      JSONMember(key: "created", value: .integer(created)), JSONMember(key: "model", value: .string(model)),
      JSONMember(key: "system_fingerprint", value: nil), JSONMember(key: "choices", value: .array(choices)),
    ]
    if let usage { members.append(JSONMember(key: "usage", value: usage)) }
    return .object(members)
  }

  private func choice(
    _ index: Int, _ text: String, _ logProbabilities: JSONValue, _ finishReason: String?, _ denial: Policy.Rule?
  ) -> JSONValue {
    let members: [JSONMember] = [
      JSONMember(key: "index", value: .integer(index)), JSONMember(key: "text", value: .string(text)),
      JSONMember(key: "logprobs", value: logProbabilities),
      JSONMember(key: "finish_reason", value: finishReason.map { .string($0) } ?? .null),
    ]
    return .object(members + (denial.map { [$0.member] } ?? []))
  }

  func chunk(
    _ index: Int, text: String, logProbabilities: JSONValue = nil, finishReason: String? = nil, denial: Policy.Rule? = nil
  ) -> JSONValue {
    object([choice(index, text, logProbabilities, finishReason, denial)], usage: includesUsage ? .null : nil)
  }

  func usageChunk(_ choices: [ChoiceState]) -> JSONValue { object([], usage: usage(choices).json) }

  func whole(_ choices: [ChoiceState]) -> JSONValue {
    var offsets = firstOffsets
    let values = choices.enumerated().map { index, state in
      let logProbabilities = logProbabilities(
        state.logProbabilities, echoed: promptTokens(index, state), at: &offsets[index])
      return choice(index, echoes[index] + state.content, logProbabilities, state.finishReason, state.denial)
    }
    return object(values, usage: usage(choices).json)
  }
}
