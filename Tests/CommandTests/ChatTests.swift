import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

/// The chat with piped input; what a terminal adds is not covered here.
@Suite(.timeLimit(.minutes(2))) struct ChatTests {
  private let runner: CommandRunner

  init() throws { runner = try CommandRunner() }

  private static let forced = ["--logit-bias", "97=1000", "--max-tokens", "3"]

  private func chat(_ input: String, _ arguments: [String] = forced) async throws -> CommandResult {
    let model = try TinyModels.chat(in: runner.folder)
    let result = try await runner.run(["chat", model] + arguments, input: Array(input.utf8))
    #expect(result.status == 0, "\(result.errors)")
    return result
  }

  @Test func everyLineIsAnsweredUntilTheEndOfInput() async throws {
    #expect(try await chat("Hi\n\n  \nAgain").output == "aaa\naaa\n")
  }

  @Test func noInputIsNoError() async throws { #expect(try await chat("").output.isEmpty) }

  @Test func theConversationGrowsUntilItIsCleared() async throws {
    let result = try await chat("Hi\nHi\n/clear\nHi\n", Self.forced + ["--json"])
    let rows = result.output.split(separator: "\n").filter { $0.hasPrefix("{") }
    let tokens = try rows.map { try JSONValue(parsing: Array($0.utf8))["prompt_tokens"]?.integer ?? 0 }
    #expect(tokens.count == 3)
    #expect(tokens[1] > tokens[0] && tokens[2] == tokens[0])
  }

  @Test func slashCommandsWorkInAPipe() async throws {
    let output = try await chat(
      """
      /set max_tokens 1
      Hi
      /set temperature warm
      /set top_k 3
      /set nothing 1
      /nonsense
      /save talk.json
      /clear
      /load talk.json
      /show
      /help
      /bye
      not answered
      """
    ).output
    #expect(output.hasPrefix("a\n"))
    #expect(output.contains("temperature: found 'warm', expected a number."))
    #expect(output.contains("There is no setting 'nothing 1'"))
    #expect(output.contains("There is no command /nonsense"))
    #expect(output.contains("2 messages."))
    #expect(output.contains("max_tokens    1\n") && output.contains("top_k         3\n"))
    #expect(!output.contains("aa"))
    let saved = try JSONValue(parsing: Array(runner.read("talk.json").utf8))
    #expect(saved.elements?.compactMap { $0["role"]?.string } == ["user", "assistant"])
  }
}
