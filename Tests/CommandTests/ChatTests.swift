import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

/// The chat with piped input.
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
    let result = try await chat(
      """
      /set max_tokens 1
      Hi
      /set temperature warm
      /set top_k 3
      /set nothing 1
      /set verbose maybe
      /set best_by chance
      /nonsense
      /save talk.json
      /clear
      /load talk.json
      /show
      /help
      /bye
      not answered
      """
    )
    // Answers stand alone on standard output.
    #expect(result.output == "a\n")
    let output = result.errors
    #expect(output.contains("temperature: found 'warm', expected a number."))
    #expect(output.contains("There is no setting 'nothing'"))
    #expect(output.contains("verbose: found 'maybe', expected on or off."))
    #expect(output.contains("best_by: found 'chance', expected vote or likelihood."))
    #expect(output.contains("There is no command /nonsense"))
    #expect(output.contains("2 messages."))
    #expect(output.contains("max_tokens          1\n") && output.contains("top_k               3\n"))
    let saved = try JSONValue(parsing: Array(runner.read("talk.json").utf8))
    #expect(saved.elements?.compactMap { $0["role"]?.string } == ["user", "assistant"])
  }

  @Test func messagesOfSeveralLinesAreNoCommands() async throws {
    let result = try await chat("\"\"\"/etc/hosts\nis a file\"\"\"\n/save talk.json\n\"\"\"cut\n")
    #expect(result.output == "aaa\naaa\n" && !result.errors.contains("no command"))
    let saved = try JSONValue(parsing: Array(runner.read("talk.json").utf8))
    #expect(saved.elements?.first?["content"]?.string == "/etc/hosts\nis a file")
  }

  @Test func settingsChangeAndReturn() async throws {
    let input = """
      Hi
      /set system Be brief.
      /save first.json
      /set max_tokens none
      /set stop aa
      /set frequency_penalty 0.5
      /set presence_penalty 0.25
      /show
      /set stop none
      /set system none
      /save second.json
      /load first.json
      /clear
      /save third.json
      /set max_tokens 2
      /show
      /load none.json
      """
    let errors = try await chat(input).errors
    func roles(_ file: String) throws -> [String]? {
      try JSONValue(parsing: Array(runner.read(file).utf8)).elements?.compactMap { $0["role"]?.string }
    }
    #expect(try roles("first.json") == ["system", "user", "assistant"])
    #expect(try roles("second.json") == ["user", "assistant"])
    #expect(try roles("third.json") == ["system"])
    for row in ["max_tokens          none", "stop                aa", "frequency_penalty   0.5", "presence_penalty    0.25"] {
      #expect(errors.contains(row + "\n"), "\(row)")
    }
    #expect(errors.contains("max_tokens          2\nsystem              Be brief.\n"))
    #expect(errors.contains("none.json: cannot be opened: No such file or directory\n"))
  }

  @Test func countsAreNoAnswers() async throws {
    let result = try await chat("Hi\n", Self.forced + ["--verbose"])
    #expect(result.output == "aaa\n" && result.errors.contains("3 generated"))
  }

  /// What follows a message that does not fit is answered.
  @Test func aFullContextIsReported() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    let input = "Hi\n\(String(repeating: "long ", count: 300))\n/clear\nHi\n"
    for flags in [[], ["--json"]] {
      let result = try await runner.run(["chat", model] + Self.forced + flags, input: Array(input.utf8))
      #expect(result.status == 1)
      #expect(result.errors.contains("/clear") && result.errors.contains("--context"))
      let rows = result.output.split(separator: "\n")
      #expect(rows.count == 2 + flags.count)
      #expect(flags.isEmpty ? rows == ["aaa", "aaa"] : rows[1].hasPrefix("{\"error\":"))
    }
  }

  @Test func aModelWithoutATemplateIsRefusedAtOnce() async throws {
    let model = try TinyModels.chat(in: runner.folder, hasTemplate: false)
    let result = try await runner.run(["chat", model], input: Array("Hi\nHi\n".utf8))
    #expect(result.status == 1 && result.output.isEmpty)
    #expect(result.errors.split(separator: "\n").count == 1 && result.errors.contains("no chat template"))
  }
}
