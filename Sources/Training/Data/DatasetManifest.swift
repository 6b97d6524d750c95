internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletJSON

/// The part of the documents that a model learns from, and the part that it is measured with.
public enum DataSplit: String, Sendable, Hashable, CaseIterable {
  case training
  case heldOut = "held-out"
}

/// What the folder of a dataset holds: `dataset.json`, or `dataset.partial.json` while it is being made.
struct DatasetManifest: Sendable {
  struct Shard: Sendable, Equatable {
    var file: String
    var tokens: Int
    var documents: Int
    var checksum: UInt64
  }

  static let name = "dataset.json"
  static let partialName = "dataset.partial.json"
  private static let version = 1

  var vocabulary: VocabularyIdentity
  /// What decides which tokens there are: settings, and files by where they lie and when they were changed, which is known
  /// without reading them.
  var settings: String
  /// The same with files by all of their bytes, wherever they lie; nil in datasets that were begun before this was kept.
  var content: String?
  var shards: [DataSplit: [Shard]] = [:]
  var skipped: [DataError.Kind: Int] = [:]
  /// How often files were ended.
  var step = 0
  /// Where to go on; nil when all is there.
  var next: DocumentPosition?

  init(vocabulary: VocabularyIdentity, settings: String) {
    self.vocabulary = vocabulary
    self.settings = settings
  }

  func count(_ split: DataSplit, _ value: (Shard) -> Int) -> Int { (shards[split] ?? []).reduce(0) { $0 + value($1) } }

  private var json: JSONValue {
    var members: [JSONMember] = [
      JSONMember(key: "version", value: .integer(Self.version)),
      JSONMember(key: "vocabulary_size", value: .integer(vocabulary.size)),
      JSONMember(key: "vocabulary_hash", value: .string(String(vocabulary.hash, radix: 16))),
    ]
    for split in DataSplit.allCases {
      let list = (shards[split] ?? []).map { shard -> JSONValue in
        [
          "file": .string(shard.file), "tokens": .integer(shard.tokens), "documents": .integer(shard.documents),
          "checksum": .string(String(shard.checksum, radix: 16)),
        ]
      }
      members.append(JSONMember(key: split.rawValue, value: .array(list)))
    }
    let skipped = self.skipped.sorted { $0.key.rawValue < $1.key.rawValue }
    members.append(
      JSONMember(key: "skipped", value: .object(skipped.map { JSONMember(key: $0.key.rawValue, value: .integer($0.value)) })))
    members.append(JSONMember(key: "settings", value: .string(settings)))
    if let content { members.append(JSONMember(key: "content", value: .string(content))) }
    if let next {
      members.append(JSONMember(key: "step", value: .integer(step)))
      members.append(
        JSONMember(
          key: "next", value: ["file": .integer(next.file), "offset": .integer(next.offset), "line": .integer(next.line)]))
    }
    return .object(members)
  }

  func write(to path: String) throws(CheckpointError) {
    let writer = try FileWriter(path: path)
    try writer.write(Array((json.serialized() + "\n").utf8))
    try writer.commit()
  }

  init(path: String) throws(DataError) {
    func damaged(_ reason: String) -> DataError { DataError(.damaged, file: path, reason: reason) }
    let bytes = try asDataError { () throws(CheckpointError) in try RegularFile(path: path).bytes(maximumBytes: 1 << 26) }
    guard let root = try? JSONValue(parsing: bytes) else { throw damaged("is no JSON: it is damaged; pack the data anew") }
    guard root["version"]?.integer == Self.version else {
      throw damaged(
        "has version \(root["version"]?.serialized().prefix(20) ?? "none"), expected \(Self.version); pack the data anew")
    }
    func hash(_ value: JSONValue?) -> UInt64? { value?.string.flatMap { UInt64($0, radix: 16) } }
    guard let size = root["vocabulary_size"]?.integer, let vocabularyHash = hash(root["vocabulary_hash"]),
      let settings = root["settings"]?.string
    else { throw damaged("names no vocabulary or no settings; pack the data anew") }
    self.init(vocabulary: VocabularyIdentity(size: size, hash: vocabularyHash), settings: settings)
    content = root["content"]?.string
    for split in DataSplit.allCases {
      var list: [Shard] = []
      for value in root[split.rawValue]?.elements ?? [] {
        guard let file = value["file"]?.string, !file.contains("/"), let tokens = value["tokens"]?.integer,
          let documents = value["documents"]?.integer, let checksum = hash(value["checksum"]),
          (1...1 << 40).contains(tokens), (1...1 << 40).contains(documents), list.count < 1 << 20
        else { throw damaged("describes a file of \(split.rawValue) incompletely; pack the data anew") }
        list.append(Shard(file: file, tokens: tokens, documents: documents, checksum: checksum))
      }
      shards[split] = list
    }
    for member in root["skipped"]?.members ?? [] {
      if let kind = DataError.Kind(rawValue: member.key) { skipped[kind] = member.value.integer }
    }
    if let next = root["next"] {
      guard let file = next["file"]?.integer, let offset = next["offset"]?.integer, let line = next["line"]?.integer,
        let step = root["step"]?.integer, [file, offset, line, step].allSatisfy((0...1 << 48).contains)
      else { throw damaged("says wrongly where to go on; pack the data anew") }
      self.step = step
      self.next = DocumentPosition(file: file, offset: offset, line: line)
    } else if path.hasSuffix(Self.partialName) {
      throw damaged("does not say where to go on; pack the data anew")
    }
  }

  /// Looks whether the token files are those that were packed.
  /// - Throws: `DataError` naming one that is missing or another.
  func checkShards(in folder: URL) throws(DataError) {
    for expected in shards.values.joined() {
      let path = folder.appendingPathComponent(expected.file).path
      func damaged(_ reason: String) -> DataError { DataError(.damaged, file: path, reason: reason + "; pack the data anew") }
      guard FileManager.default.fileExists(atPath: path) else { throw damaged("is missing") }
      let shard: TokenShard
      do throws(DataError) {
        shard = try TokenShard(path: path)
      } catch {
        throw error.kind == .empty ? damaged("is empty") : error
      }
      guard shard.checksum == expected.checksum, shard.tokenCount == expected.tokens else {
        throw damaged("is not the file that was packed")
      }
    }
  }
}
