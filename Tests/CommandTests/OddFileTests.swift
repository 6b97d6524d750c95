import Foundation
import SwiftletTestSupport
import Testing

/// Files that are none, and names that are unusual, as arguments of the command.
@Suite(.timeLimit(.minutes(3))) struct OddFileTests {
  private let runner: CommandRunner
  private static let model = TinyModels.gguf("llama-gqa-tied")

  init() throws { runner = try CommandRunner() }

  /// Makes one of each, by name; the words are what the errors say.
  private func makeOddFiles() throws -> [(name: String, word: String)] {
    func path(_ name: String) -> String { runner.folder + "/" + name }
    try #require(symlink("nowhere", path("dangling")) == 0)
    try #require(symlink("loop", path("loop")) == 0)
    try #require(symlink("/dev/zero", path("zero")) == 0)
    try #require(mkfifo(path("pipe"), 0o600) == 0)
    try FileManager.default.createDirectory(atPath: path("folder"), withIntermediateDirectories: false)
    _ = try runner.file("empty", "")
    return [
      ("dangling", "symbolic link"), ("loop", "symbolic link"), ("zero", "regular file"), ("pipe", "is a pipe"),
      ("folder", "folder"),
      ("empty", "empty"), ("missing", "o such file"),
    ]
  }

  private func fails(_ arguments: [String], naming words: [String], sourceLocation: SourceLocation = #_sourceLocation)
    async throws
  {
    let start = ContinuousClock.now
    let result = try await runner.run(arguments)
    #expect(ContinuousClock.now - start < .seconds(10), "\(arguments)", sourceLocation: sourceLocation)
    #expect(result.status == 1, "\(arguments): \(result.errors)", sourceLocation: sourceLocation)
    let lines = result.errors.split(separator: "\n")
    #expect(lines.count == 1 && lines[0].hasPrefix("Error: "), "\(arguments): \(result.errors)", sourceLocation: sourceLocation)
    for word in words {
      #expect(result.errors.contains(word), "\(arguments): \(word) in \(result.errors)", sourceLocation: sourceLocation)
    }
  }

  @Test func asModels() async throws {
    for (name, word) in try makeOddFiles() {
      let words = [name, ["folder": "no model", "missing": "no file"][name] ?? word]
      for arguments in [["show", "./" + name], ["run", "./" + name, "x"], ["tokenize", "./" + name]] {
        try await fails(arguments, naming: words)
      }
    }
  }

  @Test func asTexts() async throws {
    let chatter = try TinyModels.chat(in: runner.folder)
    for (name, word) in try makeOddFiles() where name != "empty" {
      let words = ["dangling", "loop"].contains(name) ? [name, "ymbolic link"] : [name, word]
      try await fails(["perplexity", Self.model, name], naming: words)
      try await fails(["tokenize", chatter, "--chat", name], naming: words)
      try await fails(["run", chatter, "--batch", name, "--output", "out.jsonl"], naming: words)
    }
    try await fails(["perplexity", Self.model, "empty"], naming: ["empty", "tokens"])
    try await fails(["tokenize", chatter, "--chat", "empty"], naming: ["empty", "the end of the text"])
    try await fails(["run", chatter, "--batch", "empty", "--output", "out.jsonl"], naming: ["empty", "has no rows"])
  }

  @Test func asOutputs() async throws {
    let chatter = try TinyModels.chat(in: runner.folder)
    _ = try runner.file("in.jsonl", #"{"prompt":"a","max_tokens":2}"#)
    _ = try makeOddFiles()
    for name in ["zero", "pipe", "folder", "loop"] {
      try await fails(["run", chatter, "--batch", "in.jsonl", "--output", name], naming: [name])
    }
    for arguments in [["tasks", "--tasks", "parity", "--export", "1", "--output"], ["plan", "deepseek-v3", "--plot"]] {
      for name in ["zero", "pipe", "folder", "loop"] { try await fails(arguments + [name], naming: [name]) }
      // What a link leads to is written, and the link stays.
      _ = try runner.file("target", "old")
      try? FileManager.default.createSymbolicLink(atPath: runner.folder + "/link", withDestinationPath: "target")
      #expect(try await runner.run(arguments + ["link"]).status == 0)
      #expect(try runner.read("target") == runner.read("link") && runner.read("target") != "old")
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: runner.folder + "/link") == "target")
    }
    // A link to nothing names what is made.
    _ = try await runner.succeed("run", chatter, "--batch", "in.jsonl", "--output", "dangling")
    #expect(try runner.read("nowhere").contains("finish_reason"))
  }

  @Test(arguments: ["two words", "caf\u{E9}", "cafe\u{301}", "模型 \u{1F600}", "a\"b'c%41#?*"]) func namesAreTakenAsTheyAre(
    _ name: String
  ) async throws {
    let model = name + ".gguf"
    try FileManager.default.copyItem(atPath: Self.model, toPath: runner.folder + "/" + model)
    let shown = try await runner.succeed("show", model, "--json").json
    #expect(shown["path"]?.string?.hasSuffix(model) == true)
    let chatter = try TinyModels.chat(in: runner.folder), folder = name + " folder"
    try FileManager.default.moveItem(atPath: chatter, toPath: runner.folder + "/" + folder)
    _ = try runner.file(name, String(repeating: "abc ", count: 60))
    _ = try runner.file(name + ".jsonl", #"{"prompt":"a","max_tokens":2}"#)
    _ = try await runner.succeed("run", folder, "--batch", name + ".jsonl", "--output", name + " out.jsonl")
    #expect(try runner.read(name + " out.jsonl").contains("finish_reason"))
    _ = try await runner.succeed("perplexity", folder, name, "--context", "64")
    _ = try await runner.succeed("logits", folder, "--ids", "1,2", "--output", name + ".safetensors")
    try #require(symlink(folder, runner.folder + "/link") == 0)
    _ = try await runner.succeed("run", "link", "a", "--max-tokens", "2")
  }
}
