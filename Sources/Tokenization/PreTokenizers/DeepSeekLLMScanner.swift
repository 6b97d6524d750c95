/// The splits of DeepSeek-LLM (DeepSeek-V2 has the same) and DeepSeek-Coder. Each split runs inside every piece that the
/// one before it left, the matched ones too:
///
///     DeepSeek-LLM                     DeepSeek-Coder
///     [\r\n]                           [\r\n]
///     \s?[A-Za-zµ…]+                   \s?\p{L}+
///     \s?[!-/:-~！-／：-～‘-‟　-。]+        \s?\p{P}+
///     \s+$                             –
///     [一-龥ࠀ-一가-퟿]+                   [一-龥ࠀ-一가-퟿]+
///     \p{N}                            \p{N}
///
/// The scanner remembers, for every split, where its current piece ends; a new piece is looked for only there, so each
/// split reads the text once.
struct DeepSeekLLMScanner: PieceScanner {
  let text: ScalarText
  let splitsTrailingWhitespace: Bool
  private var pieceEnds = InlineArray<6, Int>(repeating: 0)
  /// The match that ends the gap before it, found while looking for the gap's end.
  private var nextMatches = InlineArray<6, (start: Int, end: Int)>(repeating: (-1, -1))

  init(text: ScalarText, splitsTrailingWhitespace: Bool) {
    self.text = text
    self.splitsTrailingWhitespace = splitsTrailingWhitespace
  }

  private static let newline = ScalarClass.newline
  private static let whitespace = ScalarClass.whitespace
  private static let letters = ScalarClass.letter
  private static let punctuation = ScalarClass.punctuation
  private static let asian = ScalarClass.custom
  private static let number = ScalarClass.number

  static let coderTable = ScalarTable { value in
    let kept = newline | whitespace | letters | punctuation | number
    return ScalarClass.general(value) & kept | (isAsian(value) ? asian : 0)
  }

  static let languageTable = ScalarTable { value in
    var kind = ScalarClass.general(value) & (newline | whitespace | number) | (isAsian(value) ? asian : 0)
    if DeepSeekLLMPattern.letters.contains(value) { kind |= letters }
    switch value {
    case 0x21...0x2F, 0x3A...0x7E, 0xFF01...0xFF0F, 0xFF1A...0xFF5E, 0x2018...0x201F, 0x3000...0x3002: kind |= punctuation
    default: break
    }
    return kind
  }

  private static func isAsian(_ value: UInt32) -> Bool {
    switch value {
    case 0x0800...0x9FA5, 0xAC00...0xD7FF: true
    default: false
    }
  }

  mutating func pieceEnd(_ start: Int) -> Int {
    var limit = text.end
    for level in 0..<6 {
      if pieceEnds[level] <= start { pieceEnds[level] = levelPieceEnd(level, start, limit) }
      limit = pieceEnds[level]
    }
    return limit
  }

  @inline(__always)
  private mutating func levelPieceEnd(_ level: Int, _ start: Int, _ limit: Int) -> Int {
    if nextMatches[level].start == start { return nextMatches[level].end }
    guard let match = match(level, from: start, limit) else { return limit }
    if match.start == start { return match.end }
    nextMatches[level] = match
    return match.start
  }

  private func match(_ level: Int, from start: Int, _ limit: Int) -> (start: Int, end: Int)? {
    switch level {
    case 0: single(Self.newline, start, limit)
    case 1: run(Self.letters, start, limit)
    case 2: run(Self.punctuation, start, limit)
    case 3: splitsTrailingWhitespace ? trailingWhitespace(start, limit) : nil
    case 4: plainRun(Self.asian, start, limit)
    default: single(Self.number, start, limit)
    }
  }

  private func single(_ classes: UInt8, _ start: Int, _ limit: Int) -> (start: Int, end: Int)? {
    let found = text.skip(without: classes, from: start, to: limit)
    return found < limit ? (found, text.classify(found).next) : nil
  }

  private func plainRun(_ classes: UInt8, _ start: Int, _ limit: Int) -> (start: Int, end: Int)? {
    let found = text.skip(without: classes, from: start, to: limit)
    return found < limit ? (found, text.skip(classes, from: found, to: limit)) : nil
  }

  /// `\s?[classes]+`; a scalar may be whitespace and in the classes.
  private func run(_ classes: UInt8, _ start: Int, _ limit: Int) -> (start: Int, end: Int)? {
    var position = start
    while position < limit {
      let (kind, next) = text.classify(position)
      if kind & classes != 0 { return (position, text.skip(classes, from: next, to: limit)) }
      if kind & Self.whitespace != 0, next < limit, text.kind(next) & classes != 0 {
        return (position, text.skip(classes, from: next, to: limit))
      }
      position = next
    }
    return nil
  }

  /// `\s+$`, found from the end, so that long runs inside a piece cost nothing.
  private func trailingWhitespace(_ start: Int, _ limit: Int) -> (start: Int, end: Int)? {
    var first = limit
    while first > start {
      var previous = first - 1
      while previous > start, text.bytes[previous] & 0xC0 == 0x80 { previous -= 1 }
      if text.kind(previous) & Self.whitespace == 0 { break }
      first = previous
    }
    return first < limit ? (first, limit) : nil
  }
}

/// The letters of DeepSeek-LLM's second split: cased letters as of an old Unicode version.
enum DeepSeekLLMPattern {
  /// The inside of the pattern's brackets. Scalars that have a canonical equivalent are written as escapes.
  static let letterRanges =
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u{1f7d}ᾀ-ᾴᾶ-ᾼ\u{1fbe}ῂ-ῄῆ-ῌ"
    + "ῐ-\u{1fd3}ῖ-\u{1fdb}ῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u{2126}ℨ\u{212a}-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲"
    + "𑢠-𑣟𞤀-𞥃"

  static let letters: ScalarRanges = {
    let scalars = letterRanges.unicodeScalars.map(\.value)
    var ranges: [ClosedRange<UInt32>] = []
    var position = 0
    while position < scalars.count {
      let isRange = position + 2 < scalars.count && scalars[position + 1] == 0x2D
      ranges.append(scalars[position]...scalars[isRange ? position + 2 : position])
      position += isRange ? 3 : 1
    }
    return ScalarRanges(ranges)
  }()
}
