import Foundation
import Testing

@testable import SwiftletTokenization

@Suite struct TokenizerTests {
  let tokenizer: Tokenizer

  init() throws { tokenizer = try Fixture("deepseek-v3").tokenizer() }

  @Test func addedTokensAreFoundOnlyWhereAskedFor() throws {
    let user = try #require(tokenizer.id(of: "<｜User｜>"))
    let end = try #require(tokenizer.id(of: "<｜end▁of▁sentence｜>"))
    let text = "<｜User｜>hi<｜end▁of▁sentence｜>"
    #expect(tokenizer.encode(text).first == user)
    #expect(tokenizer.encode(text).last == end)
    // V3's file does not mark the user's token as special.
    #expect(tokenizer.encode(text, addedTokens: .nonSpecial).first == user)
    #expect(tokenizer.encode(text, addedTokens: .nonSpecial).last != end)
    let plain = tokenizer.encode(text, addedTokens: .none)
    #expect(!plain.contains(user) && !plain.contains(end))
    #expect(tokenizer.decode(plain) == text)
    #expect(tokenizer.isSpecial(end) && !tokenizer.isSpecial(user))
    #expect(tokenizer.decode(tokenizer.encode(text), skippingSpecialTokens: true) == "<｜User｜>hi")
  }

  @Test func beginningAndEnd() throws {
    let beginning = try #require(tokenizer.id(of: "<｜begin▁of▁sentence｜>"))
    #expect(tokenizer.beginningOfSequence == beginning)
    #expect(tokenizer.endOfSequence == tokenizer.id(of: "<｜end▁of▁sentence｜>"))
    #expect(
      tokenizer.generationEnds == Set([tokenizer.id(of: "<｜end▁of▁sentence｜>"), tokenizer.id(of: "<|EOT|>")].compactMap { $0 }))
    #expect(tokenizer.encode("a", addingBeginningOfSequence: true) == [beginning] + tokenizer.encode("a"))
    #expect(!tokenizer.addsBeginningOfSequence)

    let configuration = #"{"add_bos_token": true, "bos_token": {"content": "<think>"}, "eos_token": "</think>"}"#
    let configured = try Tokenizer(tokenizerJSON: Fixture("deepseek-v3").json, configuration: Array(configuration.utf8))
    #expect(configured.addsBeginningOfSequence)
    #expect(configured.beginningOfSequence == tokenizer.id(of: "<think>"))
    #expect(configured.endOfSequence == tokenizer.id(of: "</think>"))
  }

  @Test func templateNamesTheBeginning() throws {
    let json = String(decoding: try Fixture("llama-bpe").json, as: UTF8.self).replacing(
      #""post_processor":null"#,
      with: #""post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"TemplateProcessing","single":["#
        + #"{"SpecialToken":{"id":"<|begin_of_text|>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}]}]}"#)
    let tokenizer = try Tokenizer(tokenizerJSON: Array(json.utf8), configuration: Array("{}".utf8))
    #expect(tokenizer.addsBeginningOfSequence)
    #expect(tokenizer.beginningOfSequence == tokenizer.id(of: "<|begin_of_text|>"))
  }

  @Test func illFormedUTF8IsReadAsReplacementCharacters() {
    #expect(tokenizer.encode(utf8: [0x61, 0xFF, 0x62]) == tokenizer.encode("a\u{FFFD}b"))
    #expect(tokenizer.encode(utf8: [0xE4, 0xB8]) == tokenizer.encode("\u{FFFD}"))
    #expect(tokenizer.encode(utf8: [0xED, 0xA0, 0x80]) == tokenizer.encode("\u{FFFD}\u{FFFD}\u{FFFD}"))
    #expect(tokenizer.encode(utf8: Array("naïve 的".utf8)[...]) == tokenizer.encode("naïve 的"))
  }

  @Test func tokensAreKeyedByBytes() throws {
    // The Kelvin sign and the letter K are equal Swift strings.
    #expect(tokenizer.encode("\u{212A}") != tokenizer.encode("K"))
    #expect(tokenizer.id(of: "K") != nil && tokenizer.id(of: "\u{212A}") == nil)
    #expect(Array(tokenizer.bytes(of: try #require(tokenizer.id(of: " the")))) == Array(" the".utf8))
  }

  @Test func idsOutsideTheVocabularyAreEmpty() {
    let size = Int32(tokenizer.vocabularySize)
    #expect(tokenizer.decode([size, -1, .max, .min]).isEmpty)
    #expect(tokenizer.bytes(of: size).isEmpty && !tokenizer.isSpecial(-1))
  }

  @Test func tasksShareATokenizer() async throws {
    let text = String(repeating: "The quick brown 狐狸 jumps over 13 lazy dogs. ", count: 50)
    let expected = tokenizer.encode(text)
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<32 { group.addTask { [tokenizer] in (0..<20).allSatisfy { _ in tokenizer.encode(text) == expected } } }
      for await isEqual in group { #expect(isEqual) }
    }
  }

  /// Long runs of one class take time in proportion, not its square.
  @Test(arguments: ["a", " ", "1", "!", "的", "\u{301}", "\u{1}", "\n", "'s", "ab", " \r", "é", "<", "<｜"])
  func longRuns(_ unit: String) throws {
    let text = String(repeating: unit, count: 400_000 / unit.utf8.count)
    for name in Fixture.names {
      let tokenizer = try name == "deepseek-v3" ? tokenizer : Fixture(name).tokenizer()
      let clock = ContinuousClock()
      let elapsed = clock.measure { _ = tokenizer.encode(text + "x") }
      #expect(elapsed < .seconds(5), "\(name): \(unit.debugDescription)")
    }
  }
}

@Suite struct StreamingDecoderTests {
  /// Bytes as tokens: every way in which texts can be cut.
  @Test func equalsDecodingAtOnce() throws {
    let tokenizer = try Fixture("gpt-2").tokenizer()
    let byteIDs = (0..<256).compactMap { byte in
      (0..<Int32(tokenizer.vocabularySize)).first { Array(tokenizer.bytes(of: $0)) == [UInt8(byte)] }
    }
    try #require(byteIDs.count == 256)
    var random = SplitMix64(7)
    let interesting: [UInt8] = [0x41, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xE0, 0xE4, 0xED, 0xF0, 0xF4, 0xF5, 0xFF]
    for round in 0..<5_000 {
      let text = Array("a的é😀\u{FFFD}\u{10FFFF}".utf8)
      let bytes =
        round < text.count
        ? Array(text[..<round]) : (0..<8).map { _ in interesting.randomElement(using: &random) ?? 0 }
      let ids = bytes.map { byteIDs[Int($0)] }
      var decoder = StreamingDecoder(tokenizer)
      var streamed = ""
      for id in ids { streamed += decoder.append(id) }
      streamed += decoder.finish()
      #expect(Array(streamed.utf8) == Array(tokenizer.decode(ids).utf8), "\(bytes)")
      #expect(Array(streamed.utf8) == Array(String(decoding: bytes, as: UTF8.self).utf8))
    }
  }

  @Test(arguments: Fixture.names)
  func neverEmitsHalfAScalar(_ name: String) throws {
    let fixture = try Fixture(name)
    let tokenizer = try fixture.tokenizer()
    for expected in try fixture.cases() where expected.text.utf8.count < 200 {
      var decoder = StreamingDecoder(tokenizer)
      var streamed = ""
      for id in expected.ids {
        let part = decoder.append(id)
        #expect(
          expected.text.unicodeScalars.contains("\u{FFFD}") || name == "smollm" || !part.unicodeScalars.contains("\u{FFFD}"))
        streamed += part
      }
      streamed += decoder.finish()
      #expect(Array(streamed.utf8) == Array(tokenizer.decode(expected.ids).utf8))
    }
  }

  @Test func aScalarAppearsWithItsLastByte() throws {
    let tokenizer = try Fixture("gpt-2").tokenizer()
    let ids = tokenizer.encode("😀")
    try #require(ids.count > 1)
    var decoder = StreamingDecoder(tokenizer)
    #expect(ids.dropLast().allSatisfy { decoder.append($0).isEmpty })
    #expect(decoder.append(ids[ids.count - 1]) == "😀")
    #expect(decoder.append(ids[0]).isEmpty)
    #expect(decoder.finish() == "\u{FFFD}")
    #expect(decoder.finish().isEmpty)
  }

  @Test func specialTokensCanBeSkipped() throws {
    let tokenizer = try Fixture("deepseek-v3").tokenizer()
    var decoder = StreamingDecoder(tokenizer, skippingSpecialTokens: true)
    #expect(tokenizer.encode("a<｜end▁of▁sentence｜>b").map { decoder.append($0) }.joined() == "ab")
  }
}
