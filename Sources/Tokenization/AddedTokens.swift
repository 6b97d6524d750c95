/// A token that is found in the text before it is cut into pieces.
struct AddedToken: Sendable {
  var id: Int
  var content: [UInt8]
  var isSpecial: Bool
  /// Takes the whitespace before it too.
  var stripsLeft = false
  /// Takes the whitespace after it too.
  var stripsRight = false
  /// Only found where no word character stands beside it.
  var isSingleWord = false
  /// Found in the normalized text, not in the text as it came.
  var isNormalized = false

  /// Spelled as a mark, `<…>` or `[…]`, and not as a piece of text.
  var isMark: Bool {
    content.count > 2
      && (content.first == UInt8(ascii: "<") && content.last == UInt8(ascii: ">")
        || content.first == UInt8(ascii: "[") && content.last == UInt8(ascii: "]"))
  }
}

/// Which added tokens are recognised in a text.
public enum AddedTokenMatching: Sendable, Hashable {
  /// All of them.
  case all
  /// Those that are not special; special ones are text like any other.
  case nonSpecial
  /// Those that stand for pieces of text, such as letters and runs of spaces: neither special nor spelled `<…>` or `[…]`, which
  /// many vocabularies do not declare special.
  case text
  /// None: for text from strangers, in which no token may be forged.
  case none
}

/// Finds added tokens: the leftmost, and among those the longest.
struct AddedTokenMatcher: Sendable {
  /// Longer contents are refused, which bounds the time a search takes.
  static let maximumLength = 1024
  /// Of all contents together: each byte may be a node of the trie, which takes some forty.
  static let maximumTotalLength = 2 << 20

  private let tokens: [AddedToken]
  private var startsToken = [Bool](repeating: false, count: 256)
  /// The trie's edges, by node and byte.
  private var edges: [UInt64: Int32] = [:]
  /// By node: the index of the token that ends there, or -1.
  private var tokenAtNode: [Int32] = [-1]

  var isEmpty: Bool { tokens.isEmpty }

  init(_ tokens: [AddedToken]) {
    self.tokens = tokens.filter { !$0.content.isEmpty }
    for (index, token) in self.tokens.enumerated() {
      startsToken[Int(token.content[0])] = true
      var node: Int32 = 0
      for byte in token.content {
        let edge = UInt64(node) << 8 | UInt64(byte)
        if let next = edges[edge] {
          node = next
        } else {
          node = Int32(truncatingIfNeeded: tokenAtNode.count)
          edges[edge] = node
          tokenAtNode.append(-1)
        }
      }
      if tokenAtNode[Int(node)] < 0 { tokenAtNode[Int(node)] = Int32(truncatingIfNeeded: index) }
    }
  }

  /// Cuts a text at the tokens in it: calls `body` with every part in order, and the token's id where the part is one.
  func split(
    _ text: UnsafeBufferPointer<UInt8>, _ matching: AddedTokenMatching, _ body: (UnsafeBufferPointer<UInt8>, Int?) -> Void
  ) {
    var partStart = 0
    var position = 0
    while matching != .none, !tokens.isEmpty, let (match, token) = firstMatch(text, from: position) {
      position = match.upperBound
      if token.isSpecial, matching != .all { continue }
      if token.isMark, matching == .text { continue }
      if token.isSingleWord, Self.touchesWord(text, match) { continue }
      let start =
        token.stripsLeft ? Self.whitespaceStart(text, before: match.lowerBound, notBefore: partStart) : match.lowerBound
      let end = token.stripsRight ? Self.whitespaceEnd(text, after: match.upperBound) : match.upperBound
      if start > partStart { body(UnsafeBufferPointer(rebasing: text[partStart..<start]), nil) }
      body(UnsafeBufferPointer(rebasing: text[start..<end]), token.id)
      partStart = end
      position = max(position, end)
    }
    if partStart < text.count { body(UnsafeBufferPointer(rebasing: text[partStart...]), nil) }
  }

  private func firstMatch(_ text: UnsafeBufferPointer<UInt8>, from start: Int) -> (Range<Int>, AddedToken)? {
    startsToken.withUnsafeBufferPointer { startsToken in
      var position = start
      while position < text.count {
        if startsToken[Int(text[position])], let match = longestMatch(text, at: position) { return match }
        position += 1
      }
      return nil
    }
  }

  private func longestMatch(_ text: UnsafeBufferPointer<UInt8>, at start: Int) -> (Range<Int>, AddedToken)? {
    var node: Int32 = 0
    var found: (Range<Int>, AddedToken)?
    var position = start
    while position < text.count, let next = edges[UInt64(node) << 8 | UInt64(text[position])] {
      node = next
      position += 1
      if tokenAtNode[Int(node)] >= 0 { found = (start..<position, tokens[Int(tokenAtNode[Int(node)])]) }
    }
    return found
  }

  private static func touchesWord(_ text: UnsafeBufferPointer<UInt8>, _ match: Range<Int>) -> Bool {
    if let before = scalar(text, before: match.lowerBound), ScalarSet.isWord(before.value) { return true }
    guard let bytes = text.baseAddress, match.upperBound < text.count else { return false }
    return ScalarSet.isWord(decodeScalar(bytes, match.upperBound).value)
  }

  private static func whitespaceStart(
    _ text: UnsafeBufferPointer<UInt8>, before position: Int, notBefore limit: Int
  ) -> Int {
    var start = position
    while start > limit, let (value, previous) = scalar(text, before: start), ScalarCategories.isWhitespace(value) {
      start = previous
    }
    return start
  }

  private static func whitespaceEnd(_ text: UnsafeBufferPointer<UInt8>, after position: Int) -> Int {
    guard let bytes = text.baseAddress else { return position }
    var end = position
    while end < text.count {
      let (value, next) = decodeScalar(bytes, end)
      if !ScalarCategories.isWhitespace(value) { break }
      end = next
    }
    return end
  }

  private static func scalar(_ text: UnsafeBufferPointer<UInt8>, before position: Int) -> (value: UInt32, start: Int)? {
    guard position > 0, let bytes = text.baseAddress else { return nil }
    var start = position - 1
    while start > 0, bytes[start] & 0xC0 == 0x80 { start -= 1 }
    return (decodeScalar(bytes, start).value, start)
  }
}
