public import SwiftletTokenization

/// The tokens of a vocabulary by their bytes, for walking an automaton over all of them at once.
///
/// Nodes stand in preorder, so that the subtree of a node is the range from it to its `end`.
public final class TokenTrie: Sendable {
  /// Longer tokens are left out: they are rows of spaces and the like, and counters need to look no further ahead than this.
  static let maximumTokenBytes = 32

  public let vocabularySize: Int
  /// The byte that leads to a node; the root's has no meaning.
  let bytes: [UInt8]
  /// The first node behind a node's subtree.
  let ends: [Int32]
  /// The depth of a node: how many bytes lead to it.
  let depths: [UInt8]
  /// The tokens of node n are `tokens[firstToken[n]..<firstToken[n + 1]]`.
  let firstToken: [Int32]
  let tokens: [Int32]
  /// Whether a byte is a token.
  let isByteToken: [Bool]

  /// - Parameter excluded: tokens that stand for no text, such as those that end an answer. Control tokens are left out anyway.
  public convenience init(_ tokenizer: Tokenizer, excluding excluded: Set<Int32> = []) {
    self.init(vocabularySize: tokenizer.vocabularySize) { id in
      tokenizer.isSpecial(id) || excluded.contains(id) ? [] : tokenizer.bytes(of: id)
    }
  }

  /// - Parameter bytesOf: of an id below the size; empty for a token that must not be used.
  init(vocabularySize: Int, bytesOf: (Int32) -> ArraySlice<UInt8>) {
    self.vocabularySize = vocabularySize
    var all: [(bytes: [UInt8], id: Int32)] = []
    for id in 0..<Int32(vocabularySize) {
      let bytes = bytesOf(id)
      if !bytes.isEmpty, bytes.count <= Self.maximumTokenBytes { all.append((Array(bytes), id)) }
    }
    all.sort { $0.bytes.lexicographicallyPrecedes($1.bytes) || ($0.bytes == $1.bytes && $0.id < $1.id) }
    var bytes: [UInt8] = [0], ends: [Int32] = [0], depths: [UInt8] = [0], firstToken: [Int32] = [0], tokens: [Int32] = []
    var path = [0], previous: [UInt8] = []
    for (text, id) in all {
      let common = zip(previous, text).prefix { $0 == $1 }.count
      for node in path[(common + 1)...] { ends[node] = Int32(bytes.count) }
      path.removeSubrange((common + 1)...)
      for byte in text[common...] {
        path.append(bytes.count)
        bytes.append(byte)
        ends.append(0)
        depths.append(UInt8(path.count - 1))
        firstToken.append(Int32(tokens.count))
      }
      tokens.append(id)
      previous = text
    }
    for node in path { ends[node] = Int32(bytes.count) }
    firstToken.append(Int32(tokens.count))
    self.bytes = bytes
    self.ends = ends
    self.depths = depths
    self.firstToken = firstToken
    self.tokens = tokens
    var isByteToken = [Bool](repeating: false, count: 256)
    var child = 1
    while child < bytes.count {
      isByteToken[Int(bytes[child])] = firstToken[child] < firstToken[child + 1]
      child = Int(ends[child])
    }
    self.isByteToken = isByteToken
  }

  @inline(__always)
  func tokens(at node: Int) -> ArraySlice<Int32> { tokens[Int(firstToken[node])..<Int(firstToken[node + 1])] }

  @inline(__always)
  func hasChildren(_ node: Int) -> Bool { Int(ends[node]) > node + 1 }

  func child(of node: Int, _ byte: UInt8) -> Int? {
    var child = node + 1
    while child < Int(ends[node]) {
      if bytes[child] == byte { return child }
      child = Int(ends[child])
    }
    return nil
  }
}

/// A set of tokens: one bit an id.
public struct TokenMask: Sendable, Equatable {
  public private(set) var words: [UInt64]

  public init(count: Int) { words = [UInt64](repeating: 0, count: (count + 63) / 64) }

  public var isEmpty: Bool { words.allSatisfy { $0 == 0 } }
  /// The lowest id.
  public var first: Int32? {
    words.firstIndex { $0 != 0 }.map { Int32($0 * 64 + words[$0].trailingZeroBitCount) }
  }

  public func contains(_ token: Int32) -> Bool {
    let word = Int(token) >> 6
    return words.indices.contains(word) && words[word] >> UInt64(token & 63) & 1 == 1
  }

  public mutating func insert(_ token: Int32) {
    if words.indices.contains(Int(token) >> 6) { words[Int(token) >> 6] |= 1 << UInt64(token & 63) }
  }

  mutating func remove(_ token: Int32) {
    if words.indices.contains(Int(token) >> 6) { words[Int(token) >> 6] &= ~(1 << UInt64(token & 63)) }
  }

  mutating func formUnion(_ other: TokenMask) {
    for index in words.indices where index < other.words.count { words[index] |= other.words[index] }
  }

  public mutating func removeAll() { for index in words.indices { words[index] = 0 } }

  /// Makes the logits of all other tokens minus infinity.
  public func apply(to logits: UnsafeMutableBufferPointer<Float>) {
    for index in stride(from: 0, to: logits.count, by: 64) {
      let word = index >> 6 < words.count ? words[index >> 6] : 0
      if word == .max { continue }
      for bit in 0..<min(64, logits.count - index) where word >> UInt64(bit) & 1 == 0 { logits[index + bit] = -.infinity }
    }
  }
}
