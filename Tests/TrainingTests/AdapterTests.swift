import Foundation
import SwiftletCheckpoints
import SwiftletConversion
import SwiftletJSON
import SwiftletModels
import SwiftletTensors
import Testing

@testable import SwiftletTraining

/// Adapters (LoRA) against torch and peft (make_adapter_fixtures.py).
@Suite struct AdapterTests {
  static let names = ["llama-gqa-tied", "qwen2-untied", "deepseek-v2"]
  static let folder = Fixture.folder.appendingPathComponent("Fixtures/adapters")
  private static let rate: Float = 1e-2

  /// A tiny model with the adapter that peft saved.
  private struct Adapted {
    let model: TrainableModel
    let file: SafetensorsFile
    let fixture: SafetensorsFile
    let options: LowRankOptions
    let basePath: String
    let path: String

    init(_ name: String, base: String? = nil) throws {
      path = AdapterTests.folder.appendingPathComponent(name).path
      basePath =
        base
        ?? Fixture.folder.deletingLastPathComponent().appendingPathComponent("ModelsTests/Fixtures/checkpoints/\(name)").path
      let json = try JSONValue(
        parsing: Array(Data(contentsOf: URL(fileURLWithPath: path + "/adapter_config.json"))))
      options = LowRankOptions(
        rank: try #require(json["r"]?.integer), alpha: try #require(json["lora_alpha"]?.double),
        targets: try #require(AdapterTests.facts(name)["targets"]?.elements).compactMap(\.string))
      file = try SafetensorsFile(path: path + "/adapter_model.safetensors")
      fixture = try SafetensorsFile(path: path + "/gradients.safetensors")
      model = try TrainableModel(HubModel(path: basePath), adapters: options, seed: 1)
      let saved = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0.tensor) })
      let trained = model.parameters.saved
      #expect(Set(trained.map { "base_model.model." + $0.name }) == Set(saved.keys))
      for parameter in trained {
        let tensor = try #require(saved["base_model.model." + parameter.name])
        #expect(tensor.shape == parameter.shape)
        parameter.value.floats.update(from: tensor.floatArray(), count: tensor.shape.count)
        parameter.valueChanged()
      }
    }

    var batch: TrainingBatch {
      get throws {
        TrainingBatch(
          tokens: try fixture.integers(named: "tokens") ?? [], targets: try fixture.integers(named: "targets") ?? [],
          documents: Fixture.documents(try fixture.integers(named: "documents") ?? []))
      }
    }
  }

  fileprivate static func facts(_ name: String) throws -> JSONValue {
    let url = Fixture.folder.appendingPathComponent("Fixtures/adapters.json")
    return try #require(JSONValue(parsing: Array(Data(contentsOf: url)))[name])
  }

  @Test(arguments: names, [false, true]) func gradientsEqualPeft(_ name: String, recomputes: Bool) throws {
    let adapted = try Adapted(name), model = adapted.model
    let tape = Tape(compute: Compute(threadCount: 2), precision: .float32)
    tape.recomputesActivations = recomputes
    let loss = model.loss(try adapted.batch, tape: tape).crossEntropy
    let expected = try #require(Self.facts(name)["loss"]?.double)
    #expect(abs(loss - expected) < 1e-5 * expected, "\(name): \(loss), expected \(expected)")
    for parameter in model.parameters.saved {
      let expected = try #require(adapted.fixture.tensors.first { $0.name == parameter.name }?.tensor).floatArray()
      let largest = expected.map(abs).max() ?? 0
      let difference = zip(parameter.gradient.floatArray(), expected).map { abs($0 - $1) }.max() ?? .infinity
      #expect(difference <= 1e-4 * largest, "\(name): \(parameter.name) differs by \(difference) of \(largest)")
    }
    // The others have no room for one.
    #expect(model.parameters.parameters.allSatisfy { $0.isTrainable || $0.gradient.shape.count == 0 })
  }

  @Test(arguments: names) func stepsEqualPeft(_ name: String) throws {
    let adapted = try Adapted(name), model = adapted.model, compute = Compute(threadCount: 2)
    let tape = Tape(compute: compute, precision: .float32)
    let optimizer = AdamW(model.parameters.parameters), norm = GradientNorm(optimizer.parameters)
    let expected = try Self.facts(name)["adamw"]?.elements?.compactMap(\.double) ?? []
    #expect(expected.count == 8)
    let vocabulary = model.configuration.vocabularySize
    for (step, expected) in expected.enumerated() {
      var batch = try adapted.batch
      let answers = batch.targets.indices.filter { batch.targets[$0] >= 0 }
      batch.tokens = batch.tokens.indices.map { (7 * $0 * $0 + 13 * $0 + 3 + 31 * step) % vocabulary }
      for row in answers { batch.targets[row] = batch.tokens[row + 1] }
      model.parameters.clearGradients(compute)
      let loss = model.loss(batch, tape: tape).crossEntropy
      #expect(abs(loss - expected) < 1e-4 * expected, "\(name), step \(step): \(loss), expected \(expected)")
      optimizer.step(rate: Self.rate, gradientScale: GradientNorm.scale(norm: norm.norm(compute), limit: 1), compute: compute)
    }
  }

  private func temporary(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("swiftlet-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.path)
  }

  @Test(arguments: names) func mergedModelsEqualPeft(_ name: String) throws {
    let adapted = try Adapted(name)
    try temporary { folder in
      _ = try Conversion(
        source: adapted.basePath, adapter: AdapterFolder(path: adapted.path), target: .safetensors(nil),
        output: folder + "/merged",
        threadCount: 2
      ).run()
      let merged = try HubModel(path: folder + "/merged")
      let decoder = try Decoder(merged.configuration, weights: .safetensors(SafetensorsFolder(path: folder + "/merged")))
      let expected = try #require(adapted.fixture.tensors.first { $0.name == "merged" }?.tensor)
      let count = expected.shape.rows, tokens = try adapted.batch.tokens.prefix(count)
      let logits = decoder.forward(
        [.init(tokens: Array(tokens), cache: decoder.makeCache(capacity: count), output: .all)], role: .prompt,
        compute: Compute(threadCount: 2)
      ).floatArray()
      let difference = zip(logits, expected.floatArray()).map { abs($0 - $1) }.max() ?? .infinity
      #expect(logits.count == expected.shape.count && difference < 1e-3, "\(name): \(difference)")
    }
  }

  /// Rows of queries and keys lie in another order in a GGUF file.
  @Test func ggufFilesAreTheSameModel() throws {
    let path = Fixture.folder.deletingLastPathComponent().appendingPathComponent("ModelsTests/Fixtures/gguf/llama-gqa-tied.gguf")
      .path
    let tape = Tape(compute: Compute(threadCount: 2), precision: .float32)
    func bits(_ adapted: Adapted) throws -> [[UInt32]] {
      _ = adapted.model.loss(try adapted.batch, tape: tape)
      return adapted.model.parameters.saved.map { $0.gradient.floatArray().map(\.bitPattern) }
    }
    let folder = try Adapted("llama-gqa-tied"), file = try Adapted("llama-gqa-tied", base: path)
    #expect(try bits(folder) == bits(file))
    let whole = try TrainableModel(HubModel(path: path)), same = try TrainableModel(HubModel(path: folder.basePath))
    for (first, second) in zip(whole.parameters.parameters, same.parameters.parameters) {
      #expect(first.name == second.name && first.value.floatArray() == second.value.floatArray(), "\(first.name)")
    }
  }

  @Test func writtenAdaptersAreThoseOfPeft() throws {
    let adapted = try Adapted("qwen2-untied")
    try temporary { folder in
      let writer = AdapterWriter(
        base: adapted.basePath, rank: adapted.options.rank, alpha: adapted.options.alpha, targets: adapted.options.targets)
      try writer.write(adapted.model.parameters.saved.map { ($0.name, $0.value) }, to: folder + "/adapter")
      let written = try SafetensorsFile(path: folder + "/adapter/adapter_model.safetensors")
      let names = { (file: SafetensorsFile) in file.tensors.map(\.name).sorted() }
      #expect(names(written) == names(adapted.file))
      for (name, tensor) in adapted.file.tensors {
        #expect(written.tensors.first { $0.name == name }?.tensor.floatArray() == tensor.floatArray(), "\(name)")
      }
      // Every key of ours is one of peft's.
      func keys(_ path: String) throws -> Set<String> {
        let json = try JSONValue(parsing: Array(Data(contentsOf: URL(fileURLWithPath: path + "/adapter_config.json"))))
        return Set((json.members ?? []).map(\.key))
      }
      #expect(try keys(folder + "/adapter").isSubset(of: keys(adapted.path)))
    }
  }

  @Test func adaptersOfOtherModelsAreRefused() throws {
    let adapted = try Adapted("qwen2-untied"), llama = try Adapted("llama-gqa-tied")
    try temporary { folder in
      func error(_ base: String, _ adapter: String) throws -> String {
        "\(try #require(throws: CheckpointError.self) { _ = try Conversion(source: base, adapter: AdapterFolder(path: adapter), target: .safetensors(nil), output: folder + "/merged", threadCount: 1) })"
      }
      let missing = try error(adapted.basePath, llama.path)
      #expect(missing.contains("lora_A.weight") && missing.contains("the adapter is of another model"), "\(missing)")
      // Of the right names and a wrong size.
      try FileManager.default.copyItem(atPath: adapted.path, toPath: folder + "/odd")
      let tensors = adapted.file.tensors.map { name, tensor in
        (name: name, tensor: name.hasSuffix("lora_A.weight") ? Tensor(zeros: Shape(tensor.shape.rows, 8)) : tensor)
      }
      try SafetensorsWriter.write(tensors, to: folder + "/odd/adapter_model.safetensors")
      let odd = try error(adapted.basePath, folder + "/odd")
      #expect(odd.contains("lora_B.weight") && odd.contains("self_attn.q_proj.weight of") && odd.contains("[40, 8]"), "\(odd)")
      try Data(#"{"peft_type": "LORA", "lora_alpha": 4, "use_dora": true}"#.utf8).write(
        to: URL(fileURLWithPath: folder + "/odd/adapter_config.json"))
      #expect(try error(adapted.basePath, folder + "/odd").contains("use_dora: found true"))
      try Data(#"{"peft_type": "LORA", "lora_alpha": 4, "init_lora_weights": "pissa_niter_4"}"#.utf8).write(
        to: URL(fileURLWithPath: folder + "/odd/adapter_config.json"))
      #expect(try error(adapted.basePath, folder + "/odd").contains("init_lora_weights: found pissa_niter_4"))
    }
  }
}
