internal import Foundation
public import SwiftletConstraints
public import SwiftletModels
public import SwiftletTensors
public import SwiftletTokenization
internal import Synchronization

/// Runs a model for any number of requests at once, on one thread of its own and the workers of its pool.
///
/// Requests join and leave at token boundaries. Prompts are computed in chunks; between two chunks every answer in progress
/// advances by one token. What is generated does not depend on who else is being served.
public final class Engine: Sendable {
  public let decoder: Decoder
  /// Positions a sequence may have.
  public let contextLength: Int
  private let tokenizer: Tokenizer?
  private let grammars: GrammarCache?
  private let inbox = Inbox()
  private let limits: EngineLimits
  private let counters = EngineCounters()
  private let prefixes: DiskPrefixes?

  /// - Parameters:
  ///   - tokenizer: turns tokens into text; without one, events carry ids alone.
  ///   - contextLength: at most the model's own; nil for that.
  ///   - endTokens: tokens that end an answer.
  ///   - limits: how many requests are served at once, and what they may take together.
  ///   - prefixes: what keeps prompts' beginnings on disk.
  ///   - identity: tells the decoder's files from others, there.
  public init(
    decoder: Decoder, tokenizer: Tokenizer?, endTokens: Set<Int32>, threadCount: Int, contextLength: Int? = nil,
    limits: EngineLimits = EngineLimits(), kernels: Kernels = .best, prefixes store: PrefixStore? = nil, identity: String = ""
  ) {
    self.decoder = decoder
    self.tokenizer = tokenizer
    grammars = tokenizer.map { GrammarCache($0, ends: endTokens) }
    self.limits = limits
    self.contextLength = min(contextLength ?? decoder.configuration.contextLength, decoder.configuration.contextLength)
    prefixes = store.map { DiskPrefixes($0, model: identity, kernels: kernels, sharesPrefixes: limits.sharesPrefixes) }
    let thread = Thread { [decoder, inbox, counters, prefixes, contextLength = self.contextLength] in
      let loop = EngineLoop(
        decoder: decoder, tokenizer: tokenizer, endTokens: endTokens, contextLength: contextLength,
        limits: limits, compute: Compute(threadCount: threadCount, kernels: kernels), inbox: inbox, counters: counters,
        prefixes: prefixes)
      loop.run()
    }
    thread.name = "swiftlet-engine"
    thread.stackSize = 8 << 20
    thread.start()
  }

  deinit { inbox.stop() }

  /// What the engine has to do at the moment.
  public var load: EngineLoad { counters.load }

  /// What keeps prompts' beginnings on disk; several engines may have the same.
  public var prefixStore: PrefixStore? { prefixes?.store }

  /// Waits until what answers that have ended leave is on disk; of answers in progress nothing is.
  public func finishPrefixes() async {
    guard let prefixes else { return }
    // An answer's last event comes a moment before its cache is let go.
    for _ in 0..<100 where load.active > 0 { try? await Task.sleep(for: .milliseconds(10)) }
    prefixes.store.flush()
  }

  /// Starts a request. Its events come in order; a consumer that goes away ends it at the next token.
  /// - Throws: `GenerationError` when prompt or options cannot be served; while streaming, when the model is broken, or
  ///   `CheckpointError` when a file of its weights was cut or written to while it was in use.
  public func generate(_ request: GenerationRequest) throws(GenerationError) -> GenerationStream {
    let vocabularySize = decoder.configuration.vocabularySize
    try request.options.validate(vocabularySize: vocabularySize)
    guard request.options.drafting != .multiTokenPrediction || decoder.predictsFurtherTokens else {
      throw .invalidOption(
        name: "draft",
        reason: "found mtp, but this checkpoint has no layer that predicts further tokens; choose lookup or none")
    }
    guard !request.prompt.isEmpty else { throw .emptyPrompt }
    guard request.prompt.count <= contextLength else {
      throw .promptTooLong(tokens: request.prompt.count, contextLength: contextLength)
    }
    if let outside = request.prompt.first(where: { !(0..<vocabularySize).contains(Int($0)) }) {
      throw .tokenOutOfRange(id: Int(outside), vocabularySize: vocabularySize)
    }
    let constraint = try constraint(of: request)
    let cacheBytes = try cacheBytes(of: request)
    try counters.enqueue(limits)
    let (stream, continuation) = AsyncThrowingStream.makeStream(of: GenerationEvent.self)
    let submission = Submission(request: request, constraint: constraint, cacheBytes: cacheBytes, events: continuation)
    continuation.onTermination = { reason in
      if case .cancelled = reason { submission.isCancelled.store(true, ordering: .relaxed) }
    }
    inbox.add(submission)
    return GenerationStream(engine: self, submission: submission, events: stream)
  }

  /// Makes a constraint ready, which takes a moment when none of the last requests had it. `generate` does the same; this is for
  /// callers that must not wait there.
  /// - Throws: `GenerationError.constraintRefused` when no answer can keep to it, or the model has no tokenizer.
  public func prepare(_ constraint: Grammar) throws(GenerationError) {
    _ = try prepared(constraint)
  }

  private func prepared(_ constraint: Grammar) throws(GenerationError) -> PreparedConstraint {
    guard let grammars else {
      throw .invalidOption(name: "constraint", reason: "this model has no tokenizer; put tokenizer.json beside the weights")
    }
    do throws(ConstraintError) { return try grammars.prepare(constraint) } catch { throw .constraintRefused(error) }
  }

  /// The constraint of a request, made ready; nil for none.
  /// - Throws: `GenerationError.limitTooSmall` when no answer that keeps to it can be as short as it must be.
  private func constraint(of request: GenerationRequest) throws(GenerationError) -> PreparedConstraint? {
    guard let constraint = request.options.constraint else { return nil }
    let prepared = try prepared(constraint)
    let tokens = request.maximumAnswerTokens(contextLength: contextLength)
    let needed = prepared.leastTokens(opensThought: request.startsInThought)
    guard needed <= tokens else { throw .limitTooSmall(tokens: tokens, needed: needed) }
    return prepared
  }

  /// The most that a request's cache takes.
  /// - Throws: `GenerationError.cacheTooSmall` when that is never free.
  private func cacheBytes(of request: GenerationRequest) throws(GenerationError) -> Int {
    let rest = contextLength - request.prompt.count
    let positions = request.prompt.count + min(rest, request.options.maximumResponseTokens ?? rest)
    let bytes = decoder.cacheBytes(positions: positions)
    if let allowed = limits.cacheBytes, bytes > allowed {
      throw .cacheTooSmall(tokens: positions, bytes: bytes, allowed: allowed)
    }
    return bytes
  }
}

/// A request as it is handed to the engine's thread.
final class Submission: Sendable {
  let request: GenerationRequest
  let constraint: PreparedConstraint?
  /// The most that its cache takes.
  let cacheBytes: Int
  let events: AsyncThrowingStream<GenerationEvent, any Error>.Continuation
  let isCancelled = Atomic<Bool>(false)

  init(
    request: GenerationRequest, constraint: PreparedConstraint?, cacheBytes: Int,
    events: AsyncThrowingStream<GenerationEvent, any Error>.Continuation
  ) {
    self.request = request
    self.constraint = constraint
    self.cacheBytes = cacheBytes
    self.events = events
  }
}

/// Hands submissions to the engine's thread, which sleeps while there are none.
///
/// `@unchecked Sendable`: `waiting` and `isStopped` are read and written only while the condition's lock is held.
final class Inbox: @unchecked Sendable {
  private let condition = NSCondition()
  private var waiting: [Submission] = []
  private var isStopped = false

  func add(_ submission: Submission) {
    condition.withLock {
      waiting.append(submission)
      condition.signal()
    }
  }

  func stop() {
    condition.withLock {
      isStopped = true
      condition.signal()
    }
  }

  /// What is left when the engine stops.
  func drain() -> [Submission] {
    condition.withLock {
      defer { waiting = [] }
      return waiting
    }
  }

  /// All submissions so far; sleeps until there is one when asked to. nil once stopped.
  func take(sleeping: Bool) -> [Submission]? {
    condition.withLock {
      while sleeping, waiting.isEmpty, !isStopped { condition.wait() }
      if isStopped { return nil }
      defer { waiting = [] }
      return waiting
    }
  }
}
