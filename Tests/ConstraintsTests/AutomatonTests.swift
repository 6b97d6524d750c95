import SwiftletJSON
import Testing

@testable import SwiftletConstraints

@Suite struct AutomatonTests {
  private func automaton(_ pattern: String) throws -> ByteAutomaton {
    try ByteAutomaton(JSONText.quoted(RegularExpression.body(pattern)))
  }

  @Test(arguments: [
    ("^a+$", ["a", "aaa"], ["", "b", "ab"]),
    ("b", ["b", "abc", "é b"], ["", "a"]),
    ("^(foo|bar)?$", ["", "foo", "bar"], ["fo", "foobar"]),
    ("^x|y$", ["xa", "ay"], ["ax", "ya"]),
    ("^[^a-c]{2,3}$", ["de", "éé", "zzz"], ["a", "d", "zzzz", "da"]),
    ("^\\d{3}-\\w$", ["123-a"], ["12-a", "123-é"]),
    ("^[\\w.-]+@x\\.org$", ["a.b-c@x.org"], ["@x.org", "a@xyorg"]),
    ("^\\u00e9$", ["é"], ["e"]),
    ("^.$", ["a", "日", "😀"], ["", "\n", "ab"]),
    ("^a{2}b{1,}c{0,2}{$", ["aab{", "aabbcc{"], ["aab", "ab{"]),
    ("^\"\\\\$", ["\"\\"], ["\\\""]),
    ("^(?:a|b)*?c$", ["c", "abac"], ["ab"]),
  ])
  func patterns(_ pattern: String, _ accepted: [String], _ refused: [String]) throws {
    let automaton = try automaton(pattern)
    for text in accepted { #expect(automaton.accepts(JSONText.literal(text).utf8), "\(pattern) \(text)") }
    for text in refused { #expect(!automaton.accepts(JSONText.literal(text).utf8), "\(pattern) \(text)") }
  }

  @Test(arguments: [
    "(?=a)", "(?!a)b", "a(?<=b)", "\\bword", "(a)\\1", "\\p{L}", "a**", "(a", "a)", "[b", "^a$b", "x^", "[b-a]", "a{2,1}", "+",
    "[]a]", "[^]", "a{,2}", "a{2}{3}",
  ])
  func otherPatternsAreRefused(_ pattern: String) {
    #expect(throws: RegularExpression.Refusal.self) { try RegularExpression.body(pattern) }
  }

  @Test(arguments: [(-12, 345), (0, 0), (-5, -1), (7, 1_000), (98, 102), (-1, 10)])
  func integers(_ low: Int, _ high: Int) throws {
    let automaton = try ByteAutomaton(JSONNumbers.integers(low, high))
    for value in -400...1_100 { #expect(automaton.accepts(String(value).utf8) == (low...high).contains(value), "\(value)") }
    for text in ["-0", "00", "01", "", "-", "1.0", "+1"] { #expect(!automaton.accepts(text.utf8), "\(text)") }
  }

  @Test func openIntegers() throws {
    let natural = try ByteAutomaton(JSONNumbers.integers(0, nil)), any = try ByteAutomaton(JSONNumbers.integers(nil, nil))
    #expect(natural.accepts("0".utf8) && natural.accepts("999999999999999".utf8) && !natural.accepts("-1".utf8))
    #expect(any.accepts("-42".utf8) && !any.accepts("1000000000000000".utf8))
  }

  @Test func multiples() throws {
    let automaton = try JSONNumbers.multiples(of: 7, -50, 500)
    for value in -100...600 {
      #expect(automaton.accepts(String(value).utf8) == ((-50...500).contains(value) && value % 7 == 0), "\(value)")
    }
  }

  /// Bounds against the decimals between them.
  @Test(
    arguments: [
      (0.0, 1.0), (-1.5, 2.25), (0.125, 0.375), (3.1, 3.1), (-2.0, -0.5), (9.99, 10.01), (1e-3, 0.5),
    ], [false, true])
  func numbers(_ bounds: (Double, Double), _ isExclusive: Bool) throws {
    let automaton = try JSONNumbers.numbers(
      NumberBound(value: bounds.0, isExclusive: isExclusive), NumberBound(value: bounds.1, isExclusive: isExclusive))
    for step in -3_000...11_000 {
      let value = Double(step) / 1000
      let isInside =
        isExclusive ? value > bounds.0 && value < bounds.1 : value >= bounds.0 && value <= bounds.1
      let text = value == value.rounded() ? String(Int(value)) : "\(value)"
      #expect(automaton.accepts(text.utf8) == isInside, "\(text) in \(bounds)")
      if isInside, text.contains(".") { #expect(automaton.accepts((text + "00").utf8), "\(text)00") }
    }
  }

  @Test(arguments: [
    ("date", ["2024-02-28", "1999-12-31"], ["2024-02-30", "2024-13-01", "24-01-01"]),
    ("time", ["23:59:59Z", "00:00:00.5+01:30"], ["24:00:00Z", "10:00:00"]),
    ("date-time", ["2024-02-28T10:00:00Z"], ["2024-02-28 10:00:00Z"]),
    ("ipv4", ["0.0.0.0", "255.249.199.9"], ["256.0.0.0", "01.0.0.0", "1.2.3"]),
    ("ipv6", ["::", "::1", "1:2:3:4:5:6:7:8", "fe80::1:2"], ["1:2:3", "1::2::3", "1:2:3:4:5:6:7:8:9", ":"]),
    ("uuid", ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567e89b12d3a456426614174000"]),
    ("email", ["ada@example.org"], ["ada", "@example.org", "a..b@example.org"]),
    ("uri", ["https://example.org/a?b=c#d"], ["example.org", "https://"]),
    ("hostname", ["example.org", "a"], ["-a", "a..b", ""]),
    ("duration", ["P1Y2M", "PT5M", "P3W"], ["P", "PT", "1Y"]),
  ])
  func formats(_ name: String, _ accepted: [String], _ refused: [String]) throws {
    let automaton = try ByteAutomaton(try #require(Formats.expression(name)))
    for text in accepted { #expect(automaton.accepts(text.utf8), "\(name) \(text)") }
    for text in refused { #expect(!automaton.accepts(text.utf8), "\(name) \(text)") }
  }

  /// No overlong form, surrogate or cut sequence, and every scalar.
  @Test func utf8IsWellFormed() throws {
    let automaton = try ByteAutomaton(.utf8(0...0x10FFFF))
    for value in stride(from: UInt32(0), through: 0x10FFFF, by: 37) {
      guard let scalar = Unicode.Scalar(value) else { continue }
      #expect(automaton.accepts(String(Character(scalar)).utf8), "U+\(String(value, radix: 16))")
    }
    for bytes: [UInt8] in [
      [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80],
      [0x80],
      [0xE2, 0x82], [0xFF],
    ] { #expect(!automaton.accepts(bytes), "\(bytes)") }
  }

  @Test func operations() throws {
    let first = try automaton("^[a-c]+$"), second = try automaton("^.{2}$")
    #expect(try first.intersection(second).accepts("\"ab\"".utf8) && !first.intersection(second).accepts("\"abc\"".utf8))
    #expect(try first.subtracting(second).accepts("\"abc\"".utf8) && !first.subtracting(second).accepts("\"ab\"".utf8))
    #expect(try first.union(second).accepts("\"zz\"".utf8))
    #expect(try first.subtracting(first).isEmpty && first.union(first) == first)
    #expect(first.longestLength == nil)
    #expect(try automaton("^a{2,5}$").longestLength == 7)
  }

  /// States that are joined in the end count: they took time.
  @Test func effortIsCounted() throws {
    let plain = try automaton("^[ab]*$"), hard = try automaton("^((a|b)*a(a|b){8}|[ab]*)$")
    #expect(hard == plain && hard.hashValue == plain.hashValue && hard.stateCount == 3)
    #expect(plain.effort < 20 && hard.effort > 250, "\(plain.effort), \(hard.effort)")
    #expect(try hard.intersection(plain).effort > hard.effort)
  }

  @Test func tooLargeIsRefused() {
    #expect(throws: ByteAutomaton.TooLarge.self) { try automaton("^(a|b)*a(a|b){14}$") }
    #expect(throws: ByteAutomaton.TooLarge.self) { try automaton("^((a{1,999}){1,999}){1,999}$") }
  }
}
