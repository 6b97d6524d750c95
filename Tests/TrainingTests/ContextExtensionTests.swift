import Foundation
import SwiftletCheckpoints
import SwiftletJSON
import SwiftletModels
import SwiftletTensors
import Testing

@testable import SwiftletTraining

/// Going on from a trained model with YaRN and longer sequences.
@Suite struct ContextExtensionTests {
  private static let scaling = "{type: yarn, factor: 4, beta_fast: 32, beta_slow: 1, mscale: 1, mscale_all_dim: 1}"

  /// The recipe of a stage after the one in `run`.
  private func next(_ folder: DataFolder, _ model: [String], _ changes: [String: String?] = [:]) throws -> Recipe {
    let lines = RecipeSample.text(changes).components(separatedBy: "\n")
    let start = try #require(lines.firstIndex(of: "  config:")), end = try #require(lines.firstIndex(of: "optimizer:"))
    let text = (lines[..<start] + ["  from: run/model"] + model.map { "  " + $0 } + lines[end...]).joined(separator: "\n")
      .replacing("  size: 300", with: "  file: run/model/tokenizer.json")
    var recipe = try Recipe(path: folder.write("next.yaml", text))
    recipe.folder = folder.file("next")
    return recipe
  }

  private func first(_ folder: DataFolder) throws {
    let run = try PreparedRun(RecipeSample.recipe(folder), threadCount: 2)
    let trainer = try Trainer(run, compute: Compute(threadCount: 2))
    _ = try trainer.train()
    try trainer.export(to: folder.file("run/model"))
  }

  /// The mean loss of the next token by the inference's decoder.
  private func loss(_ decoder: Decoder, _ batch: TrainingBatch, _ compute: Compute) -> Double {
    var sum = 0.0, count = 0
    for document in batch.documents {
      let cache = decoder.makeCache(capacity: document.count)
      let logits = decoder.forward(
        [.init(tokens: Array(batch.tokens[document]), cache: cache, output: .all)], role: .prompt, compute: compute)
      let size = logits.shape.columns
      for (row, index) in document.enumerated() where batch.targets[index] >= 0 {
        let values = (0..<size).map { Double(logits.floats[row * size + $0]) }, largest = values.max() ?? 0
        sum += log(values.reduce(0) { $0 + exp($1 - largest) }) + largest - values[batch.targets[index]]
        count += 1
      }
    }
    return sum / Double(count)
  }

  @Test func theStageTrainsWithTheScaling() throws {
    let folder = try DataFolder()
    try first(folder)
    let changes = [
      "sequence_length": "sequence_length: 200", "batch": "batch: 1", "micro_batch": "micro_batch: 1", "steps": "steps: 4",
    ]
    let model = ["rope_scaling: \(Self.scaling)"]
    let trainer = try Trainer(
      PreparedRun(next(folder, model, changes), threadCount: 2), compute: Compute(threadCount: 2))
    let configuration = trainer.run.configuration
    #expect(configuration.contextLength == 256)
    #expect(
      configuration.rotary.scaling
        == .yarn(factor: 4, originalContextLength: 64, betaFast: 32, betaSlow: 1, attentionFactor: 1, truncates: true))
    let magnitude = Float(0.1 * log(4) + 1)
    #expect(abs(configuration.attentionScale - magnitude * magnitude / Float(16).squareRoot()) < 1e-6)
    #expect(trainer.model.configuration.rotary == configuration.rotary)
    #expect(try trainer.train() == .finished)
    try trainer.export(to: folder.file("next/model"))
    let json = try JSONValue(parsing: Array(Data(contentsOf: URL(fileURLWithPath: folder.file("next/model/config.json")))))
    #expect(json["rope_scaling"]?["type"]?.string == "yarn" && json["rope_scaling"]?["factor"]?.integer == 4)
    #expect(json["rope_scaling"]?["original_max_position_embeddings"]?.integer == 64)
    #expect(json["max_position_embeddings"]?.integer == 256)
    #expect(try ModelConfiguration(json: json, source: "config.json").rotary == configuration.rotary)
    // The exported model, read for inference, is the trained one, far behind the first 64 positions too.
    let compute = Compute(threadCount: 2)
    let decoder = try Decoder(
      ModelConfiguration(json: json, source: "config.json"),
      weights: .safetensors(SafetensorsFolder(path: folder.file("next/model"))))
    let tokens = (0..<200).map { (7 * $0 * $0 + 13 * $0) % 300 }
    let batch = TrainingBatch(tokens: tokens, targets: tokens.dropFirst() + [-1], documents: [0..<200])
    let tape = Tape(compute: compute, precision: .float32)
    tape.recordsGradients = false
    let trained = trainer.model.loss(batch, tape: tape).crossEntropy, inferred = loss(decoder, batch, compute)
    #expect(abs(trained - inferred) < 1e-4 * inferred, "\(trained) in training, \(inferred) in inference")
    // A further stage goes on with the same scaling, as DeepSeek-V3's from 32K to 128K.
    #expect(ContextExtension(ropeScaling: nil, contextLength: 512).applied(to: json)["max_position_embeddings"]?.integer == 512)
    let again = ContextExtension(ropeScaling: ["type": "yarn", "factor": 8], contextLength: nil).applied(to: json)
    #expect(again["rope_scaling"]?["original_max_position_embeddings"]?.integer == 64)
    #expect(again["max_position_embeddings"]?.integer == 512)
  }

  /// Frequencies and softmax scale of training are those of inference, in every form of YaRN and behind the original context of 64.
  @Test(arguments: ["qwen2-yarn", "deepseek-v2-lite", "deepseek-v3-unnormalised", "deepseek-v3-next-token"])
  func trainingAndInferenceAgree(_ name: String) throws {
    let fixture = try Fixture(name), compute = Compute(threadCount: 2)
    #expect(fixture.batch.documents.contains { $0.count > 64 })
    let tape = Tape(compute: compute, precision: .float32)
    tape.recordsGradients = false
    let trained = try fixture.model().loss(fixture.batch, tape: tape).crossEntropy
    let decoder = try Decoder(fixture.configuration, weights: .safetensors(fixture.checkpoint))
    let inferred = loss(decoder, fixture.batch, compute)
    #expect(abs(trained - inferred) < 1e-4 * inferred, "\(name): \(trained) in training, \(inferred) in inference")
  }

  /// transformers 5 keeps theta with the scaling.
  @Test func thetaStays() {
    let json: JSONValue = [
      "max_position_embeddings": 64, "rope_parameters": ["rope_type": "default", "rope_theta": 5000],
    ]
    let changed = ContextExtension(ropeScaling: ["type": "yarn", "factor": 2], contextLength: nil).applied(to: json)
    #expect(changed["rope_theta"]?.integer == 5000 && changed["rope_parameters"] == nil)
    #expect(changed["rope_scaling"]?["original_max_position_embeddings"]?.integer == 64)
    #expect(changed["max_position_embeddings"]?.integer == 128)
  }

  @Test func wrongOnesAreNamed() throws {
    let folder = try DataFolder()
    try first(folder)
    func error(_ model: [String], _ changes: [String: String?] = [:]) throws -> RecipeError {
      try #require(throws: RecipeError.self) { _ = try PreparedRun(next(folder, model, changes), threadCount: 1) }
    }
    #expect(try error(["rope_scaling: {type: yarn}"]).key == "model.rope_scaling.factor")
    #expect(try error(["rope_scaling: {type: linar, factor: 2}"]).key == "model.rope_scaling.type")
    #expect(try error(["rope_scaling: {type: yarn, factor: -4}"]).key == "model.rope_scaling.factor")
    #expect(try error(["rope_scaling: yarn"]).reason.contains("expected the keys of config.json's rope_scaling"))
    #expect(try error(["max_position_embeddings: 0"]).key == "model.max_position_embeddings")
    let long = try error(["rope_scaling: \(Self.scaling)"], ["sequence_length": "sequence_length: 300"])
    #expect(long.key == "sequence_length" && long.reason.contains("256"), "\(long)")
    let text = RecipeSample.text(["config": "  rope_scaling: \(Self.scaling)\n  config:"])
    let beside = try #require(throws: RecipeError.self) { try Recipe(yaml: text, file: "r.yaml") }
    #expect(beside.key == "model.rope_scaling" && beside.reason.contains("put it under config"), "\(beside)")
  }
}
