import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

/// `swiftlet convert`, from the command line to the files.
@Suite(.timeLimit(.minutes(2))) struct ConvertTests {
  private let runner: CommandRunner
  private static let model = TinyModels.gguf("llama-gqa-tied")

  init() throws { runner = try CommandRunner() }

  /// There and back, and the same logits all the way.
  @Test func convertsThereAndBack() async throws {
    let result = try await runner.succeed("convert", Self.model, "--to", "safetensors", "--output", "model", "--json")
    #expect(try result.keys == ["output", "bytes", "types", "notes", "seconds"])
    let json = try result.json
    #expect(json["output"]?.string == "model" && json["types"]?["F32"]?.integer == 29)
    let size = try FileManager.default.contentsOfDirectory(atPath: runner.folder + "/model").map { name in
      try FileManager.default.attributesOfItem(atPath: "\(runner.folder)/model/\(name)")[.size] as? Int ?? 0
    }
    #expect(json["bytes"]?.integer == size.reduce(0, +))
    let back = try await runner.succeed("convert", "model", "--to", "gguf", "--type", "F32", "--output", "back.gguf")
    #expect(back.output.hasPrefix("back.gguf  ") && back.output.contains("F32 ×29"))
    #expect(back.errors.contains("back.gguf") && back.errors.contains("100%"), "progress goes to standard error")
    var logits: [[Float]] = []
    for model in [Self.model, "model", "back.gguf"] {
      _ = try await runner.succeed("logits", model, "--ids", "5,17,99", "--output", "logits.safetensors")
      logits.append(try TensorFile(path: runner.folder + "/logits.safetensors").floats("logits"))
    }
    #expect(logits[0] == logits[2])
    #expect(zip(logits[0], logits[1]).allSatisfy { abs($0 - $1) < 2e-5 })
    let answer = try await runner.succeed("run", "back.gguf", "the end", "--temperature", "0", "--max-tokens", "8", "--json")
    let original = try await runner.succeed("run", Self.model, "the end", "--temperature", "0", "--max-tokens", "8", "--json")
    #expect(try answer.json["ids"]?.serialized() == original.json["ids"]?.serialized())
  }

  @Test func errorsAreOneLine() async throws {
    func fails(_ arguments: String..., naming words: [String]) async throws {
      let result = try await runner.run(["convert"] + arguments)
      #expect(result.status == 1 && result.errors.split(separator: "\n").count == 1, "\(result.errors)")
      for word in words { #expect(result.errors.contains(word), "\(word) in \(result.errors)") }
    }
    _ = try runner.file("mine.gguf", "x")
    try await fails(Self.model, "--to", "gguf", "--output", "mine.gguf", naming: ["mine.gguf", "--force"])
    try await fails("none.gguf", "--to", "gguf", "--output", "out.gguf", naming: ["none.gguf"])
    try await fails(Self.model, "--to", "gguf", "--output", "none/out.gguf", naming: ["none"])
    try await fails(TinyModels.checkpoint("llama-mha"), "--to", "gguf", "--output", "out.gguf", naming: ["tokenizer.json"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: runner.folder).filter { $0.contains("gguf") } == ["mine.gguf"])
    let replaced = try await runner.succeed(
      "convert", Self.model, "--to", "gguf", "--type", "q8_0", "--output", "mine.gguf", "--force")
    #expect(replaced.output.contains("F16"), "rows of 40 values are no blocks of 32")
  }

  @Test(arguments: [
    ["--to", "gguf", "--type", "q3_k"], ["--to", "safetensors", "--type", "q8_0"], ["--to", "onnx"], ["--type", "f16"],
  ]) func optionsThatMeanNothingBringTheUsage(options: [String]) async throws {
    let result = try await runner.run(["convert", Self.model, "--output", "out"] + options)
    #expect(result.status == 64)
    #expect(result.errors.contains("Usage: swiftlet convert"))
  }
}
