import Foundation
import SwiftletCheckpoints
import SwiftletConversion
import SwiftletJSON
import SwiftletModels
import SwiftletTensors
import SwiftletTestSupport

/// The fixtures beside `make_fixtures.py`, and the folders they are about.
enum Fixtures {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")
  static let checkpoints = TinyModels.checkpoint("")

  static func json(_ name: String) -> JSONValue {
    let data = (try? Data(contentsOf: folder.appendingPathComponent(name))) ?? Data()
    return (try? JSONValue(parsing: Array(data))) ?? .null
  }

  static let converted = json("converted.json")
  static let quantized = json("quantized.json")

  /// The pre-tokenizer that a checkpoint's tokenizer has.
  static func vocabulary(of checkpoint: String) -> String {
    checkpoint.hasPrefix("llama")
      ? "llama-bpe"
      : checkpoint.hasPrefix("qwen2") ? "qwen2" : checkpoint.hasPrefix("deepseek-v2") ? "deepseek-llm" : "deepseek-v3"
  }

  /// A folder with a tiny checkpoint and the tokenizer that the converter was given.
  static func model(_ checkpoint: String, in parent: String) throws -> String {
    let path = parent + "/" + checkpoint, files = FileManager.default
    try files.createDirectory(atPath: path, withIntermediateDirectories: true)
    let source = TinyModels.checkpoint(checkpoint)
    for name in try files.contentsOfDirectory(atPath: source) where !name.hasPrefix("expected") {
      try files.copyItem(atPath: source + "/" + name, toPath: path + "/" + name)
    }
    let tokenizers = folder.appendingPathComponent("tokenizers").path, vocabulary = vocabulary(of: checkpoint)
    for (name, target) in [
      ("\(vocabulary).json", "tokenizer.json"), ("\(vocabulary)-config.json", "tokenizer_config.json"),
      ("generation_config.json", "generation_config.json"),
    ] { try files.copyItem(atPath: tokenizers + "/" + name, toPath: path + "/" + target) }
    return path
  }

  static func decoder(_ path: String) throws -> Decoder {
    if path.hasSuffix(".gguf") {
      let file = try GGUFFile(path: path)
      return try Decoder(ModelConfiguration(gguf: file), weights: .gguf(file))
    }
    let config = try Data(contentsOf: URL(fileURLWithPath: path + "/config.json"))
    let configuration = try ModelConfiguration(json: JSONValue(parsing: Array(config)), source: path + "/config.json")
    return try Decoder(configuration, weights: .safetensors(SafetensorsFolder(path: path)))
  }

  /// Logits of every position of some tokens.
  static func logits(_ path: String, tokens given: [Int]? = nil) throws -> [Float] {
    let decoder = try decoder(path), compute = Compute(threadCount: 2)
    let tokens = given ?? (0..<40).map { ($0 * 7 + 3) % decoder.configuration.vocabularySize }
    let cache = decoder.makeCache(capacity: tokens.count)
    return decoder.forward([.init(tokens: tokens, cache: cache, output: .all)], role: .prompt, compute: compute).floatArray()
  }

  static func convert(
    _ source: String, _ target: Conversion.Target, to output: String, isReplacing: Bool = false
  ) throws -> Conversion.Summary {
    try Conversion(source: source, target: target, output: output, isReplacing: isReplacing, threadCount: 2).run()
  }
}

func largestDifference(_ left: [Float], _ right: [Float]) -> Float {
  left.count == right.count ? zip(left, right).map { abs($0 - $1) }.reduce(0) { $1.isNaN ? .infinity : max($0, $1) } : .infinity
}

extension Tensor {
  /// The bytes as they are stored.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: address, count: shape.rows * rowBytes) }

  /// As zlib computes it.
  var crc32: Int {
    var crc: UInt32 = 0xFFFF_FFFF
    for byte in bytes { crc = crc >> 8 ^ Self.crcTable[Int((crc ^ UInt32(byte)) & 0xFF)] }
    return Int(~crc)
  }

  private static let crcTable: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
  }
}
