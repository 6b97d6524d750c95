/// How often every piece of a corpus occurs: all that the search for merges needs of it. Several threads count parts of the corpus each for
/// itself; the sums do not depend on who counted what.
public struct WordCounts: Sendable {
  public let preTokenizer: TrainablePreTokenizer
  private(set) var words = ByteStrings()
  private(set) var counts: [Int] = []
  private var index = ByteStringIndex(capacity: 1 << 12)

  public init(_ preTokenizer: TrainablePreTokenizer) { self.preTokenizer = preTokenizer }

  /// How many different pieces there are.
  public var distinctCount: Int { counts.count }
  /// How many pieces there are.
  public var totalCount: Int { counts.reduce(0, +) }

  /// Counts the pieces of a text.
  /// - Parameter byLine: cuts the text behind every line feed first, so that no piece reaches over the end of a line. This is what
  ///   `tokenizers` does with files.
  public mutating func add(_ text: String, byLine: Bool = false) {
    var text = text
    text.withUTF8 { utf8 in
      guard byLine else { return add(utf8) }
      var start = 0
      while start < utf8.count {
        let end = utf8[start...].firstIndex(of: 0x0A).map { $0 + 1 } ?? utf8.count
        add(UnsafeBufferPointer(rebasing: utf8[start..<end]))
        start = end
      }
    }
  }

  private mutating func add(_ text: UnsafeBufferPointer<UInt8>) {
    var budget = RegexBudget(byteCount: text.count)
    let preTokenizer = self.preTokenizer.preTokenizer
    preTokenizer.forEachPiece(text, &budget) { add(UnsafeBufferPointer(rebasing: text[$0]), count: 1) }
  }

  /// Adds what another counter has counted.
  public mutating func add(_ other: WordCounts) {
    other.words.bytes.withUnsafeBufferPointer { bytes in
      for word in other.words.indices {
        add(UnsafeBufferPointer(rebasing: bytes[other.words.range(word)]), count: other.counts[word])
      }
    }
  }

  private mutating func add(_ word: UnsafeBufferPointer<UInt8>, count: Int) {
    if let known = index.find(word, in: words) {
      counts[known] += count
    } else {
      words.append(word)
      _ = index.insert(counts.count, of: words)
      counts.append(count)
    }
  }
}
