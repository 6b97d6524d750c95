internal import SwiftletGeneration
internal import SwiftletJSON
internal import SwiftletTokenization

/// What is new in an answer.
enum AnswerPiece: Sendable {
  case reasoning(String)
  case content(String)
  /// A call of a tool begins, the so many-th of the answer, counted from 0.
  case call(Int, name: String)
  /// More of the arguments of this call.
  case arguments(Int, String)
}

/// One answer of a request, as far as it has come.
///
/// The pieces that it returns are what a stream tells; what it collects is the whole answer. They differ only in a call that is cut off
/// or no JSON: a stream has told of its beginning, while in a whole answer it is text.
struct ChoiceState: Sendable {
  private(set) var content = ""
  private(set) var reasoning = ""
  private(set) var toolCalls: [ToolCall] = []
  private(set) var completionTokens = 0
  /// Counts and why the answer ended; nil until it has.
  private(set) var summary: GenerationSummary?
  /// nil where no tools may be called.
  private var calls: ToolCallParser?
  /// Whole calls beyond these are left out; nil for any number.
  private let callLimit: Int?
  /// The call that is coming, with its number; nil for one that is left out.
  private var openCall: (number: Int?, call: ToolCall)?
  /// Calls that have begun, without those that are left out; those that broke off keep their numbers in a stream.
  private var begunCalls = 0
  /// nil until the prompt is computed.
  private(set) var cachedTokens: Int?
  private(set) var reasoningTokens = 0
  /// Why the answer ended; nil while it has not.
  private(set) var finishReason: String?
  /// The rule that ended the answer, where one did.
  private(set) var denial: Policy.Rule?
  /// How likely the model held it, where that was asked for.
  private(set) var likelihood = MeanLogProbability()
  /// Of the prompt's tokens behind the first, where that was asked for.
  private(set) var promptLogProbabilities: [TokenLogProbabilities] = []
  /// The tokens whose log-probabilities were not taken yet.
  private(set) var logProbabilities: [(token: GeneratedToken, values: TokenLogProbabilities)] = []

  /// - Parameters:
  ///   - findsCalls: whether calls of tools are told apart from the text.
  ///   - callLimit: the most calls that the answer has.
  init(findsCalls: Bool = false, callLimit: Int? = nil) {
    calls = findsCalls ? ToolCallParser() : nil
    self.callLimit = callLimit
  }

  /// Adds what an event brings.
  /// - Returns: what is new of the answer.
  @discardableResult
  mutating func add(_ event: GenerationEvent) -> [AnswerPiece] {
    switch event {
    case .promptDone(_, let cached, _):
      cachedTokens = cached
      return []
    case .promptScored(let values):
      promptLogProbabilities += values
      return []
    case .token(let token):
      completionTokens += 1
      if token.isReasoning { reasoningTokens += 1 }
      likelihood.add(token)
      if let values = token.logProbabilities, !token.isEnd { logProbabilities.append((token, values)) }
      return token.parts.flatMap { add($0) }
    case .finished(let summary):
      self.summary = summary
      let pieces = summary.parts.flatMap { add($0) } + finishCalls()
      let callsTools = summary.finishReason == .stop && !toolCalls.isEmpty
      finishReason = callsTools ? "tool_calls" : summary.finishReason.rawValue
      return pieces
    }
  }

  private mutating func add(_ part: AnswerPart) -> [AnswerPiece] {
    switch part {
    case .reasoning(let text):
      reasoning += text
      return [.reasoning(text)]
    case .content(let text):
      guard let pieces = calls?.append(text) else { return [add(.content(text))].compactMap { $0 } }
      return pieces.compactMap { add($0) }
    }
  }

  private mutating func add(_ piece: ToolCallParser.Piece) -> AnswerPiece? {
    switch piece {
    case .content(let text):
      content += text
      return .content(text)
    case .callStart(let name):
      var number: Int?
      // One that broke off is no call, so it does not count.
      if callLimit.map({ toolCalls.count < $0 }) ?? true {
        number = begunCalls
        begunCalls += 1
      }
      openCall = (number, ToolCall(name: name, arguments: ""))
      return number.map { .call($0, name: name) }
    case .arguments(let text):
      openCall?.call.arguments += text
      return openCall?.number.map { .arguments($0, text) }
    case .callEnd:
      if let openCall, openCall.number != nil { toolCalls.append(openCall.call) }
      openCall = nil
      return nil
    case .callFailure(let text):
      let isTold = openCall?.number != nil
      openCall = nil
      content += text
      return isTold ? nil : .content(text)
    }
  }

  /// What was held back because it may be a call, when nothing comes any more.
  private mutating func finishCalls() -> [AnswerPiece] { (calls?.finish() ?? []).compactMap { add($0) } }

  /// A rule of the server's policy ends the answer.
  /// - Returns: what is new of it.
  @discardableResult
  mutating func deny(by rule: Policy.Rule) -> [AnswerPiece] {
    finishReason = "content_filter"
    denial = rule
    return finishCalls()
  }

  /// The server stops before the answer is whole.
  /// - Returns: what is new of it.
  @discardableResult
  mutating func cut() -> [AnswerPiece] {
    if finishReason != nil { return [] }
    finishReason = "insufficient_system_resource"
    return finishCalls()
  }

  /// The tokens since the last call, with their log-probabilities where these were asked for.
  mutating func takeTokens() -> [(token: GeneratedToken, values: TokenLogProbabilities)] {
    defer { logProbabilities = [] }
    return logProbabilities
  }

  /// The log-probabilities since the last call, as OpenAI writes them and DeepSeek for thoughts; null when none were asked for.
  mutating func takeLogProbabilities(_ tokenizer: Tokenizer, isWanted: Bool) -> JSONValue {
    guard isWanted else { return .null }
    let tokens = takeTokens()
    func list(isReasoning: Bool) -> [JSONValue] {
      tokens.filter { $0.token.isReasoning == isReasoning }.map { token, values in
        var members = Self.members(token.id, values.chosen, tokenizer)
        members.append(
          JSONMember(
            key: "top_logprobs", value: .array(values.top.map { .object(Self.members($0.id, $0.logProbability, tokenizer)) })))
        return .object(members)
      }
    }
    let thought = list(isReasoning: true)
    var members = [JSONMember(key: "content", value: .array(list(isReasoning: false)))]
    if !thought.isEmpty { members.append(JSONMember(key: "reasoning_content", value: .array(thought))) }
    return .object(members)
  }

  private static func members(_ id: Int32, _ value: Double, _ tokenizer: Tokenizer) -> [JSONMember] {
    [
      JSONMember(key: "token", value: .string(tokenizer.decode([id]))),
      // JSON has no infinity; OpenAI writes -9999 for what is as good as impossible.
      JSONMember(key: "logprob", value: .number(max(value, -9999))),
      JSONMember(key: "bytes", value: .array(tokenizer.bytes(of: id).map { .integer(Int($0)) })),
    ]
  }
}

/// What a request is counted with.
struct Usage: Sendable, Equatable {
  var promptTokens: Int
  /// Those of prompts that were computed or found in a cache: none of a prompt whose client left before.
  var donePromptTokens: Int
  var cachedTokens: Int
  var completionTokens: Int
  var reasoningTokens: Int

  /// - Parameter promptTokens: of one prompt each; all choices of a prompt are counted with the first of them.
  init(promptTokens: Int, choices: [ChoiceState]) {
    self.promptTokens = promptTokens
    donePromptTokens = choices.first?.cachedTokens == nil ? 0 : promptTokens
    cachedTokens = choices.first?.cachedTokens ?? 0
    completionTokens = choices.reduce(0) { $0 + $1.completionTokens }
    reasoningTokens = choices.reduce(0) { $0 + $1.reasoningTokens }
  }

  static func + (a: Usage, b: Usage) -> Usage {
    var sum = a
    sum.promptTokens += b.promptTokens
    sum.donePromptTokens += b.donePromptTokens
    sum.cachedTokens += b.cachedTokens
    sum.completionTokens += b.completionTokens
    sum.reasoningTokens += b.reasoningTokens
    return sum
  }

  var json: JSONValue {
    [
      "prompt_tokens": .integer(promptTokens), "completion_tokens": .integer(completionTokens),
      "total_tokens": .integer(promptTokens + completionTokens), "prompt_cache_hit_tokens": .integer(cachedTokens),
      "prompt_cache_miss_tokens": .integer(promptTokens - cachedTokens),
      "prompt_tokens_details": ["cached_tokens": .integer(cachedTokens)],
      "completion_tokens_details": ["reasoning_tokens": .integer(reasoningTokens)],
    ]
  }
}
