import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

/// `--json-schema` and `--json-object` with a tiny random model.
@Suite(.timeLimit(.minutes(2))) struct StructuredTests {
  private let runner: CommandRunner
  private let model: String
  private static let schema =
    #"{"type":"object","properties":{"a":{"enum":["x","y"]},"n":{"type":"integer"}},"required":["a","n"],"additionalProperties":false}"#

  init() throws {
    runner = try CommandRunner()
    model = try TinyModels.chat(in: runner.folder)
  }

  private func run(_ arguments: String...) async throws -> CommandResult {
    try await runner.run(["run", model, "Hi", "--temperature", "2", "--max-tokens", "60"] + arguments)
  }

  @Test func answersKeepToASchema() async throws {
    let file = runner.folder + "/schema.json"
    try Data(Self.schema.utf8).write(to: URL(fileURLWithPath: file))
    for schema in [Self.schema, file] {
      let value = try await run("--json-schema", schema).json
      #expect(["x", "y"].contains(value["a"]?.string ?? "") && value["n"]?.double != nil, "\(value)")
    }
    let object = try await run("--json-object", "--json").json
    #expect(try JSONValue(parsing: object["text"]?.string ?? "").members != nil && object["finish_reason"]?.string == "stop")
  }

  @Test func aBatchKeepsToItToo() async throws {
    let input = runner.folder + "/in.jsonl", output = runner.folder + "/out.jsonl"
    try Data("{\"prompt\": \"a\"}\n{\"prompt\": \"b\", \"max_tokens\": 2}\n".utf8).write(to: URL(fileURLWithPath: input))
    let result = try await runner.run(
      ["run", model, "--batch", input, "--output", output, "--json-schema", Self.schema, "--max-tokens", "60"])
    #expect(result.status == 0, "\(result.errors)")
    let rows = try String(contentsOfFile: output, encoding: .utf8).split(separator: "\n").map {
      try JSONValue(parsing: String($0))
    }
    #expect(try JSONValue(parsing: rows[0]["text"]?.string ?? "")["a"]?.string != nil)
    #expect(rows[1]["error"]?.string?.contains("may have 2 tokens") == true)
  }

  @Test func whatCannotBeKeptIsNamed() async throws {
    for (arguments, text) in [
      (["--json-schema", #"{"not":{}}"#], "#/not"), (["--json-schema", "{"], "is no JSON"),
      (["--json-schema", runner.folder + "/none.json"], "none.json"),
      (["--json-schema", "true"], "--json-schema: true: cannot be opened"),
      (["--json-schema", Self.schema, "--json-object"], "exclude"),
      (["--json-object", "--suffix", "x"], "--suffix"), (["--json-schema", #"{"enum":[]}"#], "no value"),
      (["--json-schema", Self.schema, "--max-tokens", "3"], "3 tokens"),
    ] {
      let result = try await runner.run(["run", model, "Hi", "--json"] + arguments)
      #expect(result.status != 0 && result.output.isEmpty && result.errors.contains(text), "\(arguments): \(result.errors)")
    }
  }
}
