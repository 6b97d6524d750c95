internal import Foundation
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
  private let inbox = Inbox()

  /// - Parameters:
  ///   - tokenizer: turns tokens into text; without one, events carry ids alone.
  ///   - contextLength: at most the model's own; nil for that.
  ///   - endTokens: tokens that end an answer.
  ///   - maximumSequences: how many requests are served at once; the others wait.
  public init(
    decoder: Decoder, tokenizer: Tokenizer?, endTokens: Set<Int32>, threadCount: Int, contextLength: Int? = nil,
    maximumSequences: Int = 64, kernels: Kernels = .best
  ) {
    self.decoder = decoder
    self.tokenizer = tokenizer
    self.contextLength = min(contextLength ?? decoder.configuration.contextLength, decoder.configuration.contextLength)
    let thread = Thread { [decoder, inbox, contextLength = self.contextLength] in
      let loop = EngineLoop(
        decoder: decoder, tokenizer: tokenizer, endTokens: endTokens, contextLength: contextLength,
        maximumSequences: maximumSequences, compute: Compute(threadCount: threadCount, kernels: kernels), inbox: inbox)
      loop.run()
    }
    thread.name = "swiftlet-engine"
    thread.stackSize = 8 << 20
    thread.start()
  }

  deinit { inbox.stop() }

  /// Starts a request. Its events come in order; a consumer that goes away ends it at the next token.
  /// - Throws: `GenerationError` when prompt or options cannot be served; while streaming, when the model is broken, or
  ///   `CheckpointError` when a file of its weights was cut or written to while it was in use.
  public func generate(_ request: GenerationRequest) throws(GenerationError) -> GenerationStream {
    let vocabularySize = decoder.configuration.vocabularySize
    try request.options.validate(vocabularySize: vocabularySize)
    guard !request.prompt.isEmpty else { throw .emptyPrompt }
    guard request.prompt.count <= contextLength else {
      throw .promptTooLong(tokens: request.prompt.count, contextLength: contextLength)
    }
    if let outside = request.prompt.first(where: { !(0..<vocabularySize).contains(Int($0)) }) {
      throw .tokenOutOfRange(id: Int(outside), vocabularySize: vocabularySize)
    }
    let (stream, continuation) = AsyncThrowingStream.makeStream(of: GenerationEvent.self)
    let submission = Submission(request: request, events: continuation)
    continuation.onTermination = { reason in
      if case .cancelled = reason { submission.isCancelled.store(true, ordering: .relaxed) }
    }
    inbox.add(submission)
    return GenerationStream(engine: self, submission: submission, events: stream)
  }
}

/// A request as it is handed to the engine's thread.
final class Submission: Sendable {
  let request: GenerationRequest
  let events: AsyncThrowingStream<GenerationEvent, any Error>.Continuation
  let isCancelled = Atomic<Bool>(false)

  init(request: GenerationRequest, events: AsyncThrowingStream<GenerationEvent, any Error>.Continuation) {
    self.request = request
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
