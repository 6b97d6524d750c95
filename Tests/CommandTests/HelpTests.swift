import SwiftletHub
import Testing

@Suite struct HelpTests {
  static let commands = [
    "run", "chat", "serve", "pull", "list", "show", "rm", "cache", "keys", "usage", "tokenize", "tokenizer", "data", "convert",
    "merge", "logits", "perplexity", "bench", "plan", "train", "tasks", "eval", "distill",
  ]

  @Test(arguments: [""] + commands) func everyHelpHasAnExampleAndTheEnvironment(command: String) async throws {
    let arguments = (command.isEmpty ? [] : [command]) + ["--help"]
    let result = try await CommandRunner().run(arguments, environment: ["COLUMNS": "80"])
    #expect(result.status == 0)
    #expect(result.output.contains("EXAMPLE"))
    #expect(result.output.contains("\nENVIRONMENT\n"))
    // The usage line is the argument parser's own.
    let discussion = result.output.split(separator: "\nUSAGE:")[0]
    for line in discussion.split(separator: "\n") { #expect(line.count <= 80) }
    let listing = discussion.split(separator: "ENVIRONMENT\n").last ?? ""
    for line in listing.split(separator: "\n") { #expect(line.hasPrefix("  "), "wrapped: \(line)") }
  }

  @Test func theMainHelpNamesEveryAliasAndCommand() async throws {
    let result = try await CommandRunner().run(["--help"])
    for word in Self.commands + [
      "deepseek-r1:1.5b", "deepseek-r1:7b", "deepseek-r1:8b", "deepseek-r1:14b", "deepseek-r1:32b", "smollm2",
    ] + (EmbeddedModel.isPresent ? [EmbeddedModel.alias] : []) {
      #expect(result.output.contains("\n  \(word) "))
    }
  }

  @Test func theVersionIsPrinted() async throws {
    let result = try await CommandRunner().run(["--version"])
    #expect(result.status == 0)
    #expect(result.output.contains("."))
  }
}
