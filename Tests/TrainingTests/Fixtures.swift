import Foundation
import SwiftletCheckpoints
import SwiftletJSON
import SwiftletModels
import SwiftletTensors
import SwiftletTraining
import Testing

/// What torch computed for the tiny checkpoints of ModelsTests (make_fixtures.py).
struct Fixture {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  static let names = [
    "llama-gqa-tied", "qwen2-untied", "llama-attention-bias", "llama-mlp-bias", "deepseek-v2", "deepseek-v3-next-token",
  ]

  let name: String
  let configuration: ModelConfiguration
  let checkpoint: SafetensorsFolder
  let gradients: [(name: String, tensor: Tensor)]
  let batch: TrainingBatch
  let facts: JSONValue
  let options: LossOptions

  init(_ name: String) throws {
    self.name = name
    let path = Self.folder.deletingLastPathComponent().appendingPathComponent("ModelsTests/Fixtures/checkpoints/\(name)").path
    let config = try JSONValue(parsing: Array(Data(contentsOf: URL(fileURLWithPath: path + "/config.json"))))
    configuration = try ModelConfiguration(json: config, source: path + "/config.json")
    checkpoint = try SafetensorsFolder(path: path)
    let fixtures = Self.folder.appendingPathComponent("Fixtures")
    let file = try SafetensorsFile(path: fixtures.appendingPathComponent("\(name).safetensors").path)
    gradients = file.tensors
    batch = TrainingBatch(
      tokens: try file.integers(named: "tokens") ?? [], targets: try file.integers(named: "targets") ?? [],
      documents: Self.documents(try file.integers(named: "documents") ?? []))
    let all = try JSONValue(parsing: Array(Data(contentsOf: fixtures.appendingPathComponent("losses.json"))))
    facts = try #require(all[name])
    options = LossOptions(
      predictionWeight: Float(facts["options"]?["prediction"]?.double ?? 0),
      balanceCoefficient: Float(facts["options"]?["balance"]?.double ?? 0))
  }

  static func documents(_ rows: [Int]) -> [Range<Int>] {
    rows.reduce(into: []) { $0.append(($0.last?.upperBound ?? 0)..<($0.last?.upperBound ?? 0) + $1) }
  }

  func model() throws -> TrainableModel { try TrainableModel(configuration, checkpoint: checkpoint) }

  /// The batch of a later step, as the script makes it.
  func batch(step: Int) -> TrainingBatch {
    let vocabulary = configuration.vocabularySize
    let tokens = batch.tokens.indices.map { (7 * $0 * $0 + 13 * $0 + 3 + 31 * step) % vocabulary }
    var targets = [Int](repeating: -1, count: tokens.count)
    for document in batch.documents {
      for row in document.dropLast() { targets[row] = tokens[row + 1] }
    }
    targets[5] = -1
    targets[60] = -1
    return TrainingBatch(tokens: tokens, targets: targets, documents: batch.documents)
  }

  func losses(_ key: String) -> [Double] { facts[key]?.elements?.compactMap(\.double) ?? [] }
}
