import Foundation
import SwiftletTestSupport
import Testing

/// Errors are one clear line; only misused arguments bring the usage.
@Suite(.timeLimit(.minutes(2))) struct ErrorTests {
  private let runner: CommandRunner
  private static let model = TinyModels.gguf("llama-gqa-tied")

  init() throws { runner = try CommandRunner() }

  private func fails(
    _ arguments: String..., input: String = "", environment: [String: String] = [:], naming words: [String],
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let result = try await runner.run(arguments, input: Array(input.utf8), environment: environment)
    #expect(result.status == 1, "\(result.errors)", sourceLocation: sourceLocation)
    let lines = result.errors.split(separator: "\n")
    #expect(lines.count == 1 && lines.first?.hasPrefix("Error: ") == true, "\(result.errors)", sourceLocation: sourceLocation)
    for word in words {
      #expect(result.errors.contains(word), "\(word) in \(result.errors)", sourceLocation: sourceLocation)
    }
  }

  @Test func modelsThatAreNotThere() async throws {
    try await fails("run", "missing.gguf", "x", naming: ["missing.gguf"])
    try await fails("run", "deepsek-r1:7b", "x", naming: ["Did you mean", "deepseek-r1:7b"])
    try await fails("run", "org/repo", "x", naming: ["org/repo", "HF_HUB_OFFLINE"])
    try await fails("rm", "smollm2", naming: ["smollm2"])
    _ = try runner.file("mine.gguf", "x")
    try await fails("rm", "./mine.gguf", naming: ["mine.gguf is a file or folder of yours"])
  }

  @Test func filesThatAreBroken() async throws {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: Self.model))
    for length in [0, 3, 100, bytes.count / 2, bytes.count - 1] {
      try bytes.prefix(length).write(to: URL(fileURLWithPath: runner.folder + "/cut.gguf"))
      try await fails("run", "cut.gguf", "x", naming: ["cut.gguf"])
    }
    _ = try TinyModels.chat(in: runner.folder)
    _ = try runner.file("chatter/config.json", "{")
    try await fails("run", "chatter", "x", naming: ["config.json"])
    _ = try runner.file("messages.json", "[{")
    try await fails("tokenize", "chatter", "--chat", "messages.json", naming: ["messages.json"])
    try await fails("tokenize", "chatter", "--chat", "none.json", naming: ["none.json"])
  }

  @Test func inputsThatDoNotFit() async throws {
    let long = String(repeating: "long ", count: 300)
    try await fails("run", Self.model, long, naming: ["context holds 512"])
    try await fails("run", Self.model, "x", "--logit-bias", "99999=1", naming: ["--logit-bias", "99999"])
    try await fails("logits", Self.model, "--ids", "0,269", "--output", "x.safetensors", naming: ["--ids", "269"])
    try await fails("logits", Self.model, "--ids", "0", "--output", "none/x.safetensors", naming: ["--output", "none"])
    try await fails("perplexity", Self.model, "none.txt", naming: ["none.txt"])
    let short = try runner.file("short.txt", "short")
    try await fails("perplexity", Self.model, short, naming: ["short.txt", "windows"])
    try await fails("tokenize", Self.model, "--decode", input: "[999]\n", naming: ["line 1", "999"])
    try await fails("run", Self.model, naming: ["prompt is empty"])
    try await fails("run", Self.model, "--batch", "none.jsonl", "--output", "out.jsonl", naming: ["none.jsonl"])
  }

  @Test func aModelIsNotOverwrittenWithItsLogits() async throws {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: Self.model))
    try bytes.write(to: URL(fileURLWithPath: runner.folder + "/own.gguf"))
    try await fails("logits", "own.gguf", "--ids", "0", "--output", "own.gguf", naming: ["--output", "the model itself"])
    #expect(try runner.data("own.gguf") == bytes)
    let folder = try TinyModels.chat(in: runner.folder), file = folder + "/config.json"
    let configuration = try Data(contentsOf: URL(fileURLWithPath: file))
    try await fails("logits", folder, "--ids", "0", "--output", file, naming: ["--output", "the model itself"])
    #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == configuration)
  }

  @Test func variablesThatMeanNothing() async throws {
    try await fails("run", Self.model, "x", environment: ["SWIFTLET_KERNELS": "typo"], naming: ["SWIFTLET_KERNELS", "generic"])
    try await fails("run", Self.model, "x", environment: ["SWIFTLET_THREADS": "many"], naming: ["SWIFTLET_THREADS"])
    try await fails("run", Self.model, "x", environment: ["SWIFTLET_CONTEXT": "0"], naming: ["SWIFTLET_CONTEXT"])
  }

  @Test(arguments: [
    ["--top-p", "3"], ["--temperature", "-1"], ["--min-p", "nan"], ["--max-tokens", "0"], ["--stop", ""],
    ["--repetition-penalty", "0"], ["--logit-bias", "x"], ["--threads", "0"], ["--context", "0"], ["--parallel", "0"],
    ["--batch", "in.jsonl"], ["--unknown"], ["--seed", "-1"], ["--top-k", "-1"],
  ]) func optionsOutOfRangeBringTheUsage(option: [String]) async throws {
    let result = try await runner.run(["run", Self.model, "x"] + option)
    #expect(result.status == 64)
    #expect(result.errors.contains(option[0]) && !result.errors.contains("Missing value"), "\(result.errors)")
    #expect(result.errors.contains("Usage: swiftlet run"))
    #expect(result.output.isEmpty)
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"))) func aFullDiskIsAnError() async throws {
    for arguments in [["show", Self.model], ["run", Self.model, "x", "--json", "--max-tokens", "2"]] {
      let result = try await runner.run(arguments, output: "/dev/full")
      #expect(result.status == 1)
      #expect(result.errors.hasPrefix("Error: standard output cannot be written"))
    }
  }
}
