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
  static let letters = ScalarRanges([
    0x0041...0x005A, 0x0061...0x007A, 0x00B5...0x00B5, 0x00C0...0x00D6, 0x00D8...0x00F6, 0x00F8...0x01BA, 0x01BC...0x01BF,
    0x01C4...0x0293, 0x0295...0x02AF, 0x0370...0x0373, 0x0376...0x0377, 0x037B...0x037D, 0x037F...0x037F, 0x0386...0x0386,
    0x0388...0x038A, 0x038C...0x038C, 0x038E...0x03A1, 0x03A3...0x03F5, 0x03F7...0x0481, 0x048A...0x052F, 0x0531...0x0556,
    0x10A0...0x10C5, 0x13A0...0x13F5, 0x13F8...0x13FD, 0x1C90...0x1CBA, 0x1CBD...0x1CBF, 0x1D00...0x1D2B, 0x1D6B...0x1D77,
    0x1D79...0x1D9A, 0x1E00...0x1F15, 0x1F18...0x1F1D, 0x1F20...0x1F45, 0x1F48...0x1F4D, 0x1F50...0x1F57, 0x1F59...0x1F59,
    0x1F5B...0x1F5B, 0x1F5D...0x1F5D, 0x1F5F...0x1F7D, 0x1F80...0x1FB4, 0x1FB6...0x1FBC, 0x1FBE...0x1FBE, 0x1FC2...0x1FC4,
    0x1FC6...0x1FCC, 0x1FD0...0x1FD3, 0x1FD6...0x1FDB, 0x1FE0...0x1FEC, 0x1FF2...0x1FF4, 0x1FF6...0x1FFC, 0x2102...0x2102,
    0x2107...0x2107, 0x210A...0x2113, 0x2115...0x2115, 0x2119...0x211D, 0x2124...0x2124, 0x2126...0x2126, 0x2128...0x2128,
    0x212A...0x212D, 0x212F...0x2134, 0x2139...0x2139, 0x213C...0x213F, 0x2145...0x2149, 0x214E...0x214E, 0x2183...0x2184,
    0x2C00...0x2C7B, 0x2C7E...0x2CE4, 0x2CEB...0x2CEE, 0x2CF2...0x2CF3, 0xA640...0xA66D, 0xA680...0xA69B, 0xA722...0xA76F,
    0xA771...0xA787, 0xA78B...0xA78E, 0xAB70...0xABBF, 0xFB00...0xFB06, 0xFB13...0xFB17, 0xFF21...0xFF3A, 0xFF41...0xFF5A,
    0x10400...0x1044F, 0x104B0...0x104D3, 0x104D8...0x104FB, 0x10C80...0x10CB2, 0x10CC0...0x10CF2, 0x118A0...0x118DF,
    0x1E900...0x1E943,
  ])
}
