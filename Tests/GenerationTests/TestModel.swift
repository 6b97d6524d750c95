import Foundation
import SwiftletCheckpoints
import SwiftletConversion
import SwiftletJSON
import SwiftletModels
import SwiftletTensors
import SwiftletTestSupport
import Testing

@testable import SwiftletGeneration

/// A model that tests of what does not depend on the weights' values run on.
enum TestModel: Sendable, CustomTestStringConvertible {
  /// A tiny checkpoint of ModelsTests, its weights in F32, BF16 or FP8.
  case checkpoint(String)
  /// A tiny GGUF file beside `make_fixtures.py`, of mixed quantised types.
  case mixed(String)
  /// The shape of a tiny checkpoint, widened to whole blocks of every type, with random weights that are stored as a type.
  case widened(String, GGUFType)
  /// SmolLM2, where it is installed.
  case small

  var testDescription: String {
    switch self {
    case .checkpoint(let name), .mixed(let name): name
    case .widened(let name, let type): "\(name), widened, \(type.rawValue)"
    case .small: "SmolLM2"
    }
  }

  func decoder() throws -> Decoder {
    switch self {
    case .checkpoint(let name): return try Self.decoder(folder: TinyModels.checkpoint(name))
    case .mixed(let name): return try Self.decoder(gguf: EngineTests.quantized.appendingPathComponent(name + ".gguf").path)
    case .widened(let name, let type):
      // What was opened stays when its folder is gone.
      let folder = try TemporaryFolder()
      defer { withExtendedLifetime(folder) {} }
      let path = folder.path + "/model.gguf"
      let source = try Self.write(widened: name, to: folder.path + "/model")
      _ = try Conversion(source: source, target: .gguf(type), output: path, threadCount: 2).run()
      return try Self.decoder(gguf: path)
    case .small: return try Self.decoder(gguf: SmallModel.path)
    }
  }

  private static func decoder(gguf path: String) throws -> Decoder {
    let file = try GGUFFile(path: path)
    return try Decoder(ModelConfiguration(gguf: file), weights: .gguf(file))
  }

  private static func decoder(folder path: String) throws -> Decoder {
    try Decoder(
      ModelConfiguration(json: config(folder: path), source: path), weights: .safetensors(SafetensorsFolder(path: path)))
  }

  private static func config(folder path: String) throws -> JSONValue {
    try JSONValue(parsing: Array(Data(contentsOf: URL(fileURLWithPath: path + "/config.json"))))
  }

  /// Widths that are multiples of 256 where rows of weights are that long.
  private static let widths: [String: Int] = [
    "vocab_size": 320, "hidden_size": 256, "intermediate_size": 512, "moe_intermediate_size": 256, "kv_lora_rank": 256,
    "q_lora_rank": 256, "qk_nope_head_dim": 64, "qk_rope_head_dim": 32, "v_head_dim": 64, "max_position_embeddings": 2048,
  ]

  /// Writes a folder that can be converted: config.json, random weights, and a tokenizer of ConversionTests.
  private static func write(widened name: String, to path: String) throws -> String {
    let members = try config(folder: TinyModels.checkpoint(name)).members ?? []
    let config = JSONValue.object(
      members.map { member in
        guard let width = widths[member.key], member.value.integer != nil else { return member }
        return JSONMember(key: member.key, value: .integer(width))
      })
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try Data(config.serialized().utf8).write(to: URL(fileURLWithPath: path + "/config.json"))
    let configuration = try ModelConfiguration(json: config, source: path)
    var random = SeededGenerator(seed: 1)
    let weights = configuration.requiredWeights(nextTokenLayers: configuration.predictionLayerCount).map { name, shape in
      let isNorm = name.hasSuffix("norm.weight")
      let values = (0..<shape.reduce(1, *)).map { _ in
        Float.random(in: -1...1, using: &random) * (isNorm ? 0.2 : 0.15) + (isNorm ? 1 : 0)
      }
      return (name: name, tensor: Tensor(values, shape: Shape(shape)))
    }
    try SafetensorsWriter.write(weights, to: path + "/model.safetensors")
    let tokenizers = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("ConversionTests/Fixtures/tokenizers").path
    let vocabulary = name.hasPrefix("qwen2") ? "qwen2" : name.hasPrefix("deepseek-v2") ? "deepseek-llm" : "deepseek-v3"
    for (file, target) in [("\(vocabulary).json", "tokenizer.json"), ("\(vocabulary)-config.json", "tokenizer_config.json")] {
      try FileManager.default.copyItem(atPath: tokenizers + "/" + file, toPath: path + "/" + target)
    }
    return path
  }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
private struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }
}
