/// SplitMix64 (Steele et al. 2014): the same cases on every machine.
package struct Generator: RandomNumberGenerator {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }

  /// An index below `count`.
  package mutating func index(_ count: Int) -> Int { Int.random(in: 0..<max(1, count), using: &self) }

  package mutating func chance(_ of: Int) -> Bool { index(of) == 0 }

  package mutating func pick<Element>(_ values: [Element]) -> Element { values[index(values.count)] }
}

/// Breaks files in the ways that files break, and in those that an attacker would try.
package struct Mutator {
  package var generator: Generator

  package init(seed: UInt64) { generator = Generator(seed: seed) }

  static let extremes: [UInt64] = [
    0, 1, 2, 3, 31, 32, 33, 63, 64, 127, 128, 255, 256, 4096, 65_535, 65_536, 1 << 20, 1 << 24, 1 << 30, (1 << 31) - 1, 1 << 31,
    (1 << 32) - 1, 1 << 32, 1 << 40, 1 << 60, 1 << 61, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, .max - 31, .max - 1, .max,
  ]

  /// One to four changes at bytes below `limit`.
  package mutating func bytes(_ source: [UInt8], below limit: Int) -> [UInt8] {
    var result = source
    for _ in 0...generator.index(4) where !result.isEmpty {
      let place = generator.index(min(limit, result.count))
      let end = min(result.count, place + 1 + generator.index(16))
      switch generator.index(10) {
      case 0, 1: result[place] ^= 1 << generator.index(8)
      case 2: result[place] = generator.pick([0, 1, 0x7f, 0x80, 0xff])
      case 3, 4, 5: overwriteInteger(&result, at: place)
      case 6: result.removeSubrange(place..<end)
      case 7: result.insert(contentsOf: (0..<end - place).map { _ in UInt8(generator.index(256)) }, at: place)
      case 8: result.insert(contentsOf: Array(result[place..<end]), at: generator.index(min(limit, result.count)))
      default: if generator.chance(3) { result.removeSubrange(place...) }
      }
    }
    return result
  }

  /// A little-endian field set to an extreme value.
  private mutating func overwriteInteger(_ bytes: inout [UInt8], at place: Int) {
    let value = generator.pick(Self.extremes), size = generator.pick([2, 4, 8])
    for index in 0..<size where place + index < bytes.count {
      bytes[place + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))
    }
  }

  private static let tokens = [
    "{", "}", "[", "]", ",", ":", "\"", "\\", "null", "true", "false", "0", "-1", "1", "2", "3", "64", "255", "256", "65536",
    "1048576", "2147483648", "-2147483649", "4294967296", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
    "18446744073709551616", "1e308", "1e309", "-1e308", "1e-400", "0.5", "NaN", "1e18", "1e19", "\"\"", "[]", "{}", "[[]]",
    "{\"\":{}}", "\\u0000", "\\ud800", "\\udc00\\ud800", "\u{0}", "\u{1F600}", "e\u{301}", "\n",
  ]

  /// Bytes no UTF-8 has, an overlong slash, a surrogate, a cut sequence.
  private static let illFormed: [[UInt8]] = [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98], [0x80]]

  /// One to three changes to a JSON or other text, by its words.
  package mutating func text(_ source: [UInt8], other: [UInt8]) -> [UInt8] {
    var result = source
    for _ in 0...generator.index(3) {
      let word = word(in: result, near: generator.index(result.count))
      switch generator.index(12) {
      case 0, 1, 2, 3: result.replaceSubrange(word, with: Array(generator.pick(Self.tokens).utf8))
      case 4: result.removeSubrange(word)
      case 5: result.insert(contentsOf: Array(generator.pick(Self.tokens).utf8), at: word.lowerBound)
      case 6: result.insert(contentsOf: Array(result[word]), at: generator.index(result.count))
      case 7:
        let from = self.word(in: other, near: generator.index(other.count))
        result.replaceSubrange(word, with: Array(other[from]))
      case 8:
        let (open, depth) = (generator.pick(["[", "{\"a\":", "("]), generator.pick([10, 255, 257, 5_000]))
        result.insert(contentsOf: Array(String(repeating: open, count: depth).utf8), at: word.lowerBound)
      case 9: result.insert(contentsOf: generator.pick(Self.illFormed), at: word.lowerBound)
      case 10:
        let digits = String(repeating: generator.pick(["9", "1", "0"]), count: generator.pick([19, 20, 310, 3_000]))
        result.replaceSubrange(word, with: Array(digits.utf8))
      default: if generator.chance(3) { result.removeSubrange(word.lowerBound...) } else { result = bytes(result, below: .max) }
      }
    }
    return result
  }

  /// The run of letters and digits, or of anything else, around a place.
  private func word(in text: [UInt8], near place: Int) -> Range<Int> {
    guard text.indices.contains(place) else { return text.count..<text.count }
    func isWord(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"), 0x80...:
        true
      default: false
      }
    }
    guard isWord(text[place]) else { return place..<place + 1 }
    var start = place, end = place + 1
    while start > 0, end - start < 64, isWord(text[start - 1]) { start -= 1 }
    while end < text.count, end - start < 64, isWord(text[end]) { end += 1 }
    return start..<end
  }
}
