import Foundation
import Swiftlet
import SwiftletTestSupport
import Testing

/// Conversations with a tiny random model that answers until the context is full.
@Suite struct SessionTests {
  private let folder: TemporaryFolder
  private let session: LanguageModelSession
  private static let long = GenerationOptions(temperature: 1, ignoresEnd: true)
  private static let short = GenerationOptions(temperature: 1, maximumResponseTokens: 5, ignoresEnd: true)

  init() throws {
    folder = try TemporaryFolder()
    session = LanguageModelSession(
      model: try LanguageModel(path: TinyModels.chat(in: folder.path), threadCount: 1), instructions: "Be brief.")
  }

  @Test func turnsBecomeTheTranscript() async throws {
    let first = try await session.respond(to: "Hi", options: Self.short)
    #expect(first.summary?.finishReason == .length && first.tokens.count == 5)
    let second = try await session.streamResponse(to: "And?", options: Self.short).collect()
    #expect(
      session.transcript.entries == [
        .instructions("Be brief."), .prompt("Hi"), .response(content: first.content, reasoning: ""), .prompt("And?"),
        .response(content: second.content, reasoning: ""),
      ])
    #expect(!session.isResponding)
  }

  /// With the last snapshot the turn is over: the next one may begin inside the loop.
  @Test func theLastSnapshotEndsTheTurn() async throws {
    for try await snapshot in session.streamResponse(to: "Hi", options: Self.short) {
      #expect(session.isResponding == (snapshot.summary == nil))
      if snapshot.summary != nil {
        #expect(session.transcript.entries.count == 3)
        _ = try await session.respond(to: "And?", options: Self.short)
      }
    }
    #expect(session.transcript.entries.count == 5)
  }

  @Test func oneTurnAtATime() async throws {
    let stream = session.streamResponse(to: "Hi", options: Self.short)
    #expect(session.isResponding)
    await #expect(throws: LanguageModelError.sessionIsResponding) { try await session.respond(to: "Me too", options: Self.short) }
    #expect(session.isResponding)
    _ = try await stream.collect()
    #expect(session.transcript.entries.count == 3)
  }

  /// Leaving the loop ends the turn at once, also where the stream is kept; what came stays.
  @Test func leavingTheLoopEndsTheTurn() async throws {
    let stream = session.streamResponse(to: "Hi", options: Self.long)
    var last = Completion()
    for try await snapshot in stream {
      last = snapshot
      if snapshot.tokens.count == 3 { break }
    }
    #expect(!session.isResponding)
    #expect(session.transcript.entries.last == .response(content: last.content, reasoning: ""))
    _ = try await session.respond(to: "Next", options: Self.short)
    withExtendedLifetime(stream) {}
  }

  @Test func aStreamNobodyReadsEndsItsTurn() async throws {
    _ = session.streamResponse(to: "Hi", options: Self.long)
    #expect(!session.isResponding)
    #expect(session.transcript.entries.count == 1)
  }

  @Test func aCancelledAnswerIsNoAnswer() async throws {
    let session = session
    let task = Task { try await session.respond(to: "Hi", options: Self.long) }
    while !session.isResponding { await Task.yield() }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(session.transcript.entries == [.instructions("Be brief.")])
    #expect(!session.isResponding)
  }

  @Test func errorsLeaveTheTranscript() async throws {
    await #expect(throws: GenerationError.self) {
      try await session.respond(to: "Hi", options: GenerationOptions(temperature: -1))
    }
    do {
      _ = try await session.respond(to: String(repeating: "long ", count: 5000))
      Issue.record("no error")
    } catch GenerationError.promptTooLong(_, let contextLength) {
      #expect(contextLength == session.model.engine.contextLength)
    }
    #expect(session.transcript.entries.count == 1 && !session.isResponding)
  }
}
