/// Llama-3's pattern, `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
/// Qwen2's differs only in `\p{N}` instead of `\p{N}{1,3}`.
struct Llama3Scanner: PieceScanner {
  let text: ScalarText
  let maximumNumberLength: Int

  private static let words = ScalarClass.letter | ScalarClass.number | ScalarClass.whitespace
  private static let notPrefix = ScalarClass.letter | ScalarClass.number | ScalarClass.newline

  @inline(__always)
  mutating func pieceEnd(_ start: Int) -> Int {
    let (kind, next) = text.classify(start)
    if kind & ScalarClass.letter != 0 { return text.skip(ScalarClass.letter, from: next, to: text.end) }
    if text.bytes[start] == UInt8(ascii: "'"), let end = contractionEnd(next) { return end }
    if kind & ScalarClass.number != 0 { return numbersEnd(next) }
    if next < text.end {
      let (following, afterFollowing) = text.classify(next)
      if kind & Self.notPrefix == 0, following & ScalarClass.letter != 0 {
        return text.skip(ScalarClass.letter, from: afterFollowing, to: text.end)
      }
      if text.bytes[start] == UInt8(ascii: " "), following & Self.words == 0 { return othersEnd(afterFollowing) }
    }
    if kind & Self.words == 0 { return othersEnd(next) }
    return text.whitespaceOrNewlinesEnd(start, boundary: 0)
  }

  @inline(__always)
  private func othersEnd(_ position: Int) -> Int {
    let end = text.skip(without: Self.words, from: position, to: text.end)
    return text.skip(ScalarClass.newline, from: end, to: text.end)
  }

  @inline(__always)
  private func numbersEnd(_ afterFirst: Int) -> Int {
    var position = afterFirst
    var length = 1
    while length < maximumNumberLength, position < text.end {
      let (kind, next) = text.classify(position)
      if kind & ScalarClass.number == 0 { break }
      position = next
      length += 1
    }
    return position
  }

  /// After an apostrophe: `s`, `t`, `re`, `ve`, `m`, `ll` or `d` in either case. Case folding takes the long s (U+017F) for an s.
  @inline(__always)
  private func contractionEnd(_ position: Int) -> Int? {
    guard position < text.end else { return nil }
    let second = position + 1 < text.end ? text.bytes[position + 1] : 0
    switch text.bytes[position] | 0x20 {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return position + 1
    case UInt8(ascii: "r"), UInt8(ascii: "v"): return second | 0x20 == UInt8(ascii: "e") ? position + 2 : nil
    case UInt8(ascii: "l"): return second | 0x20 == UInt8(ascii: "l") ? position + 2 : nil
    case 0xE5: return text.bytes[position] == 0xC5 && second == 0xBF ? position + 2 : nil
    default: return nil
    }
  }
}
