import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

/// Recipes/reinforce-start.yaml and reinforce-tiny.yaml, as their first lines say.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ReinforcementCommandTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
  private let runner: CommandRunner

  init() throws { runner = try CommandRunner() }

  private func recipe(_ name: String, _ changes: [(String, String)] = []) throws -> String {
    var text = try String(contentsOfFile: Self.root + "/Recipes/\(name).yaml", encoding: .utf8)
    for (from, to) in [("../runs/", runner.folder + "/"), ("\nsteps:", "\ncost: {peak_flops: 1e11}\nsteps:")] + changes {
      #expect(text.contains(from))
      text = text.replacing(from, with: to)
    }
    return try runner.file(name + ".yaml", text)
  }

  private func start(_ changes: [(String, String)] = []) async throws {
    try FileManager.default.createDirectory(atPath: runner.folder + "/reinforce", withIntermediateDirectories: true)
    _ = try await runner.succeed(
      "tasks", "--tasks", "parity", "--export", "1500", "--worked", "--output", "reinforce/chats.jsonl")
    _ = try await runner.succeed(
      "tokenizer", "train", "reinforce/chats.jsonl", "--size", "384", "--whole-texts", "--out", "reinforce/tokenizer.json")
    _ = try await runner.succeed("train", recipe("reinforce-start", changes))
  }

  private func accuracy(_ model: String) async throws -> Double {
    let result = try await runner.succeed(
      "eval", model, "--tasks", "parity", "--problems", "100", "--strict", "--template", "deepseek-v3", "--temperature", "1",
      "--max-tokens", "160", "--json")
    return try #require(result.json["overall"]?["pass@1"]?["value"]?.double, "\(result.output)")
  }

  @Test func tinyRecipeLearns() async throws {
    try await start()
    let before = try await accuracy("reinforce/start/model")
    #expect(before > 0.1)
    let result = try await runner.succeed("train", recipe("reinforce-tiny"), "--json")
    let steps = try result.output.split(separator: "\n").dropLast().map { line in
      try #require(try JSONValue(parsing: Array(line.utf8))["reinforcement"])
    }
    let rewards = steps.compactMap { $0["reward"]?.double }, edge = 5
    let (first, last) = (rewards.prefix(edge).reduce(0, +) / Double(edge), rewards.suffix(edge).reduce(0, +) / Double(edge))
    #expect(last > first + 0.02, "\(rewards)")
    #expect(steps.allSatisfy { $0["first_ratio_deviation"]?.double == 0 })
    #expect(try await accuracy("reinforce/tiny/model") > 0.1)
    #expect(try runner.read("reinforce/tiny/report.md").contains("exactly 1 in all"))
  }

  @Test func killedRunsGoOnWithTheSameBits() async throws {
    try await start([
      ("\nsteps: 60", "\nsteps: 4"), ("checkpoint_interval: 60", "checkpoint_interval: 4"), ("warm_up: 10", "warm_up: 1"),
    ])
    // Noise, but answers of more and of fewer letters.
    let script = "#!/bin/sh\nwhile read -r line; do printf %s \"$line\" | tr -cd e | wc -c; done\n"
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: runner.file("count.sh", script))
    let recipe = try recipe(
      "reinforce-tiny",
      [
        ("max_new_tokens: 160", "max_new_tokens: 24"), ("checkpoint_interval: 10", "checkpoint_interval: 1"),
        ("    accuracy: 1\n    format: 0.5\n", "    command: {run: ./count.sh}\n"), ("samples: 8", "samples: 2"),
      ])
    let whole = try await runner.succeed("train", recipe, "--out", "whole", "--json")
    #expect(whole.output.split(separator: "\n").dropLast().allSatisfy { $0.contains(#""updates":1"#) })
    var isFinished = false
    for attempt in 0..<40 where !isFinished {
      let process = try runner.process(["train", recipe, "--out", "killed", "--threads", attempt % 2 == 0 ? "1" : "2"])
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      for _ in 0..<(20 + 6 * attempt) where process.isRunning { try await Task.sleep(for: .milliseconds(25)) }
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
      process.waitUntilExit()
      isFinished = process.terminationReason == .exit && process.terminationStatus == 0
    }
    #expect(isFinished)
    #expect(try runner.data("killed/model/model.safetensors") == runner.data("whole/model/model.safetensors"))
  }
}
