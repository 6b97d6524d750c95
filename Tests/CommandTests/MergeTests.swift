import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

/// `swiftlet merge`, with an adapter that peft saved.
@Suite(.timeLimit(.minutes(2))) struct MergeTests {
  private let runner: CommandRunner
  private static let adapters = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("TrainingTests/Fixtures/adapters")

  init() throws { runner = try CommandRunner() }

  /// From either kind of file, and not the logits of the model without it.
  @Test func mergesIntoFoldersAndFiles() async throws {
    let adapter = Self.adapters.appendingPathComponent("llama-gqa-tied").path
    var logits: [[Float]] = []
    func compute(_ model: String) async throws {
      _ = try await runner.succeed("logits", model, "--ids", "5,17,99", "--output", "logits.safetensors")
      logits.append(try TensorFile(path: runner.folder + "/logits.safetensors").floats("logits"))
    }
    for (index, model) in [TinyModels.checkpoint("llama-gqa-tied"), TinyModels.gguf("llama-gqa-tied")].enumerated() {
      let result = try await runner.succeed("merge", model, adapter, "merged-\(index)", "--type", "f32", "--json")
      #expect(try result.keys == ["output", "bytes", "types", "notes"])
      try await compute("merged-\(index)")
    }
    try await compute(TinyModels.checkpoint("llama-gqa-tied"))
    #expect(logits[0] == logits[1])
    #expect(zip(logits[0], logits[2]).contains { abs($0 - $1) > 0.1 })
  }

  @Test func errorsAreOneLine() async throws {
    func fails(_ arguments: String..., naming words: [String]) async throws {
      let result = try await runner.run(["merge"] + arguments)
      #expect(result.status == 1 && result.errors.split(separator: "\n").count == 1, "\(result.errors)")
      for word in words { #expect(result.errors.contains(word), "\(word) in \(result.errors)") }
    }
    let model = TinyModels.checkpoint("llama-gqa-tied")
    try await fails(model, "none", "out", naming: ["none/adapter_config.json"])
    let other = Self.adapters.appendingPathComponent("deepseek-v2").path
    try await fails(model, other, "out", naming: ["lora_A.weight", "does not have", "another model"])
    let usage = try await runner.run(["merge", model, other, "out", "--type", "q8_0"])
    #expect(usage.status == 64 && usage.errors.contains("--type: found 'q8_0', expected f32, f16, bf16"))
  }
}
