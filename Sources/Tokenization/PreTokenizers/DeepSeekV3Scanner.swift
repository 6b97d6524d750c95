/// DeepSeek-V3's and R1's three splits in one pass. The first isolates `\p{N}{1,3}`, the second `[一-龥぀-ゟ゠-ヿ]+`; the third,
/// ``[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+``,
/// runs inside every piece they leave, the matched ones too. So for it the text ends where a number begins, and where a run
/// of scalars of the second set begins or ends; inside such a run it may still cut, at `゠` or `・` for example.
struct DeepSeekV3Scanner: PieceScanner {
  let text: ScalarText

  // The classes are this scanner's own: what the second split takes must not look like what it leaves.
  private static let word: UInt8 = 1
  private static let punctuation: UInt8 = 2
  private static let number: UInt8 = 4
  private static let asianWord: UInt8 = 8
  private static let asianPunctuation: UInt8 = 16
  private static let whitespace = ScalarClass.whitespace
  private static let newline = ScalarClass.newline
  private static let asianOther: UInt8 = 128
  private static let boundary = number | asianWord | asianPunctuation | asianOther

  static let table = ScalarTable { value in
    let mask = ScalarCategories.mask(value)
    let isWord = mask & (CategoryMask.letter | CategoryMask.mark) != 0
    let isPunctuation = mask & (CategoryMask.punctuation | CategoryMask.symbol) != 0
    switch value {
    case 0x4E00...0x9FA5, 0x3040...0x30FF: return isWord ? asianWord : isPunctuation ? asianPunctuation : asianOther
    default:
      return (isWord ? word : 0) | (isPunctuation ? punctuation : 0) | (mask & CategoryMask.number != 0 ? number : 0)
        | ScalarClass.general(value) & (whitespace | newline)
    }
  }

  @inline(__always)
  mutating func pieceEnd(_ start: Int) -> Int {
    let (kind, next) = text.classify(start)
    if kind & (Self.word | Self.asianWord | Self.asianPunctuation) != 0 { return text.skip(kind, from: next, to: text.end) }
    if kind & Self.number != 0 { return numbersEnd(next) }
    if next == text.end { return next }
    let (following, afterFollowing) = text.classify(next)
    if kind & Self.punctuation != 0 {
      if text.bytes[start] < 0x80, following & Self.word != 0, text.bytes[next] < 0x80 { return asciiLettersEnd(afterFollowing) }
      return punctuationEnd(next)
    }
    if kind & Self.asianOther != 0 { return otherEnd(next, Self.asianOther, Self.asianWord) }
    if following & Self.word != 0, kind & Self.newline == 0 { return text.skip(Self.word, from: afterFollowing, to: text.end) }
    if kind & Self.whitespace != 0 {
      if text.bytes[start] == UInt8(ascii: " "), following & Self.punctuation != 0 { return punctuationEnd(afterFollowing) }
      return text.whitespaceOrNewlinesEnd(start, boundary: Self.boundary)
    }
    return otherEnd(next, 0, Self.word)
  }

  @inline(__always)
  private func numbersEnd(_ afterFirst: Int) -> Int {
    var position = afterFirst
    var length = 1
    while length < 3, position < text.end {
      let (kind, next) = text.classify(position)
      if kind & Self.number == 0 { break }
      position = next
      length += 1
    }
    return position
  }

  @inline(__always)
  private func asciiLettersEnd(_ start: Int) -> Int {
    var position = start
    while position < text.end, text.bytes[position] < 0x80, text.kind(position) & Self.word != 0 { position += 1 }
    return position
  }

  @inline(__always)
  private func punctuationEnd(_ start: Int) -> Int {
    let end = text.skip(Self.punctuation, from: start, to: text.end)
    return text.skip(Self.newline, from: end, to: text.end)
  }

  /// After a scalar that only a following word would take, as its prefix (a control, an unassigned scalar): such a word, or
  /// the run of scalars that the pattern does not match, without a last one that a word takes.
  private func otherEnd(_ start: Int, _ other: UInt8, _ word: UInt8) -> Int {
    var end = start
    while end < text.end {
      let (kind, next) = text.classify(end)
      if end == start, kind & word != 0 { return text.skip(word, from: next, to: text.end) }
      if kind != other { break }
      if next < text.end, text.kind(next) & word != 0 { break }
      end = next
    }
    return end
  }
}
