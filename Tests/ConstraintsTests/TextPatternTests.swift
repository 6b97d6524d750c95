import Foundation
import Testing

@testable import SwiftletConstraints

@Suite struct TextPatternTests {
  /// What Foundation's engine finds, for patterns that both read alike.
  @Test func findsWhatAnotherEngineFinds() throws {
    let patterns = [
      "abc", "a|bc", "^ab", "bc$", "^abc$", "a.c", "[a-c]{2,3}d", "(ab)+c", "a[^b]c", "x?y", "\\d{3}-\\d", "é", "[à-ü]+z",
      "(a|b)*c",
    ]
    let letters = Array("aabbcdxyz0123-é\n ü")
    var generator = SystemRandomNumberGenerator()
    for pattern in patterns {
      let own = try TextPattern(regularExpression: pattern), other = try NSRegularExpression(pattern: pattern)
      for _ in 0..<300 {
        let text = String((0..<Int.random(in: 0...12)).compactMap { _ in letters.randomElement(using: &generator) })
        // `$` finds the place before a last line end there.
        if text.hasSuffix("\n") { continue }
        let range = other.firstMatch(in: text, range: NSRange(text.startIndex..., in: text))
        #expect(own.isFound(in: text.utf8) == (range != nil), "\(pattern) in \(text)")
        var scanner = TextScanner(own), isFound = false
        for byte in text.utf8 where !isFound { isFound = scanner.append([byte]) != nil }
        #expect((isFound || scanner.finish() != nil) == (range != nil), "\(pattern) along \(text)")
      }
    }
  }

  @Test func caseIsIgnoredWhereAsked() throws {
    for (pattern, text, isFound) in [
      ("straße", "STRAßE", true), ("[a-f]x", "DX", true), ("[^a]b", "Ab", false), ("ÄÖ", "äö", true), ("a", "b", false),
    ] {
      #expect(try TextPattern(regularExpression: pattern, ignoringCase: true).isFound(in: text.utf8) == isFound)
    }
    #expect(try !TextPattern(regularExpression: "a").isFound(in: "A".utf8))
    #expect(try TextPattern(literal: "a.(", ignoringCase: true).isFound(in: "xA.(".utf8))
  }

  @Test func theBeginningIsKnown() throws {
    var scanner = TextScanner(try TextPattern(regularExpression: "ab+c|bd"))
    #expect(scanner.append("xab".utf8) == nil && scanner.certainCount == 1)
    #expect(scanner.append("bb".utf8) == nil && scanner.certainCount == 1)
    #expect(scanner.append("x".utf8) == nil && scanner.certainCount == 6)
    #expect(scanner.append("zabd".utf8) == 8)
  }

  /// Patterns that engines which go back take for ever with.
  @Test(.timeLimit(.minutes(1))) func noPatternTakesLong() throws {
    let text = String(repeating: "a", count: 200_000) + "!"
    for pattern in ["(a+)+$", "(a|aa)+b", "(a*)*b", "(x+x+)+y", "a{0,50}a{0,50}b"] {
      let start = ContinuousClock.now
      let own = try TextPattern(regularExpression: pattern)
      _ = own.isFound(in: text.utf8)
      var scanner = TextScanner(own)
      _ = scanner.append(text.utf8.prefix(20_000))
      #expect(start.duration(to: .now) < .seconds(5), "\(pattern)")
    }
  }
}
