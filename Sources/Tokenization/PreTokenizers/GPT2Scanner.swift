/// GPT-2's pattern, `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, and SmolLM's, which
/// isolates every number scalar before, so that the pattern sees one as the end of the text.
struct GPT2Scanner: PieceScanner {
  let text: ScalarText
  let individualNumbers: Bool

  private static let words = ScalarClass.letter | ScalarClass.number | ScalarClass.whitespace

  @inline(__always)
  mutating func pieceEnd(_ start: Int) -> Int {
    let (kind, next) = text.classify(start)
    if kind & ScalarClass.number != 0, individualNumbers { return next }
    if kind & Self.words == 0 {
      if text.bytes[start] == UInt8(ascii: "'"), let end = contractionEnd(next) { return end }
      return text.skip(without: Self.words, from: next, to: text.end)
    }
    if kind & ScalarClass.whitespace == 0 { return text.skip(kind, from: next, to: text.end) }
    if text.bytes[start] == UInt8(ascii: " "), next < text.end {
      let (following, afterFollowing) = text.classify(next)
      if following & ScalarClass.letter != 0 {
        return text.skip(ScalarClass.letter, from: afterFollowing, to: text.end)
      }
      if following & Self.words == 0 { return text.skip(without: Self.words, from: afterFollowing, to: text.end) }
      if following & ScalarClass.number != 0, !individualNumbers {
        return text.skip(ScalarClass.number, from: afterFollowing, to: text.end)
      }
    }
    return text.whitespaceEnd(start, boundary: individualNumbers ? ScalarClass.number : 0)
  }

  /// After an apostrophe: `s`, `t`, `re`, `ve`, `m`, `ll` or `d`.
  @inline(__always)
  private func contractionEnd(_ position: Int) -> Int? {
    guard position < text.end else { return nil }
    switch text.bytes[position] {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return position + 1
    case UInt8(ascii: "r"), UInt8(ascii: "v"):
      return position + 1 < text.end && text.bytes[position + 1] == UInt8(ascii: "e") ? position + 2 : nil
    case UInt8(ascii: "l"):
      return position + 1 < text.end && text.bytes[position + 1] == UInt8(ascii: "l") ? position + 2 : nil
    default: return nil
    }
  }
}
