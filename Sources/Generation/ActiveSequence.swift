internal import SwiftletModels
internal import SwiftletTensors
internal import SwiftletTokenization

/// One request on its way through the engine.
final class ActiveSequence {
  let request: GenerationRequest
  let events: AsyncThrowingStream<GenerationEvent, any Error>.Continuation
  private(set) var cache: KeyValueCache
  /// Prompt and answer; the cache holds all but the last of them once decoding has begun.
  private(set) var tokens: [Int32]
  /// Prompt tokens found in a cache.
  private(set) var cachedTokens: Int
  private var sampler: Sampler
  private var drafter: Drafter?
  private var decoder: StreamingDecoder?
  private var stops: StopDetector
  private var reasoning: ReasoningParser
  private var constraint: AnswerConstraint?
  private let ends: Set<Int32>
  /// Tokens that belong to the thought.
  private var reasoningTokens = 0
  /// Tokens to come whatever the model says, and whether those that end a thought were begun.
  private var forced: ArraySlice<Int32> = []
  private var hasForced = false
  /// How much of the closing tag is there; nil while no thought is open. It knows of the end before a stop text lets it through.
  private var thoughtEnd: ThoughtEnd?
  private let tokenizer: Tokenizer?
  /// When a chunk of its prompt was last computed, in chunks of all prompts.
  var lastChunk = 0
  /// What the blocks of the prompt are called on disk, once they were looked for.
  var prefixKeys: [PrefixKey]?
  private var startTime: ContinuousClock.Instant?
  private var firstTokenTime: ContinuousClock.Instant?
  private(set) var isFinished = false
  /// Its cache is of no use: the model computed no number, or its weights changed.
  private(set) var isBroken = false

  /// - Parameters:
  ///   - constraint: what the request's options ask for, made ready.
  ///   - drafting: none but those that the model can do.
  init(
    _ request: GenerationRequest, constraint: PreparedConstraint?, cache: KeyValueCache, tokenizer: Tokenizer?,
    ends: Set<Int32>, drafting: Drafting, events: AsyncThrowingStream<GenerationEvent, any Error>.Continuation
  ) {
    self.request = request
    self.cache = cache
    self.events = events
    tokens = request.prompt
    cachedTokens = cache.count
    sampler = Sampler(request.options, prompt: request.prompt)
    self.tokenizer = tokenizer
    decoder = tokenizer.map { StreamingDecoder($0, skippingSpecialTokens: true) }
    stops = StopDetector(request.options.stop)
    reasoning = ReasoningParser(
      promptOpensThought: request.promptOpensThought, continuesThought: request.continuesThought)
    thoughtEnd = request.startsInThought ? ThoughtEnd() : nil
    self.ends = request.options.ignoresEnd ? [] : ends
    // The last token of a full context is not computed.
    let limit = request.maximumAnswerTokens(contextLength: cache.capacity)
    self.constraint = constraint.map { AnswerConstraint($0, request: request, limit: limit) }
    if drafting != .none {
      drafter = Drafter(drafting, limit: request.options.maximumDraftTokens, prompt: request.prompt)
    }
  }

  /// Prompt tokens that are not computed yet.
  var pendingPrompt: ArraySlice<Int32> { request.prompt[min(cache.count, request.prompt.count)...] }

  /// Goes on from a cache that holds more of the prompt.
  func adopt(_ cache: KeyValueCache) {
    cachedTokens += cache.count - self.cache.count
    self.cache = cache
  }

  /// Whether every position of the prompt has to be computed, with its logits.
  var scoresPrompt: Bool { request.options.scoresPrompt }

  /// Tells how likely tokens of the prompt are.
  /// - Parameters:
  ///   - start: position of the first of `rows` positions that were computed.
  ///   - logits: of the rows, counted from 0.
  func score(
    rows: Int, from start: Int, logits: (Int) -> UnsafeMutableBufferPointer<Float>, kernels: Kernels
  ) {
    guard let top = request.options.topLogProbabilities else { return }
    let next = request.prompt[(start + 1)...].prefix(rows)
    events.yield(
      .promptScored(
        next.enumerated().map { row, token in LogProbabilities(logits(row), top: top, kernels: kernels).of(token) }))
  }

  func noteStart() { if startTime == nil { startTime = .now } }

  /// Chooses the next token from the logits of the last, and ends the answer when it is time.
  func advance(logits: UnsafeMutableBufferPointer<Float>, kernels: Kernels) {
    if request.options.maximumResponseTokens == 0 {
      notePrompt()
      return finish(.length)
    }
    let likelihoods = request.options.topLogProbabilities.map { LogProbabilities(logits, top: $0, kernels: kernels) }
    let token: Int32, isForced: Bool
    switch choose(logits, kernels) {
    case .token(let chosen, let forced): (token, isForced) = (chosen, forced)
    case .end:
      notePrompt()
      return finish(constraint?.isComplete ?? true ? .stop : .length)
    case .broken: return fail(GenerationError.notANumber(position: tokens.count))
    }
    notePrompt()
    tokens.append(token)
    sampler.accept(token)
    if !ends.contains(token) { constraint?.accept(token) }
    drafter?.append(token)
    let isEnd = ends.contains(token), wasThinking = reasoning.isThinking
    let parts = isEnd ? [] : parts(of: shown(decoder?.append(token) ?? "", isForced: isForced))
    let isReasoning = request.splitsReasoning && !isEnd && (wasThinking || reasoning.isThinking)
    if isReasoning { reasoningTokens += 1 }
    if !isEnd { noteThought(token, hasBegun: !wasThinking && reasoning.isThinking) }
    events.yield(
      .token(
        GeneratedToken(
          id: token, parts: parts, isReasoning: isReasoning, isEnd: isEnd, isForced: isForced,
          logProbabilities: likelihoods?.of(token))))
    if isEnd { return finish(.stop) }
    let generated = tokens.count - request.prompt.count
    if stops.isStopped || constraint?.isFinished ?? false {
      finish(.stop)
    } else if generated == request.options.maximumResponseTokens || tokens.count > cache.capacity {
      // The last token of a full context is shown, but there is no place to compute what follows it.
      finish(constraint?.isComplete ?? false ? .stop : .length)
    }
  }

  /// Tells once that the prompt is computed.
  private func notePrompt() {
    guard firstTokenTime == nil else { return }
    firstTokenTime = .now
    events.yield(.promptDone(tokens: request.prompt.count, cached: cachedTokens, seconds: seconds(from: startTime)))
  }

  private enum Choice {
    case token(Int32, isForced: Bool)
    /// The constraint leaves nothing but the end.
    case end
    /// The model's logits are no numbers.
    case broken
  }

  private func choose(_ logits: UnsafeMutableBufferPointer<Float>, _ kernels: Kernels) -> Choice {
    func sample() -> Int32? { sampler.sample(logits, position: tokens.count, kernels: kernels) }
    let forced = forcedToken()
    if forced != nil || constraint == nil {
      guard let sampled = sample() else { return .broken }
      return forced.map { .token($0, isForced: true) } ?? choice(sampled)
    }
    // A broken model is told from one whose allowed tokens a bias forbids.
    let best = kernels.argmax(UnsafeBufferPointer(logits))
    guard logits.indices.contains(best), logits[best].isFinite else { return .broken }
    guard let allowed = constraint?.restrict(logits, ends: ends) else { return .end }
    return choice(sample() ?? allowed)
  }

  /// The token that was sampled, or the first of those that keep up a thought which it would end too soon.
  private func choice(_ sampled: Int32) -> Choice {
    guard let limit = request.thoughtLimit, !limit.continuation.isEmpty, reasoningTokens < limit.minimum, let thoughtEnd,
      let tokenizer,
      ends.contains(sampled) || thoughtEnd.rest(behind: tokenizer.bytes(of: sampled)) != nil,
      constraint?.hasRoomForThought(of: limit.continuation.count) ?? true
    else { return .token(sampled, isForced: false) }
    forced = limit.continuation[...]
    return forced.popFirst().map { .token($0, isForced: true) } ?? .token(sampled, isForced: false)
  }

  /// Follows a thought to its end.
  private func noteThought(_ token: Int32, hasBegun: Bool) {
    if hasBegun {
      thoughtEnd = ThoughtEnd()
    } else if let tokenizer, thoughtEnd?.append(tokenizer.bytes(of: token)) != nil {
      thoughtEnd = nil
    }
  }

  /// The next of the tokens that end a thought which has become too long, or keep up one that is too short.
  private func forcedToken() -> Int32? {
    if let limit = request.thoughtLimit, !hasForced, thoughtEnd != nil, reasoningTokens >= limit.tokens {
      forced = limit.closing[...]
      hasForced = true
    }
    if forced.isEmpty, let closing = constraint?.closing, !closing.isEmpty {
      forced = closing[...]
      hasForced = true
    }
    return forced.popFirst()
  }

  /// Guesses the next tokens, as many as there is place for.
  func draft(atMost share: Int) -> [Int32] {
    let generated = tokens.count - request.prompt.count
    // The pass itself yields a token besides.
    let room = min(share, cache.capacity - tokens.count, (request.options.maximumResponseTokens ?? .max) - generated - 1)
    return drafter?.draft(room: room) ?? []
  }

  /// Takes the logits of the last token and of the guesses behind it, in order, as long as the guesses are right, and makes the
  /// cache forget the others.
  /// - Parameter logits: of the last token (0) or of a guess (from 1).
  func advance(guesses: [Int32], logits: (Int) -> UnsafeMutableBufferPointer<Float>, kernels: Kernels) {
    var right = 0
    advance(logits: logits(0), kernels: kernels)
    while !isFinished, right < guesses.count, tokens.last == guesses[right] {
      right += 1
      advance(logits: logits(right), kernels: kernels)
    }
    cache.truncate(to: tokens.count - 1)
  }

  /// Ends a pass that took this long, and without asking the prediction layer a little less.
  func endPass(seconds: Double, withoutPrediction plainSeconds: Double) {
    drafter?.endPass(seconds: seconds, withoutPrediction: plainSeconds)
  }

  /// Whether the decoder's prediction layer is to be asked.
  var wantsPrediction: Bool { !isFinished && drafter?.wantsPrediction ?? false }

  /// What the prediction layer says comes behind the last token.
  func predict(_ token: Int32?) { drafter?.predict(token) }

  /// Ends the answer because nobody waits for it any more.
  func cancel() {
    isFinished = true
    events.finish()
  }

  /// Ends the answer because the model is broken.
  func fail(_ error: any Error) {
    isFinished = true
    isBroken = true
    events.finish(throwing: error)
  }

  /// What is certain of the text of a token to come before any stop text. What is forced, the model did not say: it stops nothing.
  private func shown(_ text: String, isForced: Bool) -> String { isForced ? stops.finish() + text : stops.append(text) }

  private func parts(of text: String) -> [AnswerPart] {
    if text.isEmpty { return [] }
    return request.splitsReasoning ? reasoning.append(text) : [.content(text)]
  }

  private func finish(_ reason: FinishReason) {
    isFinished = true
    let rest = stops.isStopped ? "" : stops.append(decoder?.finish() ?? "") + stops.finish()
    let last = parts(of: rest) + reasoning.finish()
    let summary = GenerationSummary(
      finishReason: reason, stopText: stops.found, parts: last, promptTokens: request.prompt.count, cachedTokens: cachedTokens,
      completionTokens: tokens.count - request.prompt.count, reasoningTokens: reasoningTokens,
      prefillSeconds: seconds(from: startTime, to: firstTokenTime),
      decodeSeconds: seconds(from: firstTokenTime), drafts: drafter?.counts)
    events.yield(.finished(summary))
    events.finish()
  }

  private func seconds(from start: ContinuousClock.Instant?, to end: ContinuousClock.Instant? = nil) -> Double {
    guard let start else { return 0 }
    return (end ?? .now).secondsSince(start)
  }
}

extension ContinuousClock.Instant {
  func secondsSince(_ start: ContinuousClock.Instant) -> Double { start.duration(to: self) / .seconds(1) }
}
