import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct BatchTests {
  private let runner: CommandRunner

  init() throws { runner = try CommandRunner() }

  private static let rows = """
    {"prompt":"the end","temperature":0,"max_tokens":12}
    {"prompt":"another","temperature":1.1,"seed":5,"max_tokens":20,"id":"kept out"}
    {"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes"},{"role":"user","content":"Go"}],"max_tokens":6}
    {"prompt":"stopped","stop":["e"],"top_k":5,"min_p":0.1,"max_tokens":16}
    {"prompt":"biased","logit_bias":{"97":1000},"max_tokens":3}
    {"prompt":"last","max_tokens":9,"seed":2}

    """

  /// The rows of an output file without their speeds.
  private func answers(_ name: String) throws -> [[String]] {
    try runner.read(name).split(separator: "\n").map { line in
      (try JSONValue(parsing: Array(line.utf8)).members ?? []).filter { !$0.key.hasSuffix("_per_second") }
        .map { "\($0.key)=\($0.value.serialized())" }
    }
  }

  private func run(_ model: String, _ output: String, parallel: Int) async throws -> CommandResult {
    try await runner.succeed(
      "run", model, "--batch", "in.jsonl", "--output", output, "--parallel", String(parallel), "--seed", "3")
  }

  @Test func rowsAreAnsweredInOrderHoweverManyAtOnce() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    _ = try runner.file("in.jsonl", Self.rows)
    let first = try await run(model, "one.jsonl", parallel: 1)
    #expect(first.output.isEmpty && !first.errors.contains("failed"))
    _ = try await run(model, "four.jsonl", parallel: 4)
    let one = try answers("one.jsonl")
    #expect(one.count == 6)
    #expect(one == (try answers("four.jsonl")))
    for line in try runner.read("one.jsonl").split(separator: "\n") {
      let keys = try (JSONValue(parsing: Array(line.utf8)).members ?? []).map(\.key)
      #expect(
        keys == [
          "text", "reasoning", "ids", "prompt_tokens", "completion_tokens", "finish_reason", "prefill_tokens_per_second",
          "decode_tokens_per_second",
        ])
    }
    #expect(one[4][0] == #"text="aaa""#)
    // A row's answer is the one that `run` gives.
    let alone = try await runner.succeed("run", model, "last", "--max-tokens", "9", "--seed", "2", "--json").json
    #expect(one[5][2] == "ids=\(alone["ids"]?.serialized() ?? "")")
  }

  @Test func anInterruptedBatchResumes() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    _ = try runner.file("in.jsonl", Self.rows)
    _ = try await run(model, "whole.jsonl", parallel: 2)
    // Two rows and a torn one, as a process that was killed leaves them.
    let lines = try runner.read("whole.jsonl").split(separator: "\n", omittingEmptySubsequences: false)
    _ = try runner.file("torn.jsonl", lines[..<2].joined(separator: "\n") + "\n" + lines[2].prefix(20))
    let resumed = try await run(model, "torn.jsonl", parallel: 2)
    #expect(resumed.errors.contains("2 of 6"))
    #expect(try answers("torn.jsonl") == (try answers("whole.jsonl")))
    #expect(try runner.read("torn.jsonl").hasPrefix(lines[..<2].joined(separator: "\n")))
    // A finished one is left as it is.
    let before = try runner.read("torn.jsonl")
    _ = try await run(model, "torn.jsonl", parallel: 2)
    #expect(try runner.read("torn.jsonl") == before)
  }

  @Test func badRowsYieldErrorsAndTheRestGoesOn() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    _ = try runner.file(
      "in.jsonl",
      """
      {"prompt":"good","max_tokens":2}
      not JSON
      [1]
      {"temperature":0}
      {"prompt":"x","temperature":-1}
      {"prompt":"x","top_p":"high"}
      {"prompt":"x","max_tokens":0}
      {"prompt":"x","logit_bias":{"100000":1}}
      {"prompt":"\(String(repeating: "long ", count: 400))"}
      {"prompt":"good","max_tokens":2}

      """)
    let result = try await run(model, "out.jsonl", parallel: 3)
    #expect(result.errors.contains("rows that failed: 8; in out.jsonl"), "\(result.errors)")
    let rows = try answers("out.jsonl")
    #expect(rows.count == 10)
    for index in 1...8 { #expect(rows[index].count == 1 && rows[index][0].hasPrefix("error="), "\(rows[index])") }
    #expect(rows[0] == rows[9])
    #expect(rows[4][0].contains("temperature") && rows[5][0].contains("top_p") && rows[8][0].contains("context"))
  }

  @Test func anOutputOfOtherRowsIsRefused() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    _ = try runner.file("in.jsonl", "{\"prompt\":\"x\"}\n")
    for other in [
      "{}\n{}\n", "{\"text\":\"\"}\n{\"text\":\"\"}\n", "notes", "one\ntwo\nthree", "{\"text\":\"\"}\nnotes",
      "{\"name\":\"precious\"}",
      "{\"text\":\"a row of a data set\"}",
    ] {
      _ = try runner.file("out.jsonl", other)
      let result = try await runner.run(["run", model, "--batch", "in.jsonl", "--output", "out.jsonl"])
      #expect(result.status == 1)
      #expect(result.errors.contains("out.jsonl"))
      #expect(try runner.read("out.jsonl") == other)
    }
  }

  @Test func aFileWithoutRowsIsRefused() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    for text in ["", "\n \r\n"] {
      _ = try runner.file("in.jsonl", text)
      let result = try await runner.run(["run", model, "--batch", "in.jsonl", "--output", "out.jsonl"])
      #expect(result.status == 1 && result.errors.contains("in.jsonl: has no rows"), "\(result.errors)")
      #expect(!FileManager.default.fileExists(atPath: runner.folder + "/out.jsonl"))
    }
  }

  @Test func theInputIsNoOutput() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    let row = #"{"error":"x"}"#
    _ = try runner.file("in.jsonl", row)
    try FileManager.default.createSymbolicLink(atPath: runner.folder + "/out.jsonl", withDestinationPath: "in.jsonl")
    let result = try await runner.run(["run", model, "--batch", "in.jsonl", "--output", "out.jsonl"])
    #expect(result.status == 1 && result.errors.contains("the input too"))
    #expect(try runner.read("in.jsonl") == row)
  }

  @Test(arguments: [["--raw"], ["--system", "Be brief."]]) func rowsHaveNoPlaceForThem(option: [String]) async throws {
    _ = try runner.file("in.jsonl", #"{"prompt":"x"}"#)
    let result = try await runner.run(["run", "m", "--batch", "in.jsonl", "--output", "out.jsonl"] + option)
    #expect(result.status == 64 && result.errors.contains("excludes --raw and --system"), "\(result.errors)")
  }

  @Test func aForeignJournalIsLeftAlone() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    _ = try runner.file("in.jsonl", #"{"prompt":"x"}"#)
    for text in ["notes", "notes\n"] {
      _ = try runner.file("out.jsonl.journal", text)
      let result = try await runner.run(["run", model, "--batch", "in.jsonl", "--output", "out.jsonl"])
      #expect(result.status == 1 && result.errors.contains("no journal"))
      #expect(try runner.read("out.jsonl.journal") == text)
    }
  }

  @Test func nullsAreLeftOut() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    _ = try runner.file(
      "in.jsonl",
      "{\"prompt\":\"x\",\"stop\":null,\"temperature\":null,\"max_tokens\":2}\n\r\n{\"prompt\":\"x\",\"logit_bias\":[1]}\n")
    _ = try await run(model, "out.jsonl", parallel: 1)
    let rows = try answers("out.jsonl")
    #expect(rows.count == 2)
    #expect(rows[0].first?.hasPrefix("text=") == true)
    #expect(rows[1][0].contains("logit_bias"))
  }
}
