public import SwiftletJSON

extension VocabularyDescription {
  /// The vocabulary as tokenizer.json has it, that of the `tokenizers` package.
  /// - Throws: `TokenizerError` for vocabularies that cannot be written so.
  public func tokenizerJSON() throws(TokenizerError) -> JSONValue {
    func unsupported(_ field: String, _ reason: String) -> TokenizerError {
      TokenizerError(.unsupported, source: source, field: "tokenizer.ggml.\(field)", reason: reason)
    }
    guard model == "gpt2" else { throw unsupported("model", "found \(TokenizerError.quote(model)), expected \"gpt2\"") }
    let name = preTokenizer ?? "default"
    guard let (preTokenizer, ignoresMerges) = try? KnownPatterns.named(name),
      let patterns = KnownPatterns.patterns(preTokenizer)
    else { throw unsupported("pre", "\(TokenizerError.quote(name)) has no form here that tokenizer.json could hold") }
    func type(_ id: Int) -> Int32 { tokenTypes.indices.contains(id) ? tokenTypes[id] : 1 }
    guard !tokens.indices.contains(where: { type($0) == 6 }) else {
      throw unsupported("token_type", "found tokens of single bytes, expected none in byte-level BPE")
    }
    // Unused places at the end are the model's, not the tokenizer's.
    let count = (tokens.indices.last { type($0) != 5 } ?? -1) + 1
    let vocabulary = (0..<count).map { JSONMember(key: tokens[$0], value: .integer($0)) }
    let added = (0..<count).filter { (2...4).contains(type($0)) }.map { id -> JSONValue in
      [
        "id": .integer(id), "content": .string(tokens[id]), "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": .bool(type(id) != 4),
      ]
    }
    let pairs = merges.map { merge -> JSONValue in
      .array(merge.split(separator: " ", maxSplits: 1).map { .string(String($0)) })
    }
    let byteLevel: JSONValue = ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true]
    return [
      "version": "1.0", "truncation": nil, "padding": nil, "added_tokens": .array(added), "normalizer": nil,
      "pre_tokenizer": Self.preTokenizerJSON(patterns), "post_processor": postProcessor ?? byteLevel, "decoder": byteLevel,
      "model": [
        "type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
        "fuse_unk": false, "byte_fallback": false, "ignore_merges": .bool(ignoresMerges), "vocab": .object(vocabulary),
        "merges": .array(pairs),
      ],
    ]
  }

  private static func preTokenizerJSON(_ patterns: [String]) -> JSONValue {
    // The last step turns bytes into the alphabet of the vocabulary; GPT-2's pattern is its own.
    let isGPT2 = patterns.last == KnownPatterns.gpt2
    let byteLevel: JSONValue = [
      "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": .bool(isGPT2),
    ]
    let splits = (isGPT2 ? patterns.dropLast() : patterns[...]).map { pattern -> JSONValue in
      pattern == KnownPatterns.number
        ? ["type": "Digits", "individual_digits": true]
        : ["type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Isolated", "invert": false]
    }
    return splits.isEmpty ? byteLevel : ["type": "Sequence", "pretokenizers": .array(splits + [byteLevel])]
  }

  /// Puts the beginning of sequence first, where the model expects it.
  private var postProcessor: JSONValue? {
    guard addsBeginningOfSequence == true, let id = beginningOfSequence, tokens.indices.contains(id) else { return nil }
    let token = JSONValue.string(tokens[id])
    func special(_ type: Int) -> JSONValue { ["SpecialToken": ["id": token, "type_id": .integer(type)]] }
    func sequence(_ name: String, _ type: Int) -> JSONValue { ["Sequence": ["id": .string(name), "type_id": .integer(type)]] }
    return [
      "type": "TemplateProcessing", "single": [special(0), sequence("A", 0)],
      "pair": [special(0), sequence("A", 0), special(1), sequence("B", 1)],
      "special_tokens": .object([
        JSONMember(key: tokens[id], value: ["id": token, "ids": [.integer(id)], "tokens": [token]])
      ]),
    ]
  }
}
