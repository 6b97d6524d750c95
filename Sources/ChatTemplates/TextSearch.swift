/// Finds one text inside another, byte by byte (a match of UTF-8 in UTF-8 is one of scalars), in time linear in both even
/// for hostile texts: Knuth, Morris and Pratt's algorithm.
struct TextSearch {
  private let pattern: [UInt8]
  /// For each prefix of the pattern, the length of its longest proper prefix that is also its suffix.
  private let fallback: [Int]

  /// - Parameter pattern: not empty.
  init(_ pattern: String) { self.init(Array(pattern.utf8)) }

  /// Searches for the pattern in reversed text.
  init(reversing pattern: String) { self.init(pattern.utf8.reversed()) }

  private init(_ bytes: [UInt8]) {
    var fallback = [Int](repeating: 0, count: bytes.count)
    var length = 0
    for place in bytes.indices.dropFirst() {
      while length > 0, bytes[place] != bytes[length] { length = fallback[length - 1] }
      if bytes[place] == bytes[length] { length += 1 }
      fallback[place] = length
    }
    self.pattern = bytes
    self.fallback = fallback
  }

  /// The byte offsets at which the pattern starts, without overlaps, at most `limit` of them.
  func offsets(in text: [UInt8], limit: Int = .max) -> [Int] {
    var offsets: [Int] = []
    guard !pattern.isEmpty else { return offsets }
    var matched = 0
    for place in text.indices where offsets.count < limit {
      while matched > 0, text[place] != pattern[matched] { matched = fallback[matched - 1] }
      if text[place] == pattern[matched] { matched += 1 }
      if matched == pattern.count {
        offsets.append(place + 1 - matched)
        matched = 0
      }
    }
    return offsets
  }
}

extension String {
  /// Where the other text first stands in this one, in bytes; an empty text stands at the start.
  func firstRange(ofUTF8 other: String) -> Range<Int>? {
    if other.isEmpty { return 0..<0 }
    guard let start = TextSearch(other).offsets(in: Array(utf8), limit: 1).first else { return nil }
    return start..<(start + other.utf8.count)
  }

  /// The bytes of valid UTF-8 as text.
  init(bytes: some Collection<UInt8>) { self.init(decoding: bytes, as: UTF8.self) }
}
