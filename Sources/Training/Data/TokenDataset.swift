internal import Foundation

/// One part of a folder that `DataPacking` made: its token files, opened and checked.
public struct TokenDataset: Sendable {
  public let folder: String
  public let split: DataSplit
  public let vocabulary: VocabularyIdentity
  public let tokenCount: Int
  public let documentCount: Int
  /// Changes with the content.
  public let checksum: UInt64
  let shards: [TokenShard]
  /// By shard: how many tokens, and how many documents, the shards before it have.
  private let tokenStarts: [Int]
  private let documentStarts: [Int]

  /// - Parameters:
  ///   - vocabulary: the model's, with which the data must have been made; nil accepts any.
  ///   - verifies: reads all files and compares their checksums, which takes about a second for a billion tokens or two.
  /// - Throws: `DataError`: `.damaged` when something is missing, incomplete or changed, `.vocabulary` when it was made with another
  ///   vocabulary, `.empty` when the part has no tokens.
  public init(
    folder: String, split: DataSplit = .training, vocabulary: VocabularyIdentity? = nil, verifies: Bool = true
  ) throws(DataError) {
    let url = URL(fileURLWithPath: folder), path = url.appendingPathComponent(DatasetManifest.name).path
    guard FileManager.default.fileExists(atPath: path) else {
      let isBegun = FileManager.default.fileExists(atPath: url.appendingPathComponent(DatasetManifest.partialName).path)
      throw DataError(
        .damaged, file: folder,
        reason: isBegun
          ? "is not finished: run 'swiftlet data pack' again, which goes on where it was stopped"
          : "has no \(DatasetManifest.name), expected a folder made by 'swiftlet data pack'")
    }
    let manifest = try DatasetManifest(path: path)
    if let vocabulary, vocabulary != manifest.vocabulary {
      throw DataError(
        .vocabulary, file: folder,
        reason:
          "was made with a vocabulary of \(manifest.vocabulary.size) tokens (\(String(manifest.vocabulary.hash, radix: 16))), "
          + "expected the one of \(vocabulary.size) tokens (\(String(vocabulary.hash, radix: 16))): pack it with this tokenizer")
    }
    var shards: [TokenShard] = [], tokenStarts = [0], documentStarts = [0]
    var checksum = manifest.vocabulary.hash
    for expected in manifest.shards[split] ?? [] {
      let shard = try TokenShard(path: url.appendingPathComponent(expected.file).path, verifies: verifies)
      guard shard.vocabulary == manifest.vocabulary, shard.tokenCount == expected.tokens,
        shard.documentCount == expected.documents, shard.checksum == expected.checksum
      else {
        throw DataError(
          .damaged, file: shard.path, reason: "is not the file that \(DatasetManifest.name) describes; pack the data anew")
      }
      shards.append(shard)
      tokenStarts.append((tokenStarts.last ?? 0) + shard.tokenCount)
      documentStarts.append((documentStarts.last ?? 0) + shard.documentCount)
      checksum = SeededGenerator.mix(checksum ^ shard.checksum)
    }
    guard let tokens = tokenStarts.last, tokens > 0, let documents = documentStarts.last else {
      throw DataError(.empty, file: folder, reason: "has no documents in its part for \(split.rawValue)")
    }
    (self.folder, self.split, self.shards, self.checksum) = (folder, split, shards, checksum)
    (self.tokenStarts, self.documentStarts) = (tokenStarts, documentStarts)
    self.vocabulary = manifest.vocabulary
    (tokenCount, documentCount) = (tokens, documents)
  }

  /// The shard that has a place, and the place in it.
  private static func locate(_ place: Int, _ starts: [Int]) -> (shard: Int, place: Int) {
    var (low, high) = (0, starts.count - 1)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= place { low = middle } else { high = middle }
    }
    return (low, place - starts[low])
  }

  /// The tokens of a document, as a range of the whole part's.
  public func document(_ index: Int) -> Range<Int> {
    let (shard, place) = Self.locate(index, documentStarts)
    let range = shards[shard].document(place)
    return range.lowerBound + tokenStarts[shard]..<range.upperBound + tokenStarts[shard]
  }

  /// Calls `body` with every part of a range of tokens that lies in one document: the shard, and the tokens in it.
  func forEachDocument(in range: Range<Int>, _ body: (TokenShard, Range<Int>) -> Void) {
    var place = range.lowerBound
    while place < range.upperBound {
      let (index, token) = Self.locate(place, tokenStarts)
      let shard = shards[index]
      let end = min(shard.documentEnd(shard.documentIndex(of: token)), token + range.upperBound - place)
      body(shard, token..<end)
      place += end - token
    }
  }

  /// - Throws: `DataError` when a file changed since it was opened.
  public func check() throws(DataError) { for shard in shards { try shard.check() } }
}
