import Foundation
import Synchronization
import Testing

@testable import SwiftletTokenization

@Suite struct RegexTests {
  /// The pieces that a pattern cuts a text into, when every match is a piece.
  private func pieces(_ pattern: String, _ text: String, _ behavior: SplitBehavior = .isolated, inverted: Bool = false) throws
    -> [String]
  {
    let step = try SplitStep(pattern, behavior, isInverted: inverted)
    return PreTokenizer.pipeline(SplitPipeline(steps: [step])).pieces(text)
  }

  @Test func syntax() throws {
    #expect(try pieces("a|b+", "xaabbbx") == ["x", "a", "a", "bbb", "x"])
    #expect(try pieces("a{2}", "aaaaa") == ["aa", "aa", "a"])
    #expect(try pieces("a{2,}", "aaaaa") == ["aaaaa"])
    #expect(try pieces("a{,2}b", "aaab") == ["a", "aab"])
    #expect(try pieces("a{2,3}?", "aaaaa") == ["aa", "aa", "a"])
    #expect(try pieces("{a}", "{a}b") == ["{a}", "b"])
    #expect(try pieces("<.+?>", "<a><b>") == ["<a>", "<b>"])
    #expect(try pieces("<.+>", "<a><b>") == ["<a><b>"])
    #expect(try pieces("a++a|b", "aaab") == ["aaa", "b"])
    #expect(try pieces("(?>a|ab)c", "abc") == ["abc"])
    #expect(try pieces("(?:a|ab)c", "xabc") == ["x", "abc"])
    #expect(try pieces("(?i:ab)c", "ABc abC") == ["ABc", " abC"])
    #expect(try pieces("a(?i)b|c", "aB aC") == ["aB", " ", "aC"])
    #expect(try pieces("(?i)[k-m]+", "KLM\u{212A}") == ["KLM\u{212A}"])
    #expect(try pieces("(?i)ß|s", "ſS") == ["ſ", "S"])
    #expect(try pieces(#"\d{1,3}(?=(?:\d{3})*\b)"#, "1234567") == ["1", "234", "567"])
    #expect(try pieces("(?<=a)b", "abcb") == ["a", "b", "cb"])
    #expect(try pieces("(?<!a)b", "abcb") == ["abc", "b"])
    #expect(try pieces(#"^a|b$"#, "a\nab") == ["a", "\n", "a", "b"])
    #expect(try pieces(#"\Aa|b\z"#, "aab b") == ["a", "ab ", "b"])
    #expect(try pieces(#"\bfoo\b"#, "foo food") == ["foo", " food"])
    #expect(try pieces(#"[^\s\p{L}]+"#, "ab1! c") == ["ab", "1!", " c"])
    #expect(try pieces(#"[\p{Lu}\p{N}]+"#, "aBC1d") == ["a", "BC1", "d"])
    #expect(try pieces(#"\P{L}+"#, "a12b") == ["a", "12", "b"])
    #expect(try pieces(#"\p{^L}+"#, "a12b") == ["a", "12", "b"])
    #expect(try pieces(#"[]a]+"#, "]ab") == ["]a", "b"])
    #expect(try pieces(#"[a\-z-]+"#, "a-zb") == ["a-z", "b"])
    #expect(try pieces(#"[a-c[x-z]]+"#, "axbd") == ["axb", "d"])
    #expect(try pieces(#"\x41\u0042\x{43}"#, "ABC") == ["ABC"])
    #expect(try pieces("(?<name>a)(b)", "ab") == ["ab"])
  }

  @Test func behaviors() throws {
    #expect(try pieces("-", "a--b-") == ["a", "-", "-", "b", "-"])
    #expect(try pieces("-", "a--b-", .removed) == ["a", "b"])
    #expect(try pieces("-", "a--b-", .contiguous) == ["a", "--", "b", "-"])
    #expect(try pieces("-", "a--b-", .mergedWithPrevious) == ["a-", "-", "b-"])
    #expect(try pieces("-", "a--b-", .mergedWithNext) == ["a", "-", "-b", "-"])
    #expect(try pieces("[a-z]+", "a--b-", .removed, inverted: true) == ["a", "b"])
    #expect(try pieces("(?=b)", "abab") == ["a", "ba", "b"])
  }

  @Test func unsupportedPatternsAreRefused() {
    let patterns = [
      "(a", "a)", "[a", "*", "a{3,2}", #"\"#, #"\p{Han}"#, #"\p{L"#, "(?x)a", "[[:alpha:]]", "[a&&b]", #"(a)\1"#, #"\X"#, "(a*)*",
      "(?:a|)+", "[z-a]", "(?<=a+)b", "a{9999}", String(repeating: "(", count: 40) + String(repeating: ")", count: 40),
      "(((a{1000}b){1000})c){1000}", #"\x{110000}"#, "(?<n", "(?", "(){1024}{1024}{1024}{1024}", "a??{2}{3}+*",
      "a" + String(repeating: "?", count: 9_000), String(repeating: "a", count: 10_001), String(repeating: "a", count: 3_000_000),
      "[" + String(repeating: #"\s"#, count: 64) + "]", "[" + String(repeating: "[^a]", count: 64) + "]",
      "(?i)" + String(repeating: "[Ā-ӿ]", count: 1_900), "(?i)[" + String(repeating: "Ā-ӿ", count: 3_000) + "]",
    ]
    let clock = ContinuousClock()
    let start = clock.now
    for pattern in patterns {
      #expect(throws: RegexError.self, "\(pattern.prefix(100))") { try RegexProgram(pattern) }
    }
    #expect(clock.now - start < .seconds(1))
  }

  /// As deep as the limits allow, on the smallest stack that a thread of Apple's systems has by default.
  @Test func theDeepestPatternFitsASmallStack() {
    let pattern = String(repeating: "(", count: 31) + "a" + String(repeating: "){1}?{1}?{1}?{1}?", count: 31)
    let end = Mutex<Int?>(nil)
    let done = DispatchSemaphore(value: 0)
    let thread = Thread {
      let program = try? RegexProgram(pattern)
      let found = program.flatMap { program in
        Array("ba".utf8).withUnsafeBufferPointer { text in
          text.baseAddress.flatMap { bytes in
            var matcher = RegexMatcher(program, bytes, RegexBudget(byteCount: text.count))
            return matcher.firstMatch(from: 1, limits: 0..<2)?.upperBound
          }
        }
      }
      end.withLock { $0 = found }
      done.signal()
    }
    thread.stackSize = 512 << 10
    thread.start()
    done.wait()
    #expect(end.withLock { $0 } == 2)
  }

  /// Patterns that cost exponential time elsewhere end when their steps are spent.
  @Test(arguments: [
    #"(?:a|a)*b"#, #"(?:a+a+)+b"#, #"(?:a?){30}a{30}"#, #"(?=(a|a)*b)a"#, #"\s+$"#, #"(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+!"#,
    #"(?<=(a{1000}){1000})b"#,
  ])
  func hostilePatternsEnd(_ pattern: String) throws {
    for text in [String(repeating: "a", count: 20_000), String(repeating: " ", count: 20_000) + "x"] {
      let clock = ContinuousClock()
      var found: [String] = []
      let elapsed = try clock.measure { found = try pieces(pattern, text) }
      #expect(found.joined() == text)
      #expect(elapsed < .seconds(5))
    }
  }
}
