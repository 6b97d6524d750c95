import SwiftletJSON
import Testing

@testable import SwiftletTokenization

@Suite struct FillInMiddleTests {
  /// What make_fill_in_middle_fixture.py wrote: prefix and suffix are texts, whatever tokens they name.
  @Test(arguments: ["deepseek-v3", "deepseek-coder"]) func promptsAreThoseOfTheReference(name: String) throws {
    let tokenizer = try Fixture(name).tokenizer()
    let cases = try #require(try JSONValue(parsing: Fixture.read("fill-in-middle.json"))[name]?.elements)
    #expect(cases.count == 10)
    for value in cases {
      let prefix = try #require(value["prefix"]?.string), suffix = try #require(value["suffix"]?.string)
      let ids = value["ids"]?.elements?.compactMap(\.integer)
      #expect(tokenizer.encode(prefix: prefix, suffix: suffix)?.map { Int($0) } == ids, "\(prefix), \(suffix)")
    }
  }

  private func tokenizer(
    _ further: [String], fillInMiddle: [Int]? = nil, addsBeginningOfSequence: Bool = false
  ) throws -> Tokenizer {
    let tokens = ["a", "b", "ab", "<s>"] + further
    return try Tokenizer(
      VocabularyDescription(
        model: "gpt2", preTokenizer: "gpt-2", tokens: tokens,
        tokenTypes: [1, 1, 1, 3] + Array(repeating: 3, count: further.count), merges: ["a b"], beginningOfSequence: 3,
        fillInMiddle: fillInMiddle, addsBeginningOfSequence: addsBeginningOfSequence))
  }

  @Test(arguments: [
    ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"], ["<fim_prefix>", "<fim_suffix>", "<fim_middle>"],
  ]) func othersGetABeginningWhereTheTokenizerAddsIt(names: [String]) throws {
    #expect(try tokenizer(names).encode(prefix: "ab", suffix: "b") == [4, 2, 5, 1, 6])
    #expect(try tokenizer(names, addsBeginningOfSequence: true).encode(prefix: "ab", suffix: "") == [3, 4, 2, 5, 6])
  }

  @Test func deepSeeksBeginWithTheBeginning() throws {
    let names = ["<｜fim▁hole｜>", "<｜fim▁begin｜>", "<｜fim▁end｜>"]
    #expect(try tokenizer(names).encode(prefix: "a", suffix: "b") == [3, 5, 0, 4, 1, 6])
  }

  @Test func aFileMayNameTheTokens() throws {
    let marks = try tokenizer(["<x>", "<y>", "<z>"], fillInMiddle: [6, 4, 5]).fillInMiddle
    #expect(marks == FillInMiddleTokens(prefix: 6, suffix: 4, middle: 5))
    #expect(throws: TokenizerError.self) { try tokenizer([], fillInMiddle: [1, 2, 99]) }
  }

  @Test func vocabulariesWithoutTheTokensHaveNoSuchPrompt() throws {
    #expect(try tokenizer(["<|fim_prefix|>", "<|fim_suffix|>"]).encode(prefix: "a", suffix: "b") == nil)
    for name in ["smollm", "llama-bpe", "gpt-2"] { #expect(try Fixture(name).tokenizer().fillInMiddle == nil) }
  }
}
