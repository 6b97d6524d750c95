import Foundation
import SwiftletHub
import SwiftletJSON
import SwiftletTestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct CacheTests {
  private let runner: CommandRunner

  init() throws { runner = try CommandRunner() }

  /// What `list` shows beside the model that is part of the program.
  private func fetched() async throws -> [JSONValue] {
    let list = try await runner.succeed("list", "--json").json.elements ?? []
    guard EmbeddedModel.isPresent else { return list }
    #expect(list.last?["model"]?.string == EmbeddedModel.alias)
    return list.dropLast()
  }

  @Test func anEmptyCacheIsNoError() async throws {
    let result = try await runner.succeed("list")
    #expect(result.output.contains("\nreasoner ") == EmbeddedModel.isPresent && result.errors.contains("swiftlet pull"))
    #expect(try await fetched().isEmpty)
  }

  @Test func modelsAreListedAndRemoved() async throws {
    // A repository as the hub's own tools keep it.
    let repository = runner.folder + "/hf/hub/models--org--tiny"
    let commit = "0123456789abcdef0123456789abcdef01234567"
    for folder in ["refs", "blobs", "snapshots/\(commit)"] {
      try FileManager.default.createDirectory(atPath: repository + "/" + folder, withIntermediateDirectories: true)
    }
    try Data(commit.utf8).write(to: URL(fileURLWithPath: repository + "/refs/main"))
    try FileManager.default.copyItem(atPath: TinyModels.gguf("llama-gqa-tied"), toPath: repository + "/blobs/abc")
    try FileManager.default.createSymbolicLink(
      atPath: "\(repository)/snapshots/\(commit)/tiny-F32.gguf", withDestinationPath: "../../blobs/abc")
    let list = try await fetched()
    let model = try #require(list.first?["model"]?.string)
    #expect(list.count == 1)
    #expect(model.hasPrefix("org/tiny"))
    #expect(list.first?["bytes"]?.integer ?? 0 > 0)
    let answer = try await runner.succeed("run", "org/tiny", "x", "--max-tokens", "1", "--json").json
    #expect(answer["completion_tokens"]?.integer == 1)
    let removed = try await runner.succeed("rm", model, "--json").json
    #expect(removed["freed_bytes"]?.integer ?? 0 > 0)
    #expect(try await fetched().isEmpty)
  }

  @Test func packedWeightsAreKeptShownAndRemoved() async throws {
    let path = TinyModels.gguf("llama-gqa-tied"), folder = runner.folder + "/hf/swiftlet/packed"
    func models() async throws -> [JSONValue] { try await runner.succeed("cache", "--json").json["models"]?.elements ?? [] }
    #expect(try await models().isEmpty)
    let ids = ["--ids", "1,2,3,4"]
    for name in ["first", "second"] {
      _ = try await runner.run(["logits", path, "--output", name] + ids)
      #expect(try await models().count == 1)
    }
    _ = try await runner.run(["logits", path, "--output", "memory", "--cache-limit", "0"] + ids)
    #expect(try runner.data("first") == runner.data("memory") && runner.data("second") == runner.data("memory"))
    let kept = try #require(try await models().first)
    #expect(kept["model"]?.string == path && kept["bytes"]?.integer ?? 0 > 0)
    #expect(kept["path"]?.string?.hasPrefix(folder) == true)
    #expect(try await runner.succeed("cache").output.contains(path))
    #expect(try await runner.succeed("cache", "verify", "--json").json["whole"]?.integer == 1)

    // Damaged, and made again.
    let file = try #require(kept["path"]?.string)
    try #require(truncate(file, 5000) == 0)
    #expect(try await runner.succeed("cache").output.contains("damaged"))
    let verified = try await runner.run(["cache", "verify"])
    #expect(verified.status == 1 && verified.output.contains("removed"))
    #expect(try await models().isEmpty)
    _ = try await runner.run(["logits", path, "--output", "again"] + ids)
    #expect(try runner.data("again") == runner.data("memory"))

    #expect(try await runner.run(["cache", "clear", "/nothing"]).status == 1)
    #expect(try await runner.succeed("cache", "clear", path, "--json").json["removed"]?.integer == 1)
    #expect(try await models().isEmpty)
  }

  @Test func theCachesPlaceAndLimit() async throws {
    let path = TinyModels.gguf("llama-gqa-tied"), elsewhere = runner.folder + "/elsewhere"
    _ = try await runner.run(
      ["logits", path, "--output", "x", "--ids", "1"], environment: ["SWIFTLET_CACHE": elsewhere, "SWIFTLET_CACHE_LIMIT": "1GB"])
    let listed = try await runner.succeed("cache", "--cache", elsewhere, "--json").json
    #expect(listed["models"]?.elements?.count == 1 && listed["folder"]?.string == elsewhere)
    #expect(!FileManager.default.fileExists(atPath: runner.folder + "/hf/swiftlet/packed"))
    // Too small, or not to be written to: packed in memory. Only --verbose tells why.
    let chatter = try TinyModels.chat(in: runner.folder)
    for (arguments, tells) in [
      (["--cache-limit", "100B"], true), (["--cache", "/proc/x"], true), (["--cache-limit", "0"], false),
    ] {
      let run = ["run", chatter, "x", "--max-tokens", "1"] + arguments
      let result = try await runner.run(run)
      #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
      #expect(try await runner.run(run + ["--verbose"]).errors.contains("not kept") == tells)
    }
    let wrong = try await runner.run(["run", chatter, "x"], environment: ["SWIFTLET_CACHE_LIMIT": "much"])
    #expect(wrong.status == 1 && wrong.errors.contains("SWIFTLET_CACHE_LIMIT"), "\(wrong.errors)")
    #expect(try await runner.run(["run", chatter, "x", "--cache-limit", "much"]).status == 64)
  }

  /// A disk that is full, where this process may make one: the model runs all the same.
  @Test(.enabled(if: getuid() == 0 && FileManager.default.fileExists(atPath: "/bin/mount"))) func aFullDisk() async throws {
    let path = TinyModels.gguf("llama-gqa-tied"), disk = runner.folder + "/disk"
    try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
    func system(_ arguments: String...) throws -> Int32 {
      let process = try Process.run(URL(fileURLWithPath: "/bin/\(arguments[0])"), arguments: Array(arguments.dropFirst()))
      process.waitUntilExit()
      return process.terminationStatus
    }
    // Containers often forbid it.
    guard try system("mount", "-t", "tmpfs", "-o", "size=96k", "none", disk) == 0 else { return }
    do {
      let result = try await runner.run([
        "logits", path, "--output", "full", "--ids", "1,2", "--cache", disk, "--cache-limit", "1GB",
      ])
      #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: disk).isEmpty)
      _ = try await runner.run(["logits", path, "--output", "memory", "--ids", "1,2", "--cache-limit", "0"])
      #expect(try runner.data("full") == runner.data("memory"))
    } catch {
      _ = try system("umount", disk)
      throw error
    }
    #expect(try system("umount", disk) == 0)
  }

  @Test func twoProcessesAtOnce() async throws {
    let path = TinyModels.gguf("deepseek-v3"), runner = runner
    try await withThrowingTaskGroup(of: CommandResult.self) { group in
      for number in 0..<4 {
        group.addTask { try await runner.run(["logits", path, "--output", "out\(number)", "--ids", "5,6,7"]) }
      }
      for try await result in group { #expect(result.status == 0, "\(result.errors)") }
    }
    for number in 1..<4 { #expect(try runner.data("out\(number)") == runner.data("out0")) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: runner.folder + "/hf/swiftlet/packed").count == 1)
  }
}
