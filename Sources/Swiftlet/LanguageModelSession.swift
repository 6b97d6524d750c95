internal import Foundation
public import SwiftletConstraints
public import SwiftletGeneration
internal import Synchronization

/// A conversation with a model. Its shape follows the session of Apple's Foundation Models framework.
public final class LanguageModelSession: Sendable {
  public let model: LanguageModel
  private let state: Mutex<State>

  private struct State {
    var transcript: Transcript
    var turnCount = 0
    /// The number of the turn in progress, which alone may end itself.
    var turn: Int?
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

  /// The conversation so far. It has a turn once the turn has ended.
  public var transcript: Transcript { state.withLock { $0.transcript } }

  /// Whether an answer is being made.
  public var isResponding: Bool { state.withLock { $0.turn != nil } }

  /// Answers a prompt.
  /// - Parameter options: nil for what the model's files advise.
  /// - Throws: `LanguageModelError`, `GenerationError` or `TemplateError`, or `CancellationError` when the task is cancelled; the
  ///   transcript then is as before.
  public func respond(to prompt: String, options: GenerationOptions? = nil) async throws -> Completion {
    try await stream(prompt, options, keepsPartialAnswer: false).collect()
  }

  /// Answers a prompt with a JSON value of a schema, behind the model's thought. The prompt should say what is asked for: the model
  /// is not told of the schema, only kept to it.
  /// - Throws: also `GenerationError.limitTooSmall` when no value of the schema fits into the tokens there are.
  public func respond(
    to prompt: String, schema: JSONSchema, options: GenerationOptions? = nil
  ) async throws -> Completion {
    var options = options ?? model.loaded.advisedOptions
    options.constraint = .schema(schema)
    return try await respond(to: prompt, options: options)
  }

  /// Answers a prompt with a value that is read from JSON of a schema.
  /// - Throws: also `DecodingError` when the type is not what the schema describes, or a stop text cut the answer.
  public func respond<Value: Decodable>(
    to prompt: String, schema: JSONSchema, as type: Value.Type, options: GenerationOptions? = nil
  ) async throws -> Value {
    let content = try await respond(to: prompt, schema: schema, options: options).content
    return try JSONDecoder().decode(type, from: Data(content.utf8))
  }

  /// Answers a prompt several times at once; the answer that is chosen becomes part of the conversation.
  /// - Throws: as `respond(to:options:)`.
  public func respond(
    to prompt: String, samples: Int, choosing choice: AnswerChoice = .vote, options: GenerationOptions? = nil
  ) async throws -> SampledAnswers {
    guard let turn = begin() else { throw LanguageModelError.sessionIsResponding }
    do {
      var asked = transcript
      asked.entries.append(.prompt(prompt))
      let answers = try await model.sample(.messages(asked.messages), count: samples, choosing: choice, options: options)
      let best = answers.best
      end(turn: turn, entries: [.prompt(prompt), .response(content: best.content, reasoning: best.reasoning)])
      return answers
    } catch {
      end(turn: turn, entries: [])
      throw error
    }
  }

  /// Answers a prompt; every element is the whole answer so far, the last one has a summary.
  ///
  /// Leaving the loop over the stream, or cancelling its task, ends the answer at the next token, and what came stays in the
  /// transcript, unless nothing had come. Errors are thrown by the loop; the transcript then is as before.
  public func streamResponse(to prompt: String, options: GenerationOptions? = nil) -> ResponseStream {
    stream(prompt, options, keepsPartialAnswer: true)
  }

  private func stream(_ prompt: String, _ options: GenerationOptions?, keepsPartialAnswer: Bool) -> ResponseStream {
    let options = options ?? model.loaded.advisedOptions
    return ResponseStream(
      turn: Turn(session: self, number: begin(), prompt: prompt, options: options, keepsPartialAnswer: keepsPartialAnswer))
  }

  /// Starts a turn and gives it a number; nil while another one is in progress.
  private func begin() -> Int? {
    state.withLock { state in
      guard state.turn == nil else { return nil }
      state.turnCount += 1
      state.turn = state.turnCount
      return state.turn
    }
  }

  /// Ends a turn, whose entries become part of the conversation. One that is not in progress changes nothing.
  func end(turn: Int, entries: [Transcript.Entry]) {
    state.withLock { state in
      guard state.turn == turn else { return }
      state.turn = nil
      state.transcript.entries += entries
    }
  }
}
