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
    (#""b":1"#, #""b":1048576"#, "model.vocab"), (#""b":1"#, #""b":99999999999999999999"#, "model.vocab"),
    (#""b":1"#, #""b":"1""#, "model.vocab"), (#""vocab":{"#, #""vocab":[],"x":{"#, "model.vocab"),
    (#"["a b""#, #"["a x""#, "model.merges[0]"), (#"["a b""#, #"["b a""#, "model.merges[0]"),
    (#"["a b""#, #"["ab""#, "model.merges[0]"),
    (#"["a b""#, #"["a  b""#, "model.merges[0]"), (#"["a b""#, #"["a b","a b""#, "model.merges[1]"),
    (#"["ab","c"]"#, #"["ab"]"#, "model.merges[1]"),
    (#""merges":["#, #""merges":7,"x":["#, "model.merges"), (#""unk_token":"c""#, #""unk_token":"zz""#, "model.unk_token"),
    (#""fuse_unk":true"#, #""fuse_unk":1"#, "model.fuse_unk"),
    (#""fuse_unk":true"#, #""byte_fallback":true"#, "model.byte_fallback"),
    (#""fuse_unk":true"#, #""dropout":0.5"#, "model.dropout"),
    (#""fuse_unk":true"#, #""end_of_word_suffix":"</w>""#, "model.end_of_word_suffix"),
    (#""id":5"#, #""id":4"#, "added_tokens[1]"), (#""id":5"#, #""id":0"#, "added_tokens[1]"),
    (#""id":5"#, #""ID":5"#, "added_tokens[1].id"),
    (#""content":"<user>""#, #""content":null"#, "added_tokens[1].content"),
    (#""lstrip":true"#, #""lstrip":"x""#, "added_tokens[1].lstrip"),
    (#"{"type":"NFC"}"#, #"{"type":"Lowercase"}"#, "normalizer"),
    (#"{"type":"Digits""#, #"{"type":"Metaspace""#, "pre_tokenizer"),
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
    ] {
      #expect("\(text)") {
        _ = try Tokenizer(tokenizerJSON: Array(Self.small.utf8), configuration: Array(text.utf8))
      } throws: { error in
        let error = error as? TokenizerError
        return error?.field == field && error?.source == "tokenizer_config.json"
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
      ({ $0.endOfSequence = -1 }, "tokenizer.ggml.eos_token_id"), ({ $0.furtherEnds = [9] }, "tokenizer.ggml.eot_token_id"),
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
