import Foundation
import SwiftletCheckpoints
import SwiftletJSON
import SwiftletTokenization

@testable import SwiftletTraining

/// A folder that goes when the test is over.
final class DataFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "swiftlet-data-" + String(UInt64.random(in: 0 ... .max), radix: 36)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { path + "/" + name }

  /// Writes a file and returns its path.
  func write(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
    return file(name)
  }

  func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }

  /// The contents of all files in a folder here, by name.
  func contents(_ folder: String) throws -> [String: Data] {
    var result: [String: Data] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: file(folder)) {
      result[name] = try Data(contentsOf: URL(fileURLWithPath: file(folder) + "/" + name))
    }
    return result
  }
}

/// A small vocabulary and made-up documents.
enum Sample {
  static let words = [
    "the", "river", "runs", "down", "to", "sea", "and", "never", "stops", "while", "mountains", "stand", "still", "求索", "深度",
    "123",
    "f(x)", "größer", "\n", "😀",
  ]

  static func text(_ seed: UInt64, words count: Int = 40) -> String {
    var random = SeededGenerator(seed)
    return (0..<count).map { _ in words.randomElement(using: &random) ?? "" }.joined(separator: " ")
  }

  static func tokenizer(size: Int = 330, special: [String] = BytePairTraining.deepSeekTokens, begins: Bool = true) throws
    -> Tokenizer
  {
    var counts = WordCounts(.deepSeekV3)
    for seed in 0..<40 { counts.add(text(UInt64(seed))) }
    let training = BytePairTraining(vocabularySize: size, specialTokens: special, addsBeginningOfSequence: begins)
    return try Tokenizer(tokenizerJSON: Array(training.vocabulary(of: counts).tokenizerJSON().serialized().utf8))
  }

  static func jsonLines(_ texts: [String]) -> String {
    texts.map { JSONValue.object([JSONMember(key: "text", value: .string($0))]).serialized() + "\n" }.joined()
  }

  /// A dataset of documents in a new folder.
  static func dataset(
    _ folder: DataFolder, _ name: String, _ texts: [String], shardTokens: Int = 1 << 24, split: DataSplit = .training,
    heldOut: Double = 0, tokenizer: Tokenizer? = nil
  ) throws -> TokenDataset {
    let file = try folder.write(name + ".jsonl", jsonLines(texts))
    let packing = DataPacking(
      files: [file], tokenizer: try tokenizer ?? Self.tokenizer(), heldOutFraction: heldOut, shardTokens: shardTokens,
      threadCount: 2)
    _ = try packing.run(to: folder.file(name))
    return try TokenDataset(folder: folder.file(name), split: split)
  }
}

extension TokenDataset {
  var tokens: [Int] {
    var result: [Int] = []
    forEachDocument(in: 0..<tokenCount) { shard, range in result += range.map { shard.token($0) } }
    return result
  }

  var ends: [Int] { (0..<documentCount).map { document($0).upperBound } }
}
