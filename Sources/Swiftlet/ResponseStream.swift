public import SwiftletGeneration
internal import Synchronization

/// An answer as it is made: every element is the whole of it so far. It is iterated once.
public struct ResponseStream: AsyncSequence, Sendable {
  public typealias Element = Completion
  let turn: Turn

  public func makeAsyncIterator() -> Iterator { Iterator(turn: turn) }

  /// The whole answer.
  /// - Throws: `CancellationError` when the task is cancelled before the answer has ended, else what the loop throws.
  public func collect() async throws -> Completion {
    var latest: Completion?
    for try await snapshot in self { latest = snapshot }
    guard let latest, latest.summary != nil else { throw CancellationError() }
    return latest
  }

  public struct Iterator: AsyncIteratorProtocol {
    private let turn: Turn
    private let lease: Lease
    private var events: GenerationStream.Iterator?
    private var response = Completion()

    init(turn: Turn) {
      self.turn = turn
      lease = Lease(turn: turn)
    }

    public mutating func next() async throws -> Completion? {
      defer { withExtendedLifetime(lease) {} }
      if response.summary != nil { return nil }
      do {
        if events == nil { events = try await turn.start().makeAsyncIterator() }
        guard var events else { return nil }
        let event = try await events.next()
        self.events = events
        guard let event else {
          // The task was cancelled.
          turn.end(with: response)
          return nil
        }
        response.add(event)
        if response.summary == nil { turn.note(response) } else { turn.end(with: response) }
        return response
      } catch {
        turn.fail()
        throw error
      }
    }
  }

  /// Ends the turn when the iterator goes, even where the stream itself is kept in a variable.
  private final class Lease: Sendable {
    private let turn: Turn

    init(turn: Turn) { self.turn = turn }

    deinit { turn.leave() }
  }
}

/// A prompt of a session and its answer.
final class Turn: Sendable {
  private let session: LanguageModelSession
  /// nil: another turn was in progress.
  private let number: Int?
  private let prompt: String
  private let options: GenerationOptions
  /// Whether an answer that was left early stays in the conversation.
  private let keepsPartialAnswer: Bool
  private let latest = Mutex(Completion())

  init(session: LanguageModelSession, number: Int?, prompt: String, options: GenerationOptions, keepsPartialAnswer: Bool) {
    self.session = session
    self.number = number
    self.prompt = prompt
    self.options = options
    self.keepsPartialAnswer = keepsPartialAnswer
  }

  deinit { leave() }

  /// Sends the conversation to the engine.
  func start() async throws -> GenerationStream {
    let model = session.model
    guard number != nil else { throw LanguageModelError.sessionIsResponding }
    guard let tokenizer = model.loaded.tokenizer else { throw LanguageModelError.noTokenizer(path: model.loaded.path) }
    guard let chatPrompt = model.chatPrompt else { throw LanguageModelError.noChatTemplate(path: model.loaded.path) }
    var transcript = session.transcript
    transcript.entries.append(.prompt(prompt))
    let rendered = try chatPrompt.render(transcript.messages, extra: options.thinking.templateVariables)
    return try await model.generate(GenerationRequest(renderedPrompt: rendered, tokenizer: tokenizer, options: options))
  }

  func note(_ response: Completion) { latest.withLock { $0 = response } }

  /// The consumer left.
  func leave() { end(with: latest.withLock { $0 }) }

  func end(with response: Completion) {
    let isKept = response.summary != nil || keepsPartialAnswer && !response.tokens.isEmpty
    let answer = Transcript.Entry.response(content: response.content, reasoning: response.reasoning)
    end(entries: isKept ? [.prompt(prompt), answer] : [])
  }

  func fail() { end(entries: []) }

  private func end(entries: [Transcript.Entry]) {
    if let number { session.end(turn: number, entries: entries) }
  }
}
