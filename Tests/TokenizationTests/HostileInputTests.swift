import Foundation
import SwiftletJSON
import Testing

@testable import SwiftletTokenization

@Suite struct HostileInputTests {
  private static let small = #"""
    {"added_tokens":[{"id":4,"content":"<s>","special":true},{"id":5,"content":"<user>","normalized":true,"lstrip":true}],
    "normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"}]},
    "pre_tokenizer":{"type":"Sequence","pretokenizers":[
    {"type":"Split","pattern":{"Regex":"(?i:'s)|[^\\r\\n\\p{L}]?\\p{L}+|\\s+(?!\\S)"},"behavior":"Isolated","invert":false},
    {"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]},
    "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}}]},
    "model":{"type":"BPE","unk_token":"c","fuse_unk":true,"ignore_merges":false,
    "vocab":{"a":0,"b":1,"ab":2,"c":3,"abc":6},"merges":["a b",["ab","c"]]}}
    """#

  @Test func aSmallFileWorks() throws {
    let tokenizer = try Tokenizer(tokenizerJSON: Array(Self.small.utf8))
    #expect(tokenizer.encode("abc<s>ab  <user>a") == [6, 4, 2, 5, 0])
    #expect(tokenizer.encode("axyb") == [0, 3, 1])
    #expect(tokenizer.addsBeginningOfSequence && tokenizer.beginningOfSequence == 4)
  }

  /// Every change must name the field it broke.
  @Test(arguments: [
    (#""type":"BPE""#, #""type":"Unigram""#, "model.type"), (#""type":"BPE""#, #""type":"WordPiece""#, "model.type"),
    (#""b":1"#, #""b":0"#, "model.vocab"), (#""b":1"#, #""a":1"#, "model.vocab"), (#""b":1"#, #""b":-1"#, "model.vocab"),
    (#""b":1"#, #""b":1048576"#, "model.vocab"), (#""b":1"#, #""b":100000"#, "model.vocab"),
    (#""b":1"#, #""b":99999999999999999999"#, "model.vocab"),
    (#""b":1"#, #""b":"1""#, "model.vocab"), (#""vocab":{"#, #""vocab":[],"x":{"#, "model.vocab"),
    (#"["a b""#, #"["a x""#, "model.merges[0]"), (#"["a b""#, #"["b a""#, "model.merges[0]"),
    (#"["a b""#, #"["ab""#, "model.merges[0]"),
    (#"["a b""#, #"["a  b""#, "model.merges[0]"), (#"["a b""#, #"["a b","a b""#, "model.merges[1]"),
    (#"["ab","c"]"#, #"["ab"]"#, "model.merges[1]"),
    (#""merges":["#, #""merges":7,"x":["#, "model.merges"), (#""unk_token":"c""#, #""unk_token":"zz""#, "model.unk_token"),
    (#""fuse_unk":true"#, #""fuse_unk":1"#, "model.fuse_unk"),
    (#""fuse_unk":true"#, #""byte_fallback":true"#, "model.byte_fallback"),
    (#""fuse_unk":true"#, #""dropout":0.5"#, "model.dropout"),
    (#""fuse_unk":true"#, #""dropout":"x""#, "model.dropout"),
    (#""fuse_unk":true"#, #""end_of_word_suffix":"</w>""#, "model.end_of_word_suffix"),
    (#""fuse_unk":true"#, #""end_of_word_suffix":1"#, "model.end_of_word_suffix"),
    (#""unk_token":"c""#, #""unk_token":3"#, "model.unk_token"),
    (#""id":5"#, #""id":4"#, "added_tokens[1]"), (#""id":5"#, #""id":0"#, "added_tokens[1]"),
    (#""id":5"#, #""ID":5"#, "added_tokens[1].id"),
    (#""content":"<user>""#, #""content":null"#, "added_tokens[1].content"),
    (#""lstrip":true"#, #""lstrip":"x""#, "added_tokens[1].lstrip"),
    (#"{"type":"NFC"}"#, #"{"type":"Lowercase"}"#, "normalizer"),
    (#"{"type":"Digits""#, #"{"type":"Metaspace""#, "pre_tokenizer"),
    (#"{"type":"Digits""#, #"{"type":7"#, "pre_tokenizer.type"),
    (#""individual_digits":true"#, #""individual_digits":"yes""#, "pre_tokenizer.individual_digits"),
    (#""invert":false"#, #""invert":0"#, "pre_tokenizer.invert"), (#""Isolated""#, "[]", "pre_tokenizer.behavior"),
    (#""add_prefix_space":false"#, #""add_prefix_space":0"#, "pre_tokenizer.add_prefix_space"),
    (#""use_regex":false"#, #""use_regex":"no""#, "pre_tokenizer.use_regex"),
    (#"{"type":"ByteLevel""#, #"{"type":"Digits""#, "pre_tokenizer"), (#""pre_tokenizer":"#, #""pre":"#, "pre_tokenizer"),
    (#"(?!\\S)"#, #"(?!\\S"#, "pre_tokenizer"), (#""Isolated""#, #""Somehow""#, "pre_tokenizer.behavior"),
    (#"{"Regex""#, #"{"regex""#, "pre_tokenizer.pattern"),
    (#""model":{"#, #""model":[],"x":{"#, "model"), (#"{"added"#, #"["added"#, "JSON"),
  ])
  func brokenFieldsAreNamed(_ change: (old: String, new: String, field: String)) throws {
    let broken = Self.small.replacing(change.old, with: change.new, maxReplacements: 1)
    try #require(broken != Self.small)
    #expect("\(change.new)") {
      _ = try Tokenizer(tokenizerJSON: Array(broken.utf8))
    } throws: { error in
      (error as? TokenizerError)?.field == change.field
    }
  }

  @Test func brokenConfigurationsAreNamed() throws {
    for (text, field) in [
      ("[", "JSON"), ("[]", "JSON"), (#"{"bos_token": 3}"#, "bos_token"), (#"{"eos_token": "nowhere"}"#, "eos_token"),
      (#"{"add_bos_token": "yes"}"#, "add_bos_token"),
    ] {
      #expect("\(text)") {
        _ = try Tokenizer(
          tokenizerJSON: Array(Self.small.utf8), configuration: Array(text.utf8), configurationSource: "a/tokenizer_config.json")
      } throws: { error in
        let error = error as? TokenizerError
        return error?.field == field && error?.source == "a/tokenizer_config.json"
      }
    }
  }

  @Test func brokenDescriptionsAreNamed() throws {
    let good = VocabularyDescription(
      model: "gpt2", preTokenizer: "gpt-2", tokens: ["a", "b", "ab", "<s>"], tokenTypes: [1, 1, 1, 3], merges: ["a b"],
      beginningOfSequence: 3, endOfSequence: 3)
    #expect(try Tokenizer(good).encode("ab<s>b") == [2, 3, 1])
    let changes: [((inout VocabularyDescription) -> Void, String)] = [
      ({ $0.model = "llama" }, "tokenizer.ggml.model"), ({ $0.preTokenizer = "nobody's" }, "tokenizer.ggml.pre"),
      ({ $0.tokens = [] }, "tokenizer.ggml.tokens"), ({ $0.tokens[1] = "a" }, "tokenizer.ggml.tokens"),
      ({ $0.tokens[3] = String(repeating: "x", count: 2000) }, "tokenizer.ggml.tokens[3]"),
      ({ $0.tokenTypes.removeLast() }, "tokenizer.ggml.token_type"), ({ $0.merges[0] = "a c" }, "tokenizer.ggml.merges[0]"),
      ({ $0.merges[0] = "" }, "tokenizer.ggml.merges[0]"), ({ $0.beginningOfSequence = 4 }, "tokenizer.ggml.bos_token_id"),
      ({ $0.endOfSequence = -1 }, "tokenizer.ggml.eos_token_id"),
      ({ $0.furtherEnds = [9] }, "tokenizer.ggml.eot_token_id or eom_token_id"), ({ $0.merges = [] }, "tokenizer.ggml.merges"),
    ]
    for (change, field) in changes {
      var broken = good
      change(&broken)
      #expect("\(field)") {
        _ = try Tokenizer(broken)
      } throws: { error in
        (error as? TokenizerError)?.field == field
      }
    }
  }

  /// A trie takes many times the texts that it finds.
  @Test func addedTokensAreBoundedTogether() throws {
    let texts = (0..<2200).map { String(repeating: "x", count: 996) + String(format: "%04d", $0) }
    func description(_ count: Int) -> VocabularyDescription {
      VocabularyDescription(
        model: "gpt2", preTokenizer: "gpt-2", tokens: ["a", "b", "ab"] + texts.prefix(count),
        tokenTypes: [1, 1, 1] + [Int32](repeating: 3, count: count), merges: ["a b"])
    }
    #expect(try Tokenizer(description(2000)).encode("ab" + texts[7]) == [2, 10])
    #expect {
      _ = try Tokenizer(description(2200))
    } throws: { error in
      (error as? TokenizerError)?.field == "tokenizer.ggml.tokens[2100]"
    }
    let added = texts.enumerated().map { #"{"id":\#($0 + 3),"content":"\#($1)","special":true}"# }.joined(separator: ",")
    let json =
      #"{"added_tokens":[\#(added)],"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"#
      + #""model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}"#
    #expect {
      _ = try Tokenizer(tokenizerJSON: Array(json.utf8))
    } throws: { error in
      (error as? TokenizerError)?.field == "added_tokens[2097].content"
    }
  }

  @Test func whatSomeWritersPutForNothingIsNothing() throws {
    let tokenizer = try Tokenizer(
      VocabularyDescription(
        model: "gpt2", preTokenizer: "gpt-2", tokens: ["a", "b", "ab", "", ""], tokenTypes: [1, 1, 1, 1, 5], merges: ["a b"],
        beginningOfSequence: 4_294_967_295, endOfSequence: 1, furtherEnds: [4_294_967_295]))
    #expect(tokenizer.beginningOfSequence == nil && tokenizer.generationEnds == [1] && tokenizer.vocabularySize == 5)
    #expect(tokenizer.encode("abb") == [2, 1] && tokenizer.decode([3, 2, 4]) == "ab")
  }

  /// The small tokenizer with other steps before its last.
  private static func tokenizer(splits: [String]) throws -> Tokenizer {
    let steps = splits.map { #"{"type":"Split","pattern":{"Regex":"\#($0)"},"behavior":"Isolated"},"# }.joined()
    let (start, end) = (Self.small.range(of: #"{"type":"Split""#), Self.small.range(of: #"{"type":"ByteLevel""#))
    let range = try #require(start).lowerBound..<(try #require(end).lowerBound)
    return try Tokenizer(tokenizerJSON: Array(Self.small.replacingCharacters(in: range, with: steps).utf8))
  }

  @Test func stepsAreBounded() throws {
    #expect(throws: TokenizerError.self) { try Self.tokenizer(splits: Array(repeating: "a", count: 16)) }
    // Neither many steps nor many parts give a slow pattern more time.
    let tokenizer = try Self.tokenizer(splits: Array(repeating: "(a|aa)+b", count: 15))
    let text = String(repeating: String(repeating: "a", count: 40) + "<s>", count: 500)
    let clock = ContinuousClock()
    let elapsed = clock.measure { #expect(tokenizer.encode(text).count == 500 * 41) }
    #expect(elapsed < .seconds(1), "\(elapsed)")
  }

  /// A piece of megabytes must not hold its memory for as long as the tokenizer lives.
  @Test func longPiecesGiveTheirMemoryBack() throws {
    let tokenizer = try Tokenizer(tokenizerJSON: Array(Self.small.utf8)), encoder = BytePairEncoder()
    func ids(_ text: String) -> [Int32] {
      var ids: [Int32] = []
      Array(text.utf8).withUnsafeBufferPointer { text in
        _ = tokenizer.model.withView { encoder.append(text, 0..<text.count, $0, to: &ids) }
      }
      return ids
    }
    let long = String(repeating: "ab", count: 1 << 16)
    #expect(ids(long) == [Int32](repeating: 2, count: 1 << 16) && encoder.capacity > BytePairEncoder.keptSymbols)
    encoder.trim()
    #expect(encoder.capacity <= BytePairEncoder.keptSymbols)
    #expect(ids("ababc") == [2, 6] && ids(long).count == 1 << 16)
  }

  @Test func whitespaceBeforeATokenIsReadOnce() throws {
    let json = Self.small.replacing(#""content":"<user>""#, with: #""content":" ""#)
    let tokenizer = try Tokenizer(tokenizerJSON: Array(json.utf8))
    let clock = ContinuousClock()
    let elapsed = clock.measure {
      #expect(tokenizer.encode(String(repeating: " ", count: 200_000)).allSatisfy { $0 == 5 })
    }
    #expect(elapsed < .seconds(1), "\(elapsed)")
  }

  /// Pairs whose places in the table a file can choose when it knows the factor of a multiplicative hash.
  @Test func chosenPairsDoNotCollide() {
    let factor: UInt64 = 0x9E37_79B9_7F4A_7C15
    let limit = UInt64.max / 3500
    let left = (0..<1 << 20).filter { factor &* (UInt64($0) << 32) < limit }
    let right = (0..<1 << 20).filter { factor &* UInt64($0) < limit }
    #expect(left.count > 250 && right.count > 250)
    var table = MergeTable(capacity: left.count * right.count)
    var count = 0
    let clock = ContinuousClock()
    let elapsed = clock.measure {
      for (rank, first) in left.enumerated() {
        for second in right where table.insert(first, second, rank: rank, merged: second) { count += 1 }
      }
    }
    #expect(count == left.count * right.count)
    #expect(elapsed < .seconds(1), "\(elapsed)")
  }

  /// A file may list a merge many times: a table takes room for the pairs that are there, and grows with them.
  @Test func mergesThatAreOnlyClaimedTakeNoRoom() throws {
    var table = MergeTable(capacity: 1 << 50), wrong = 0
    for left in 0..<600 {
      for right in 0..<1000 where !table.insert(left, right, rank: left, merged: right) { wrong += 1 }
    }
    for index in [0, 599] where table.insert(index, index, rank: 0, merged: 0) { wrong += 1 }
    #expect(wrong == 0)
    let areFound = table.withView { view in
      (0..<600).allSatisfy { left in
        (0..<1000).allSatisfy { view.lookUp(UInt32(left), UInt32($0)) == UInt64(left) << 32 | UInt64($0) }
      }
    }
    let isMissed = table.withView { $0.lookUp(600, 0) == MergeTable.none }
    #expect(areFound == true && isMissed == true)
  }

  @Test func tablesHashAlikeNeverTwice() {
    let text = Array("the same text in two tables".utf8)
    for length in text.indices {
      let hashes = (0..<2).map { _ in text.withUnsafeBufferPointer { SeededHash()(UnsafeBufferPointer(rebasing: $0[..<length])) }
      }
      #expect(hashes[0] != hashes[1])
    }
    let hash = SeededHash()
    let prefixes = text.indices.map { length in
      text.withUnsafeBufferPointer { hash(UnsafeBufferPointer(rebasing: $0[..<length])) }
    }
    #expect(Set(prefixes).count == prefixes.count)
  }

  /// Seeded damage to the bytes of the file: an error or a tokenizer that works, never a crash or a hang.
  @Test func mutatedFiles() throws {
    var random = SplitMix64(2024)
    let original = Array(Self.small.utf8)
    let pieces = [
      #""""#, "{", "}", "[", "]", ",", ":", "-1", "1e9", "null", "\\u0000", "9223372036854775807", "+", "*", "(", "(?", "\\\\p{",
      "{1,999}", "é", "😀",
    ]
    var accepted = 0
    for _ in 0..<4_000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let position = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes[position] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2: bytes.insert(contentsOf: (pieces.randomElement(using: &random) ?? "").utf8, at: position)
        case 3: bytes.removeSubrange(position..<min(bytes.count, position + Int.random(in: 1...12, using: &random)))
        case 4:
          bytes.insert(
            contentsOf: bytes[position..<min(bytes.count, position + 20)], at: Int.random(in: 0..<bytes.count, using: &random))
        default: bytes[position] = UInt8(ascii: "0") + UInt8.random(in: 0...9, using: &random)
        }
        if bytes.isEmpty { bytes = [0x20] }
      }
      guard let tokenizer = try? Tokenizer(tokenizerJSON: bytes) else { continue }
      accepted += 1
      let ids = tokenizer.encode(
        "abc ab's  <s>12 é \n\n x<user> aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
      #expect(ids.allSatisfy { $0 >= 0 && Int($0) < tokenizer.vocabularySize })
      _ = tokenizer.decode(ids)
    }
    #expect(accepted > 100)
  }

  /// Cut anywhere, the file is refused.
  @Test func truncatedFiles() {
    let original = Array(Self.small.utf8)
    for length in 0..<original.count - 1 {
      #expect(throws: TokenizerError.self) { try Tokenizer(tokenizerJSON: Array(original[..<length])) }
    }
  }
}
