import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

/// Recipes/tiny.yaml, whole and in small.
@Suite(.serialized, .timeLimit(.minutes(4))) struct TrainTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
  private let runner: CommandRunner

  init() throws { runner = try CommandRunner() }

  /// Thirty short steps, each with a checkpoint.
  private func smallRecipe() throws -> String {
    var text = try String(contentsOfFile: Self.root + "/Recipes/tiny.yaml", encoding: .utf8)
    for (from, to) in [
      ("../", Self.root + "/"), ("steps: 150", "steps: 30"), ("\nbatch: 16", "\nbatch: 4"), ("micro_batch: 8", "micro_batch: 2"),
      ("checkpoint_interval: 50", "checkpoint_interval: 1"), ("on_failure:", "cost:\n  peak_flops: 1e11\non_failure:"),
    ] {
      #expect(text.contains(from))
      text = text.replacing(from, with: to)
    }
    return try runner.file("small.yaml", text)
  }

  @Test func tinyRecipeLearnsAndItsModelRuns() async throws {
    let result = try await runner.succeed("train", Self.root + "/Recipes/tiny.yaml", "--out", "run", "--json")
    let lines = try result.output.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
    let first = try #require(lines.first?["loss"]?.double), steps = lines.dropLast()
    #expect(steps.count == 150)
    #expect(try #require(steps.last?["loss"]?.double) < first - 2)
    #expect(try #require(steps.last?["held_out_loss"]?.double) < 5)
    #expect(lines.last?["finished"]?.bool == true)
    #expect(try runner.read("run/report.md").contains("H800-hours"))
    let answer = try await runner.succeed("run", "run/model", "The server", "--raw", "--json", "--max-tokens", "8")
    #expect(try answer.json["ids"]?.elements?.isEmpty == false)
  }

  @Test func killedRunsGoOnWithTheSameBits() async throws {
    let recipe = try smallRecipe()
    _ = try await runner.succeed("train", recipe, "--out", "whole")
    var isFinished = false
    for attempt in 0..<40 where !isFinished {
      let process = try runner.process(["train", recipe, "--out", "killed", "--threads", attempt % 2 == 0 ? "1" : "2"])
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      // At any moment: steps and checkpoints take some ten milliseconds each.
      for _ in 0..<(16 + 4 * attempt) where process.isRunning { try await Task.sleep(for: .milliseconds(25)) }
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
      process.waitUntilExit()
      isFinished = process.terminationReason == .exit && process.terminationStatus == 0
    }
    #expect(isFinished)
    #expect(try runner.data("killed/model/model.safetensors") == runner.data("whole/model/model.safetensors"))
  }

  /// Ctrl-C, and what systemd, docker and job queues send.
  @Test(arguments: [SIGINT, SIGTERM]) func signalsWriteACheckpoint(_ number: Int32) async throws {
    let recipe = try smallRecipe(), log = runner.folder + "/run/log.jsonl"
    let result = try await runner.run(["train", recipe, "--out", "run"]) { process in
      while process.isRunning, (try? Data(contentsOf: URL(fileURLWithPath: log)))?.isEmpty ?? true {
        try await Task.sleep(for: .milliseconds(20))
      }
      kill(process.processIdentifier, number)
    }
    #expect(result.status == 128 + number, "\(result.errors)")
    #expect(result.errors.contains("Stopped with a checkpoint"))
    let names = try FileManager.default.contentsOfDirectory(atPath: runner.folder + "/run/checkpoints")
    #expect(names.contains { $0.hasPrefix("step-") })
    #expect(try await runner.succeed("train", recipe, "--out", "run").errors.contains("going on after step"))
  }

  /// Where there is one processor, what watches for signals does not wait for the work that is to end.
  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/taskset")))
  func signalsAreHeardOnOneProcessor() async throws {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let allowed = try #require(status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") })
    let first = try #require(allowed.split(whereSeparator: { !$0.isNumber }).first)
    let recipe = try smallRecipe(), log = URL(fileURLWithPath: runner.folder + "/run/log.jsonl")
    let process = try runner.process([])
    process.executableURL = URL(fileURLWithPath: "/usr/bin/taskset")
    process.arguments = ["--cpu-list", String(first), try BuiltCommand.path(), "train", recipe, "--out", "run"]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    while process.isRunning, (try? Data(contentsOf: log))?.isEmpty ?? true { try await Task.sleep(for: .milliseconds(20)) }
    kill(process.processIdentifier, SIGINT)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 128 + SIGINT)
  }

  /// A file that cannot grow, while a checkpoint is written: half of it is there by then.
  @Test func checkpointsThatCannotBeWrittenLeaveTheOnesBefore() async throws {
    // A cosine would end at the last step of either.
    let text = try String(contentsOfFile: smallRecipe(), encoding: .utf8)
      .replacing("schedule: cosine", with: "schedule: constant").replacing("  final_learning_rate: 3e-4\n", with: "")
    let recipe = try runner.file("whole.yaml", text)
    _ = try await runner.succeed("train", recipe, "--out", "whole")
    _ = try await runner.succeed(
      "train", runner.file("part.yaml", text.replacing("steps: 30", with: "steps: 12")), "--out", "run")
    // The moments are twice as large as the weights; files may be as large as something between.
    let weights = try runner.data("run/checkpoints/step-00000012/model.safetensors").count
    let limited = Process()
    limited.executableURL = URL(fileURLWithPath: "/bin/sh")
    // In blocks of 512 bytes or of 1 KiB, as the shell has it; the signal is ignored, so that writing fails as on a full disk.
    limited.arguments = [
      "-c", #"trap '' XFSZ; ulimit -f "$1" && shift && exec "$@""#, "sh", String(weights * 3 / 2 / 512),
      try BuiltCommand.path(), "train", recipe, "--out", "run",
    ]
    limited.currentDirectoryURL = URL(fileURLWithPath: runner.folder)
    let errors = Pipe()
    limited.standardError = errors
    limited.standardOutput = FileHandle.nullDevice
    try limited.run()
    let told = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    limited.waitUntilExit()
    #expect(limited.terminationReason == .exit && limited.terminationStatus == 1, "\(told)")
    #expect(told.contains("checkpoint cannot be written") && told.contains("the last checkpoint is that of step 12"), "\(told)")
    let names = try FileManager.default.contentsOfDirectory(atPath: runner.folder + "/run/checkpoints").sorted()
    #expect(names == ["step-00000011", "step-00000012"])
    #expect(try await runner.succeed("train", recipe, "--out", "run").errors.contains("going on after step 12"))
    #expect(try runner.data("run/model/model.safetensors") == runner.data("whole/model/model.safetensors"))
  }

  @Test func wrongRecipesAreRefused() async throws {
    let text = try String(contentsOfFile: smallRecipe(), encoding: .utf8)
    let path = try runner.file("wrong.yaml", text.replacing("learning_rate: 3e-3", with: "learning_rat: 3e-3"))
    let result = try await runner.run(["train", path, "--out", "run"])
    #expect(result.status == 1)
    #expect(result.errors.contains("optimizer.learning_rat: there is no such key, expected one of name, learning_rate"))
    #expect(!FileManager.default.fileExists(atPath: runner.folder + "/run"))
  }
}
