import SwiftletJSON
import SwiftletTensors
import Testing

@testable import SwiftletConversion
@testable import SwiftletModels

/// The types of every tensor against llama-quantize's plan for models of real shapes (make_fixtures.py).
@Suite struct QuantizationMixTests {
  static let names = (Fixtures.quantized.members ?? []).map(\.key)

  @Test func thereAreFixtures() { #expect(Self.names.count == 7) }

  @Test(arguments: names) func equalsLlamaQuantize(_ name: String) throws {
    let fixture = try #require(Fixtures.quantized[name])
    func integer(_ field: String) -> Int { fixture[field]?.integer ?? 0 }
    let tensors = try #require(fixture["tensors"]?.elements).map { tensor in
      (name: tensor.elements?[0].string ?? "", shape: tensor.elements?[1].elements?.compactMap(\.integer) ?? [])
    }
    let isLatent = fixture["architecture"]?.string == "deepseek2"
    var configuration = ModelConfiguration(
      architecture: isLatent ? .deepseekV3 : fixture["architecture"]?.string == "qwen2" ? .qwen2 : .llama, vocabularySize: 1,
      hiddenSize: 1, layerCount: integer("layers"), headCount: integer("heads"),
      attention: .groupedQuery(keyValueHeadCount: integer("kv"), headDimension: 64),
      rotary: .init(theta: 10_000, dimension: 64, isInterleaved: true, scaling: .none), feedForwardSize: 1, normEpsilon: 1e-6,
      contextLength: 1, tiesEmbeddings: false)
    if isLatent {
      configuration.attention = .latent(
        .init(queryRank: nil, keyValueRank: 512, plainDimension: 128, rotaryDimension: 64, valueDimension: 128, scaleFactor: 1))
      configuration.mixture = .init(
        expertCount: integer("experts"), expertsPerToken: 2, sharedExpertCount: 1, expertSize: 1, leadingDenseLayers: 1,
        scoring: .sigmoid, groupCount: 1, chosenGroupCount: 1, normalizesWeights: true, weightScale: 1)
    }
    for kind in try #require(fixture["types"]?.members) {
      let type = try #require(GGUFType(rawValue: kind.key.lowercased()))
      let types = QuantizationMix(type, configuration, layerCount: integer("layers")).types(of: tensors)
      let expected = kind.value.elements?.compactMap(\.string) ?? []
      #expect(expected.count == types.count)
      for (index, tensor) in tensors.enumerated() {
        // What keeps its type is F32, or F16 for the routers of the file.
        let kept = tensor.shape.count == 1 ? "F32" : "F16"
        #expect((types[index]?.name ?? kept) == expected[index], "\(name) \(kind.key) \(tensor.name)")
      }
    }
  }

  /// GGUF files tell names apart by their bytes.
  @Test func namesThatAreTheSameText() {
    let configuration = ModelConfiguration(
      architecture: .llama, vocabularySize: 1, hiddenSize: 1, layerCount: 1, headCount: 1,
      attention: .groupedQuery(keyValueHeadCount: 1, headDimension: 64),
      rotary: .init(theta: 10_000, dimension: 64, isInterleaved: true, scaling: .none), feedForwardSize: 1, normEpsilon: 1e-6,
      contextLength: 1, tiesEmbeddings: false)
    let tensors = ["attn_v.weight", "ffn_down.weight"].flatMap { end in
      ["\u{E9}.", "e\u{301}."].map { (name: $0 + end, shape: [32, 256]) }
    }
    let types = QuantizationMix(.q8_0, configuration, layerCount: 1).types(of: tensors)
    #expect(types == [ElementType?](repeating: .q8_0, count: 4))
  }
}
