import Foundation
import SwiftletCheckpoints
import SwiftletJSON
import SwiftletModels
import SwiftletTensors

/// The tiny checkpoints beside `make_fixtures.py`.
enum Fixtures {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")
  static let checkpoints = names(in: "checkpoints")
  static let ggufs = names(in: "gguf").filter { $0.hasSuffix(".gguf") }

  static func names(in name: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent(name).path)) ?? []).sorted()
  }

  static func decoder(checkpoint name: String) throws -> Decoder {
    let path = folder.appendingPathComponent("checkpoints/\(name)").path
    let config = try Data(contentsOf: URL(fileURLWithPath: path + "/config.json"))
    let configuration = try ModelConfiguration(json: JSONValue(parsing: Array(config)), source: path + "/config.json")
    return try Decoder(configuration, weights: .safetensors(SafetensorsFolder(path: path)))
  }

  static func decoder(gguf name: String) throws -> Decoder {
    let file = try GGUFFile(path: folder.appendingPathComponent("gguf/\(name)").path)
    return try Decoder(ModelConfiguration(gguf: file), weights: .gguf(file))
  }

  /// What transformers answers for a checkpoint: ids, the positions whose logits are kept, and those logits, row-major.
  struct Expected {
    var name: String
    var ids: [Int]
    var positions: [Int]
    var logits: [Float]
    var greedy: [Int]?
  }

  static func expected(checkpoint name: String) throws -> [Expected] {
    try names(in: "checkpoints/\(name)").filter { $0.hasPrefix("expected") && $0.hasSuffix(".safetensors") }.map { file in
      let path = folder.appendingPathComponent("checkpoints/\(name)/\(file)").path
      let tensors = try SafetensorsFile(path: path)
      func integers(_ name: String) throws -> [Int]? { try tensors.integers(named: name) }
      let logits = tensors.tensors.first { $0.name == "logits" }?.tensor.floatArray() ?? []
      return Expected(
        name: file, ids: try integers("ids") ?? [], positions: try integers("positions") ?? [], logits: logits,
        greedy: try integers("greedy"))
    }
  }
}

/// Logits of every position, row-major, the ids given in chunks of `chunk`.
func logits(_ decoder: Decoder, ids: [Int], chunk: Int, compute: Compute, role: PositionRole = .prompt) -> [Float] {
  let cache = decoder.makeCache(capacity: ids.count)
  var result: [Float] = []
  for start in stride(from: 0, to: ids.count, by: chunk) {
    let part = Array(ids[start..<min(start + chunk, ids.count)])
    result += decoder.forward([.init(tokens: part, cache: cache, output: .all)], role: role, compute: compute).floatArray()
  }
  return result
}

func largestDifference(_ left: some Collection<Float>, _ right: some Collection<Float>) -> Float {
  left.count == right.count ? zip(left, right).map { abs($0 - $1) }.reduce(0) { $1.isNaN ? .infinity : max($0, $1) } : .infinity
}
