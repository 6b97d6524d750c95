/// The classes that the scanners tell apart, as bits of one byte.
enum ScalarClass {
  static let letter: UInt8 = 1
  static let mark: UInt8 = 2
  static let number: UInt8 = 4
  static let punctuation: UInt8 = 8
  static let symbol: UInt8 = 16
  static let whitespace: UInt8 = 32
  /// `\r` and `\n`, which are whitespace too.
  static let newline: UInt8 = 64
  /// What a scanner defines for itself.
  static let custom: UInt8 = 128

  static func general(_ value: UInt32) -> UInt8 {
    let mask = ScalarCategories.mask(value)
    var kind: UInt8 = 0
    if mask & CategoryMask.letter != 0 { kind |= letter }
    if mask & CategoryMask.mark != 0 { kind |= mark }
    if mask & CategoryMask.number != 0 { kind |= number }
    if mask & CategoryMask.punctuation != 0 { kind |= punctuation }
    if mask & CategoryMask.symbol != 0 { kind |= symbol }
    if ScalarCategories.isWhitespace(value) { kind |= whitespace }
    if value == 0x0A || value == 0x0D { kind |= newline }
    return kind
  }

  static let table = ScalarTable(general)
}

/// Cuts a text into pieces, one after the other.
protocol PieceScanner {
  /// The end of the piece that starts at a position before the end of the text; greater than the position.
  mutating func pieceEnd(_ start: Int) -> Int
}

extension ScalarText {
  /// The end of a run of whitespace in the patterns that end with `\s+(?!\S)|\s+`: all of it at the end of the text, else
  /// all but the last scalar, which goes with what follows; a single one stands alone. `boundary` classes end the text.
  @inline(__always)
  func whitespaceEnd(_ start: Int, boundary: UInt8) -> Int {
    var position = start
    var last = start
    while position < end {
      let (kind, next) = classify(position)
      if kind & ScalarClass.whitespace == 0 {
        return kind & boundary != 0 || last == start ? position : last
      }
      last = position
      position = next
    }
    return position
  }

  /// The same for the patterns with `\s*[\r\n]+` before them: a run with newlines ends after its last one.
  @inline(__always)
  func whitespaceOrNewlinesEnd(_ start: Int, boundary: UInt8) -> Int {
    var position = start
    var last = start
    var afterNewline = start
    while position < end {
      let (kind, next) = classify(position)
      if kind & ScalarClass.whitespace == 0 {
        if afterNewline > start { return afterNewline }
        return kind & boundary != 0 || last == start ? position : last
      }
      last = position
      position = next
      if kind & ScalarClass.newline != 0 { afterNewline = next }
    }
    return afterNewline > start ? afterNewline : position
  }
}
