/// DeepSeek-V3's and R1's three splits in one pass. The first isolates `\p{N}{1,3}`, the second `[一-龥぀-ゟ゠-ヿ]+`; the third,
/// ``[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+``,
/// runs inside the pieces they leave, so for it the text ends where a number or a scalar of the second set begins.
struct DeepSeekV3Scanner: PieceScanner {
  let text: ScalarText

  static let table = ScalarTable { value in
    switch value {
    // No class but its own: for the third split these scalars are not there.
    case 0x4E00...0x9FA5, 0x3040...0x30FF: ScalarClass.custom
    default: ScalarClass.general(value)
    }
  }

  private static let boundary = ScalarClass.number | ScalarClass.custom
  private static let word = ScalarClass.letter | ScalarClass.mark
  private static let punctuation = ScalarClass.punctuation | ScalarClass.symbol
  private static let matched = word | punctuation | ScalarClass.whitespace | boundary

  @inline(__always)
  mutating func pieceEnd(_ start: Int) -> Int {
    let (kind, next) = text.classify(start)
    if kind & Self.word != 0 { return text.skip(Self.word, from: next, to: text.end) }
    if kind & ScalarClass.custom != 0 { return text.skip(ScalarClass.custom, from: next, to: text.end) }
    if kind & ScalarClass.number != 0 { return numbersEnd(next) }
    if next == text.end { return next }
    let (following, afterFollowing) = text.classify(next)
    if kind & Self.punctuation != 0 {
      if text.bytes[start] < 0x80, following & ScalarClass.letter != 0, text.bytes[next] < 0x80 {
        return asciiLettersEnd(afterFollowing)
      }
      return punctuationEnd(next)
    }
    if following & Self.word != 0, kind & ScalarClass.newline == 0 {
      return text.skip(Self.word, from: afterFollowing, to: text.end)
    }
    if kind & ScalarClass.whitespace != 0 {
      if text.bytes[start] == UInt8(ascii: " "), following & Self.punctuation != 0 { return punctuationEnd(afterFollowing) }
      return text.whitespaceOrNewlinesEnd(start, boundary: Self.boundary)
    }
    return unmatchedEnd(next)
  }

  @inline(__always)
  private func numbersEnd(_ afterFirst: Int) -> Int {
    var position = afterFirst
    var length = 1
    while length < 3, position < text.end {
      let (kind, next) = text.classify(position)
      if kind & ScalarClass.number == 0 { break }
      position = next
      length += 1
    }
    return position
  }

  @inline(__always)
  private func asciiLettersEnd(_ start: Int) -> Int {
    var position = start
    while position < text.end, text.bytes[position] < 0x80, text.kind(position) & ScalarClass.letter != 0 { position += 1 }
    return position
  }

  @inline(__always)
  private func punctuationEnd(_ start: Int) -> Int {
    let end = text.skip(Self.punctuation, from: start, to: text.end)
    return text.skip(ScalarClass.newline, from: end, to: text.end)
  }

  /// What the pattern does not match (controls, unassigned scalars) stays together, except for a last scalar that a
  /// following word takes as its prefix.
  private func unmatchedEnd(_ start: Int) -> Int {
    var position = start
    while position < text.end {
      let (kind, next) = text.classify(position)
      if kind & Self.matched != 0 { break }
      if next < text.end, text.kind(next) & Self.word != 0 { break }
      position = next
    }
    return position
  }
}
