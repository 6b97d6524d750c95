public import SwiftletGeneration
internal import Synchronization

/// A conversation with a model. Its shape follows the session of Apple's Foundation Models framework.
public final class LanguageModelSession: Sendable {
  public let model: LanguageModel
  private let state: Mutex<State>

  private struct State {
    var transcript: Transcript
    var isResponding = false
  }

  /// - Parameter instructions: what the model is told before all else, where its template has a place for it.
  public convenience init(model: LanguageModel, instructions: String? = nil) {
    self.init(model: model, transcript: Transcript(entries: instructions.map { [.instructions($0)] } ?? []))
  }

  /// Goes on with an earlier conversation.
  public init(model: LanguageModel, transcript: Transcript) {
    self.model = model
    state = Mutex(State(transcript: transcript))
  }

  /// The conversation so far.
  public var transcript: Transcript { state.withLock { $0.transcript } }

  /// Whether an answer is being made.
  public var isResponding: Bool { state.withLock { $0.isResponding } }

  /// Answers a prompt.
  /// - Throws: `LanguageModelError`, `GenerationError` or `TemplateError`; the transcript then is as before.
  public func respond(to prompt: String, options: GenerationOptions = GenerationOptions()) async throws -> Completion {
    var response: Completion?
    for try await snapshot in streamResponse(to: prompt, options: options) { response = snapshot }
    guard let response else { throw CancellationError() }
    return response
  }

  /// Answers a prompt; every element is the whole answer so far, the last one has a summary.
  ///
  /// Ending the iteration ends the answer at the next token, and what came stays in the transcript.
  public func streamResponse(
    to prompt: String, options: GenerationOptions = GenerationOptions()
  ) -> AsyncThrowingStream<Completion, any Error> {
    let (stream, continuation) = AsyncThrowingStream.makeStream(of: Completion.self)
    let task = Task {
      do {
        try await answer(prompt, options) { continuation.yield($0) }
        continuation.finish()
      } catch {
        continuation.finish(throwing: error)
      }
    }
    continuation.onTermination = { _ in task.cancel() }
    return stream
  }

  private func answer(_ prompt: String, _ options: GenerationOptions, _ yield: (Completion) -> Void) async throws {
    guard let tokenizer = model.loaded.tokenizer else { throw LanguageModelError.noTokenizer(path: model.loaded.path) }
    guard let chatPrompt = model.chatPrompt else { throw LanguageModelError.noChatTemplate(path: model.loaded.path) }
    var transcript = try state.withLock { state in
      guard !state.isResponding else { throw LanguageModelError.sessionIsResponding }
      state.isResponding = true
      return state.transcript
    }
    defer { state.withLock { $0.isResponding = false } }
    transcript.entries.append(.prompt(prompt))
    let rendered = try chatPrompt.render(transcript.messages)
    var response = Completion()
    let request = GenerationRequest(renderedPrompt: rendered, tokenizer: tokenizer, options: options)
    for try await event in try model.engine.generate(request) {
      response.add(event)
      yield(response)
    }
    transcript.entries.append(.response(content: response.content, reasoning: response.reasoning))
    state.withLock { [transcript] in $0.transcript = transcript }
  }
}
