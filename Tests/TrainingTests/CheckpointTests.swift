import Foundation
import SwiftletCheckpoints
import SwiftletModels
import SwiftletTensors
import SwiftletTraining
import Testing

/// What is trained is what runs.
@Suite struct CheckpointTests {
  /// A trained and saved model, loaded by the decoder, gives the losses that training computed for it.
  @Test(arguments: Fixture.names) func decoderAgrees(_ name: String) throws {
    let fixture = try Fixture(name), model = try fixture.model(), compute = Compute(threadCount: 2)
    let tape = Tape(compute: compute, precision: .float32), optimizer = AdamW(model.parameters.parameters)
    for _ in 0..<2 {
      model.parameters.clearGradients(compute)
      _ = model.loss(fixture.batch, fixture.options, tape: tape)
      optimizer.step(rate: 1e-2, compute: compute)
      RouterBiasRule(speed: 0.01).apply(to: model)
    }
    tape.recordsGradients = false
    let expected = model.loss(fixture.batch, tape: tape).crossEntropy
    #expect(abs(expected - (fixture.facts["loss"]?["cross_entropy"]?.double ?? 0)) > 0.01)

    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("swiftlet-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try model.parameters.save(to: folder.appendingPathComponent("model.safetensors").path)
    let checkpoint = try SafetensorsFolder(path: folder.path)
    let decoder = try Decoder(fixture.configuration, weights: .safetensors(checkpoint))
    #expect(decoder.predictsFurtherTokens == model.hasPrediction)
    var sum = 0.0, count = 0
    for document in fixture.batch.documents {
      let cache = decoder.makeCache(capacity: document.count)
      let logits = decoder.forward(
        [.init(tokens: Array(fixture.batch.tokens[document]), cache: cache, output: .all)], role: .prompt, compute: compute
      ).floatArray()
      let size = fixture.configuration.vocabularySize
      for (row, target) in fixture.batch.targets[document].enumerated() where target >= 0 {
        let values = logits[row * size..<(row + 1) * size].map(Double.init)
        sum += log(values.reduce(0) { $0 + exp($1) }) - values[target]
        count += 1
      }
    }
    let found = sum / Double(count)
    #expect(abs(found - expected) < 1e-5 * expected, "\(name): the decoder's loss is \(found), training's \(expected)")

    let again = try TrainableModel(fixture.configuration, checkpoint: checkpoint)
    for (first, second) in zip(model.parameters.parameters, again.parameters.parameters) {
      #expect(first.name == second.name && first.value.floatArray() == second.value.floatArray(), "\(first.name)")
    }
  }

  @Test func newModelsHaveTheWeightsOfTheirShape() throws {
    let configuration = try Fixture("deepseek-v3-next-token").configuration
    let model = TrainableModel(configuration, seed: 7), twin = TrainableModel(configuration, seed: 7)
    let required = configuration.requiredWeights(nextTokenLayers: 1)
    #expect(model.parameters.parameters.map(\.name) == required.map(\.name))
    #expect(model.parameters["model.norm.weight"]?.value.floatArray().allSatisfy { $0 == 1 } == true)
    let embedding = try #require(model.parameters["model.embed_tokens.weight"]?.value.floatArray())
    let deviation = (embedding.reduce(0) { $0 + $1 * $1 } / Float(embedding.count)).squareRoot()
    #expect(abs(deviation - 0.006) < 0.0003)
    #expect(twin.parameters["model.embed_tokens.weight"]?.value.floatArray() == embedding)
  }

  @Test(arguments: ["llama-attention-bias", "llama-mlp-bias"]) func newModelsHaveTheBiasesOfTheirShape(name: String) throws {
    let fixture = try Fixture(name)
    let model = TrainableModel(fixture.configuration, seed: 7)
    let stored = try TrainableModel(fixture.configuration, checkpoint: fixture.checkpoint)
    #expect(Set(model.parameters.parameters.map(\.name)) == Set(stored.parameters.parameters.map(\.name)))
  }

  @Test func missingAndOddWeightsAreNamed() throws {
    let llama = try Fixture("llama-gqa-tied")
    var other = llama.configuration
    other.layerCount += 1
    let checkpoint = llama.checkpoint
    #expect(performing: { try TrainableModel(other, checkpoint: checkpoint) }, throws: { "\($0)".contains("model.layers.3.") })
    other.layerCount -= 1
    other.feedForwardSize += 1
    #expect(
      performing: { try TrainableModel(other, checkpoint: checkpoint) },
      throws: { "\($0)".contains("mlp.gate_proj.weight") && "\($0)".contains("expected [45, 40]") })
  }
}
