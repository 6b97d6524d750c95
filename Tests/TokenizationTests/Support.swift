import Foundation
import SwiftletJSON

@testable import SwiftletTokenization

/// A cut-down vocabulary and what `tokenizers` makes of texts with it; see make_fixtures.py.
struct Fixture {
  struct Case {
    var text: String
    var ids: [Int32]
    /// With special tokens read as text.
    var plain: [Int32]
    /// Without the normalizer.
    var raw: [Int32]
    /// The lengths of the pieces of the whole text, in scalars.
    var pieces: [Int]
  }

  let name: String
  let json: [UInt8]

  static let names = ["gpt-2", "smollm", "llama-bpe", "qwen2", "deepseek-llm", "deepseek-coder", "deepseek-v3"]

  init(_ name: String) throws {
    self.name = name
    json = try Self.read("\(name).tokenizer.json")
  }

  func tokenizer() throws -> Tokenizer { try Tokenizer(tokenizerJSON: json) }

  func cases() throws -> [Case] {
    try JSONValue(parsing: Self.read("\(name).cases.json")).elements?.map { value in
      func ids(_ key: String) -> [Int32]? { value[key]?.elements?.compactMap { $0.integer.map { Int32($0) } } }
      let expected = ids("ids") ?? []
      return Case(
        text: value["text"]?.string ?? "", ids: expected, plain: ids("plain") ?? expected, raw: ids("raw") ?? expected,
        pieces: value["pieces"]?.elements?.compactMap(\.integer) ?? [])
    } ?? []
  }

  /// The same vocabulary as a GGUF file would hold it.
  func vocabularyDescription() throws -> VocabularyDescription {
    let root = try JSONValue(parsing: json)
    var tokens: [Int: (text: String, type: Int32)] = [:]
    for member in root["model"]?["vocab"]?.members ?? [] { tokens[member.value.integer ?? 0] = (member.key, 1) }
    for token in root["added_tokens"]?.elements ?? [] {
      tokens[token["id"]?.integer ?? 0] = (token["content"]?.string ?? "", token["special"]?.bool == true ? 3 : 4)
    }
    let sorted = tokens.sorted { $0.key < $1.key }.map(\.value)
    let merges = root["model"]?["merges"]?.elements?.map { pair in
      pair.string ?? (pair.elements ?? []).compactMap(\.string).joined(separator: " ")
    }
    return VocabularyDescription(
      model: "gpt2", preTokenizer: name, tokens: sorted.map(\.text), tokenTypes: sorted.map(\.type), merges: merges ?? [])
  }

  static func read(_ file: String) throws -> [UInt8] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")
    return [UInt8](try Data(contentsOf: folder.appendingPathComponent(file)))
  }
}

extension PreTokenizer {
  /// The pieces of a text.
  func pieces(_ text: String) -> [String] {
    var text = text
    return text.withUTF8 { utf8 in
      var pieces: [String] = []
      var budget = RegexBudget(byteCount: utf8.count)
      forEachPiece(utf8, &budget) { pieces.append(String(decoding: utf8[$0], as: UTF8.self)) }
      return pieces
    }
  }

  /// The pre-tokenizer that runs the patterns as they are written.
  static func pipeline(_ patterns: [String]) throws -> PreTokenizer {
    .pipeline(SplitPipeline(steps: try patterns.map { try SplitStep($0) }))
  }
}

/// Small, seeded, the same everywhere.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

/// Texts in which the classes that patterns tell apart follow one another in every way.
struct RandomText {
  private var random: SplitMix64

  init(seed: UInt64) { random = SplitMix64(seed) }

  private static let alphabet: [Unicode.Scalar] = Array(
    "aZsStTdDmMlLrReEvVſé的龥龦ア゠・か゛ーꙮࠀ가١1½Ⅷ 0\t\n\r\u{A0}\u{3000}\u{2028}\u{85}\u{0B}'’!?.,-_<>=+$€~。！，～‘“\u{300}\u{301}\u{3099}\u{200B}\u{200D}\u{0}\u{7F}\u{378}\u{E000}\u{3040}😀🇨øﬀＡᏣ\u{10FFFF}"
      .unicodeScalars)

  mutating func next() -> String {
    var text = String.UnicodeScalarView()
    for _ in 0..<Int.random(in: 0...24, using: &random) {
      switch Int.random(in: 0..<12, using: &random) {
      case 0:
        let scalar = Self.alphabet.randomElement(using: &random) ?? " "
        for _ in 0..<Int.random(in: 1...6, using: &random) { text.append(scalar) }
      case 1: if let scalar = Unicode.Scalar(UInt32.random(in: 0..<0x11_0000, using: &random)) { text.append(scalar) }
      case 2: if let scalar = Unicode.Scalar(UInt32.random(in: 0..<0x3100, using: &random)) { text.append(scalar) }
      default: text.append(Self.alphabet.randomElement(using: &random) ?? " ")
      }
    }
    return String(text)
  }
}
