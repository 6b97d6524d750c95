import Foundation
import SwiftletTestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct CacheTests {
  private let runner: CommandRunner

  init() throws { runner = try CommandRunner() }

  @Test func anEmptyCacheIsNoError() async throws {
    let result = try await runner.succeed("list")
    #expect(result.output.isEmpty && result.errors.contains("swiftlet pull"))
    #expect(try await runner.succeed("list", "--json").output == "[]\n")
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
    let list = try await runner.succeed("list", "--json").json
    let model = try #require(list.elements?.first?["model"]?.string)
    #expect(list.elements?.count == 1)
    #expect(model.hasPrefix("org/tiny"))
    #expect(list.elements?.first?["bytes"]?.integer ?? 0 > 0)
    let answer = try await runner.succeed("run", "org/tiny", "x", "--max-tokens", "1", "--json").json
    #expect(answer["completion_tokens"]?.integer == 1)
    let removed = try await runner.succeed("rm", model, "--json").json
    #expect(removed["freed_bytes"]?.integer ?? 0 > 0)
    #expect(try await runner.succeed("list", "--json").output == "[]\n")
  }
}
