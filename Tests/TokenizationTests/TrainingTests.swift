import SwiftletJSON
import Testing

@testable import SwiftletTokenization

/// Vocabularies learned here against those that `tokenizers` learns; see make_training_fixture.py.
@Suite struct TrainingTests {
  struct Case {
    var texts: [String]
    var preTokenizer: TrainablePreTokenizer
    var byLine: Bool
    var training: BytePairTraining
    var tokens: [String]
    var merges: [String]
    var ids: [[Int32]]

    static func all() throws -> [Case] {
      let root = try JSONValue(parsing: Fixture.read("training.json"))
      func strings(_ value: JSONValue?) -> [String] { value?.elements?.compactMap(\.string) ?? [] }
      return try (root["cases"]?.elements ?? []).map { value in
        let corpus = try #require(value["corpus"]?.string)
        return Case(
          texts: strings(root["corpora"]?[corpus]),
          preTokenizer: try #require(value["preTokenizer"]?.string.flatMap(TrainablePreTokenizer.init)),
          byLine: value["byLine"]?.bool ?? false,
          training: BytePairTraining(
            vocabularySize: value["size"]?.integer ?? 0, minimumFrequency: value["minimumFrequency"]?.integer ?? 0,
            specialTokens: strings(value["specialTokens"])),
          tokens: strings(value["tokens"]), merges: strings(value["merges"]),
          ids: value["ids"]?.elements?.map { $0.elements?.compactMap { $0.integer.map { Int32($0) } } ?? [] } ?? [])
      }
    }
  }

  @Test func equalsTokenizers() throws {
    let cases = try Case.all()
    #expect(cases.count == 11)
    for expected in cases {
      var words = WordCounts(expected.preTokenizer)
      for text in expected.texts { words.add(text, byLine: expected.byLine) }
      let found = try expected.training.vocabulary(of: words)
      #expect(found.tokens.map { Array($0.utf8) } == expected.tokens.map { Array($0.utf8) })
      #expect(found.merges == expected.merges)
      // Through the file, as anybody else would use it.
      let tokenizer = try Tokenizer(tokenizerJSON: Array(found.tokenizerJSON().serialized().utf8))
      if case .pipeline = tokenizer.preTokenizer {
        Issue.record("the written patterns of \(expected.preTokenizer) are not known")
      }
      for (text, ids) in zip(expected.texts, expected.ids) { #expect(tokenizer.encode(text) == ids) }
    }
  }

  @Test func countsAddUp() throws {
    let expected = try #require(try Case.all().first)
    var words = WordCounts(expected.preTokenizer), parts = (words, words)
    for (index, text) in expected.texts.enumerated() {
      words.add(text)
      if index % 3 == 0 { parts.0.add(text) } else { parts.1.add(text) }
    }
    parts.0.add(parts.1)
    #expect(parts.0.totalCount == words.totalCount && parts.0.distinctCount == words.distinctCount)
    #expect(try expected.training.vocabulary(of: parts.0).merges == expected.merges)
  }

  @Test func beginningOfSequence() throws {
    var words = WordCounts(.deepSeekV3)
    words.add("the quick brown fox and the quick brown dog")
    let training = BytePairTraining(vocabularySize: 270, addsBeginningOfSequence: true)
    let vocabulary = try training.vocabulary(of: words)
    let tokenizer = try Tokenizer(tokenizerJSON: Array(vocabulary.tokenizerJSON().serialized().utf8))
    #expect(tokenizer.addsBeginningOfSequence && tokenizer.beginningOfSequence == 0 && tokenizer.endOfSequence == 1)
    #expect(tokenizer.fillInMiddle == FillInMiddleTokens(prefix: 3, suffix: 4, middle: 5))
    #expect(tokenizer.decode(tokenizer.encode("the quick ふ fox")) == "the quick ふ fox")
  }

  @Test func refusesWhatCannotBe() {
    var words = WordCounts(.gpt2)
    #expect(throws: TokenizerError.self) { try BytePairTraining(vocabularySize: 300).vocabulary(of: words) }
    words.add("some text")
    for training in [
      BytePairTraining(vocabularySize: 263), BytePairTraining(vocabularySize: 1 << 21),
      BytePairTraining(vocabularySize: 300, specialTokens: ["a", "a"]),
      BytePairTraining(vocabularySize: 300, specialTokens: [""]),
      BytePairTraining(vocabularySize: 300, specialTokens: ["Ġ"]),
      BytePairTraining(vocabularySize: 300, specialTokens: [], addsBeginningOfSequence: true),
    ] {
      let error = #expect(throws: TokenizerError.self) { try training.vocabulary(of: words) }
      #expect(error?.kind == .setting)
    }
  }

  @Test func endsWhenAskedTo() {
    var words = WordCounts(.gpt2)
    words.add("one two three four five six seven eight nine ten")
    #expect(throws: CancellationError.self) {
      try BytePairTraining(vocabularySize: 300).vocabulary(of: words) { if $0 == 270 { throw CancellationError() } }
    }
  }
}
