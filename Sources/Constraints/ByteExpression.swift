/// A regular language of bytes, as it is put together before it becomes a `ByteAutomaton`.
indirect enum ByteExpression: Sendable {
  /// One byte out of these.
  case bytes(ClosedRange<UInt8>)
  /// These bytes, one after the other: a long name takes no more memory than it has.
  case literal([UInt8])
  case sequence([ByteExpression])
  case choice([ByteExpression])
  /// From `minimum` to `maximum` times; nil for any number.
  case repetition(ByteExpression, minimum: Int, maximum: Int?)

  /// The empty text and nothing else.
  static var empty: ByteExpression { .sequence([]) }
  /// No text at all.
  static var nothing: ByteExpression { .choice([]) }

  static func text(_ text: String) -> ByteExpression { .literal(Array(text.utf8)) }

  static func optional(_ expression: ByteExpression) -> ByteExpression { .choice([.empty, expression]) }

  /// One ASCII character out of these.
  static func oneOf(_ characters: String) -> ByteExpression { .choice(characters.utf8.map { .bytes($0...$0) }) }

  static let digit = ByteExpression.bytes(UInt8(ascii: "0")...UInt8(ascii: "9"))

  /// `minimum` to `maximum` digits.
  static func digits(_ minimum: Int, _ maximum: Int) -> ByteExpression {
    .repetition(digit, minimum: minimum, maximum: maximum)
  }

  /// Unicode scalars as UTF-8 has them, surrogates left out.
  static func utf8(_ range: ClosedRange<UInt32>) -> ByteExpression {
    var parts: [ByteExpression] = []
    let limits: [ClosedRange<UInt32>] = [0...0x7F, 0x80...0x7FF, 0x800...0xD7FF, 0xE000...0xFFFF, 0x10000...0x10FFFF]
    for limit in limits where limit.overlaps(range) {
      let part = range.clamped(to: limit)
      appendUTF8(part.lowerBound, part.upperBound, to: &parts)
    }
    return .choice(parts)
  }

  /// Cuts a range of scalars with encodings of one length until every byte varies on its own (as RE2 does).
  private static func appendUTF8(_ low: UInt32, _ high: UInt32, to parts: inout [ByteExpression]) {
    for shift in [UInt32(6), 12, 18] {
      let mask = (UInt32(1) << shift) - 1
      if low & ~mask != high & ~mask {
        if low & mask != 0 {
          appendUTF8(low, low | mask, to: &parts)
          return appendUTF8((low | mask) + 1, high, to: &parts)
        }
        if high & mask != mask {
          appendUTF8(low, (high & ~mask) - 1, to: &parts)
          return appendUTF8(high & ~mask, high, to: &parts)
        }
      }
    }
    guard let first = Unicode.Scalar(low), let last = Unicode.Scalar(high) else { return }
    parts.append(
      .sequence(
        zip(UTF8.encode(first).map { Array($0) } ?? [], UTF8.encode(last).map { Array($0) } ?? []).map { .bytes($0...$1) }))
  }
}
