import SwiftletJSON
import Testing

@testable import SwiftletTokenization

@Suite struct NormalizerTests {
  /// The normal form by the normalizer of a tokenizer, and by the whole algorithm without its shortcut.
  private func forms(_ text: String) -> (short: [UInt8], whole: [UInt8]) {
    let utf8 = Array(text.utf8)
    return utf8.withUnsafeBufferPointer {
      (Normalizer.composition.normalized($0) ?? utf8, CanonicalComposition.shared.normalized($0))
    }
  }

  @Test func equalsTokenizers() throws {
    let cases = try JSONValue(parsing: Fixture.read("normalization.json")).elements ?? []
    #expect(cases.count > 1000)
    for pair in cases {
      let text = try #require(pair.elements?.first?.string)
      let expected = Array(try #require(pair.elements?.last?.string).utf8)
      let found = forms(text)
      #expect(found.short == expected, "\(text.unicodeScalars.prefix(40).map { String($0.value, radix: 16) })")
      #expect(found.whole == expected)
    }
  }

  @Test func whatTheShortcutSkipsIsStable() {
    for value in UInt32(0)..<0x3_0000 {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let found = forms("a\(scalar)\u{D55C}\(scalar)")
      #expect(found.short == found.whole, "U+\(String(value, radix: 16, uppercase: true))")
    }
  }
}
