/// What a token is, as far as texts are concerned.
enum TokenKind: UInt8, Sendable {
  /// No token has the id.
  case absent
  /// Written in the byte alphabet; results from merges.
  case ordinary
  /// Its text stands for itself.
  case literal
  /// One byte, written `<0xAB>`.
  case byte
}

/// Collects a vocabulary from a file, checks it, and makes the model.
struct VocabularyBuilder {
  /// No vocabulary is near it; a file that says more would have memory allocated for its claim alone.
  static let maximumSize = 1 << 20
  /// Ids without tokens take room too. Vocabularies have few: added tokens may begin at a round number.
  private static let unusedIDs = 1 << 16

  let source: String
  /// Ids are below it.
  private var size = VocabularyBuilder.maximumSize
  private var texts: [String?] = []
  private(set) var kinds: [TokenKind] = []
  /// The tokens' texts as the file writes them, and ids by text.
  private var names = ByteStrings()
  private var nameIndex = ByteStringIndex(capacity: 0)
  private var merges = MergeTable(capacity: 0)
  private var scratch: (left: [UInt8], right: [UInt8]) = ([], [])
  /// Of all added tokens together.
  private var addedBytes = 0

  init(source: String) { self.source = source }

  /// Says how many tokens will be added, at most.
  mutating func expect(_ count: Int) {
    let count = min(count, Self.maximumSize)
    size = min(4 * count + Self.unusedIDs, Self.maximumSize)
    texts.reserveCapacity(count)
    kinds.reserveCapacity(count)
    names.reserve(count)
  }

  func malformed(_ field: String, _ reason: String) -> TokenizerError {
    TokenizerError(.malformed, source: source, field: field, reason: reason)
  }

  func unsupported(_ field: String, _ reason: String) -> TokenizerError {
    TokenizerError(.unsupported, source: source, field: field, reason: reason)
  }

  mutating func add(_ id: Int, _ text: String, _ kind: TokenKind, field: @autoclosure () -> String) throws(TokenizerError) {
    guard (0..<size).contains(id) else {
      throw malformed(field(), "the id \(id) of \(TokenizerError.quote(text)) is outside 0..<\(size)")
    }
    // Not twice the room for ids that nothing has.
    if id > texts.count + 1024 { texts.reserveCapacity(id + 1) }
    while texts.count <= id {
      texts.append(nil)
      kinds.append(.absent)
    }
    if let other = texts[id] {
      throw malformed(field(), "the id \(id) belongs to \(TokenizerError.quote(other)) and \(TokenizerError.quote(text))")
    }
    texts[id] = text
    kinds[id] = kind
  }

  /// Counts the text of a token that will be found in texts.
  mutating func countAdded(_ text: String, field: @autoclosure () -> String) throws(TokenizerError) {
    let bytes = text.utf8.count, limit = AddedTokenMatcher.maximumLength, allLimit = AddedTokenMatcher.maximumTotalLength
    guard bytes <= limit else {
      throw malformed(field(), "an added token of \(bytes) bytes, at most \(limit) are expected")
    }
    addedBytes += bytes
    guard addedBytes <= allLimit else {
      throw malformed(field(), "with it all added tokens have \(addedBytes) bytes, at most \(allLimit) are expected")
    }
  }

  func text(_ id: Int) -> String? { texts.indices.contains(id) ? texts[id] : nil }

  mutating func setKind(_ id: Int, _ kind: TokenKind) { kinds[id] = kind }

  /// After the last `add` and before the first merge: makes the tokens findable by text.
  mutating func index(field: String, mergeCount: Int) throws(TokenizerError) {
    nameIndex = ByteStringIndex(capacity: texts.count)
    for (id, text) in texts.enumerated() {
      names.append((text ?? "").utf8)
      // Some files fill places that no token has with empty texts.
      if let text, !text.isEmpty, !nameIndex.insert(id, of: names) {
        let other = find(Array(text.utf8)) ?? id
        throw malformed(field, "the token \(TokenizerError.quote(text)) has two ids, \(other) and \(id)")
      }
    }
    merges = MergeTable(capacity: mergeCount)
  }

  /// The id of the token with a text, as the file writes it.
  func find(_ text: [UInt8]) -> Int? { text.withUnsafeBufferPointer { nameIndex.find($0, in: names) } }

  mutating func addMerge(_ left: some Sequence<UInt8>, _ right: some Sequence<UInt8>, rank: Int, field: String)
    throws(TokenizerError)
  {
    scratch.left.removeAll(keepingCapacity: true)
    scratch.left.append(contentsOf: left)
    scratch.right.removeAll(keepingCapacity: true)
    scratch.right.append(contentsOf: right)
    func known(_ text: [UInt8]) throws(TokenizerError) -> Int {
      guard let id = find(text) else {
        let name = TokenizerError.quote(String(decoding: text, as: UTF8.self))
        throw malformed("\(field)[\(rank)]", "\(name) is not in the vocabulary")
      }
      return id
    }
    let leftID = try known(scratch.left)
    let rightID = try known(scratch.right)
    scratch.left.append(contentsOf: scratch.right)
    let merged = try known(scratch.left)
    guard merges.insert(leftID, rightID, rank: rank, merged: merged) else {
      throw malformed("\(field)[\(rank)]", "the merge to \(TokenizerError.quote(text(merged) ?? "")) is listed twice")
    }
  }

  /// Adds a merge written as two tokens with a space between them.
  mutating func addMerge(_ text: String, rank: Int, field: String) throws(TokenizerError) {
    let utf8 = text.utf8
    guard let space = utf8.firstIndex(of: 0x20), !utf8[utf8.index(after: space)...].contains(0x20) else {
      throw malformed("\(field)[\(rank)]", "found \(TokenizerError.quote(text)), expected two tokens with one space between them")
    }
    try addMerge(utf8[..<space], utf8[utf8.index(after: space)...], rank: rank, field: field)
  }

  func model(unknown: Int?, fusesUnknown: Bool, ignoresMerges: Bool) -> BytePairModel {
    var tokenBytes = ByteStrings()
    tokenBytes.reserve(texts.count)
    var tokens = ByteStringIndex(capacity: texts.count)
    var byteTokens = [Int32](repeating: -1, count: 256)
    for (id, text) in texts.enumerated() {
      guard let text else {
        tokenBytes.append([])
        continue
      }
      switch kinds[id] {
      case .ordinary:
        guard let bytes = ByteAlphabet.decode(text) else {
          tokenBytes.append(text.utf8)
          continue
        }
        tokenBytes.append(bytes)
        _ = tokens.insert(id, of: tokenBytes)
        if bytes.count == 1 { byteTokens[Int(bytes[0])] = Int32(truncatingIfNeeded: id) }
      case .byte: tokenBytes.append(Self.byte(text).map { [$0] } ?? Array(text.utf8))
      case .literal, .absent: tokenBytes.append(text.utf8)
      }
    }
    return BytePairModel(
      tokenBytes: tokenBytes, tokens: tokens, merges: merges, byteTokens: byteTokens, unknown: unknown,
      fusesUnknown: fusesUnknown, ignoresMerges: ignoresMerges)
  }

  /// The byte that `<0xAB>` stands for.
  private static func byte(_ text: String) -> UInt8? {
    let utf8 = Array(text.utf8)
    guard utf8.count == 6, text.hasPrefix("<0x"), utf8[5] == UInt8(ascii: ">") else { return nil }
    return UInt8(String(decoding: utf8[3..<5], as: UTF8.self), radix: 16)
  }
}
