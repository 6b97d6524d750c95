internal import SwiftletJSON

extension Tokenizer {
  /// A tokenizer from the files of a Hugging Face model.
  /// - Parameters:
  ///   - tokenizerJSON: the content of `tokenizer.json`.
  ///   - configuration: the content of `tokenizer_config.json`, which names the first and last token of a sequence.
  ///   - source: the first file's name for error messages.
  ///   - configurationSource: the second file's.
  /// - Throws: `TokenizerError` naming the field that is broken or asks for what is not supported.
  public convenience init(
    tokenizerJSON: [UInt8], configuration: [UInt8]? = nil, source: String = "tokenizer.json",
    configurationSource: String = "tokenizer_config.json"
  ) throws(TokenizerError) {
    let root = try Self.parse(tokenizerJSON, source)
    let settings = try configuration.map { bytes throws(TokenizerError) in try Self.parse(bytes, configurationSource) }

    var reader = TokenizerJSONReader(source: source)
    let (model, addedTokens) = try reader.readVocabulary(root)
    let (preTokenizer, addsPrefixSpace) = try PreTokenizerJSONReader(source: source).read(root["pre_tokenizer"])
    let normalizer = try reader.readNormalizer(root["normalizer"])

    let template = TokenizerJSONReader.firstOfTemplate(root["post_processor"])
    func token(_ name: String) throws(TokenizerError) -> Int? {
      guard let value = settings?[name], !value.isNull else { return nil }
      guard let content = value.string ?? value["content"]?.string else {
        throw TokenizerError(
          .malformed, source: configurationSource, field: name,
          reason: "found a \(value.typeName), expected a string or an object")
      }
      guard let id = reader.builder.find(Array(content.utf8)) else {
        throw TokenizerError(
          .malformed, source: configurationSource, field: name,
          reason: "\(TokenizerError.quote(content)) is not in the vocabulary of \(source)")
      }
      return id
    }
    func customary(_ names: [String]) -> Int? { names.lazy.compactMap { reader.builder.find(Array($0.utf8)) }.first }
    let templateBeginning = template.flatMap { reader.builder.find(Array($0.utf8)) }
    let beginning =
      try token("bos_token") ?? templateBeginning
      ?? (settings == nil ? customary(["<｜begin▁of▁sentence｜>", "<|begin_of_text|>"]) : nil)
    let end =
      try token("eos_token") ?? (settings == nil ? customary(["<｜end▁of▁sentence｜>", "<|end_of_text|>"]) : nil)
    var addsBeginning = templateBeginning != nil
    if let settings {
      addsBeginning = try TokenizerFields(value: settings, source: configurationSource)
        .flag("add_bos_token", default: addsBeginning)
    }
    self.init(
      Parts(
        model: model, preTokenizer: preTokenizer, normalizer: normalizer, addsPrefixSpace: addsPrefixSpace,
        addedTokens: addedTokens, beginningOfSequence: beginning, endOfSequence: end,
        addsBeginningOfSequence: addsBeginning))
  }

  private static func parse(_ bytes: [UInt8], _ source: String) throws(TokenizerError) -> JSONValue {
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONValue(parsing: bytes)
    } catch {
      throw TokenizerError(.malformed, source: source, field: "JSON", reason: error.description)
    }
    guard value.members != nil else {
      throw TokenizerError(.malformed, source: source, field: "JSON", reason: "found a \(value.typeName), expected an object")
    }
    return value
  }
}

/// Reads the parts of a tokenizer.json.
struct TokenizerJSONReader {
  private(set) var builder: VocabularyBuilder

  init(source: String) { builder = VocabularyBuilder(source: source) }

  mutating func readVocabulary(_ root: JSONValue) throws(TokenizerError) -> (BytePairModel, [AddedToken]) {
    guard let model = root["model"], model.members != nil else { throw builder.malformed("model", "missing, or no object") }
    // Older files leave the type out.
    let type = model["type"]?.string ?? (model["merges"] != nil ? "BPE" : "nothing")
    guard type == "BPE" else {
      throw builder.unsupported("model.type", "found \(TokenizerError.quote(type)), expected \"BPE\"")
    }
    let fields = TokenizerFields(value: model, source: builder.source, prefix: "model.")
    try refuseUnsupported(model, fields)
    guard let vocabulary = model["vocab"]?.members else {
      throw builder.malformed(
        "model.vocab", "found \(model["vocab"].map { "a \($0.typeName)" } ?? "nothing"), expected an object")
    }
    guard let merges = model["merges"]?.elements else {
      throw builder.malformed(
        "model.merges", "found \(model["merges"].map { "a \($0.typeName)" } ?? "nothing"), expected an array")
    }
    builder.expect(vocabulary.count + (root["added_tokens"]?.elements?.count ?? 0))
    for member in vocabulary {
      guard let id = member.value.integer else {
        throw builder.malformed(
          "model.vocab", "the id of \(TokenizerError.quote(member.key)) is a \(member.value.typeName), expected an integer")
      }
      try builder.add(id, member.key, .ordinary, field: "model.vocab")
    }
    let added = try readAddedTokens(root["added_tokens"])
    try builder.index(field: "model.vocab", mergeCount: merges.count)
    for (rank, merge) in merges.enumerated() { try addMerge(merge, rank) }
    let unknown = try readUnknown(fields.text("unk_token"))
    let fuses = try fields.flag("fuse_unk")
    let ignoresMerges = try fields.flag("ignore_merges")
    return (builder.model(unknown: unknown, fusesUnknown: fuses, ignoresMerges: ignoresMerges), added)
  }

  private func refuseUnsupported(_ model: JSONValue, _ fields: TokenizerFields) throws(TokenizerError) {
    for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let value = try fields.text(name), !value.isEmpty {
        throw builder.unsupported("model.\(name)", "found \(TokenizerError.quote(value)), expected none")
      }
    }
    if try fields.flag("byte_fallback") {
      throw builder.unsupported("model.byte_fallback", "found true, expected false (byte-level BPE)")
    }
    if let dropout = model["dropout"], !dropout.isNull, dropout.double != 0 {
      throw builder.unsupported("model.dropout", "found \(dropout.serialized().prefix(40)), expected none")
    }
  }

  private mutating func addMerge(_ merge: JSONValue, _ rank: Int) throws(TokenizerError) {
    if let text = merge.string {
      // The header of merge files got into some.
      if text.hasPrefix("#version") { return }
      try builder.addMerge(text, rank: rank, field: "model.merges")
    } else if let pair = merge.elements, pair.count == 2, let left = pair[0].string, let right = pair[1].string {
      try builder.addMerge(left.utf8, right.utf8, rank: rank, field: "model.merges")
    } else {
      throw builder.malformed("model.merges[\(rank)]", "expected \"a b\" or [\"a\", \"b\"]")
    }
  }

  private func readUnknown(_ text: String?) throws(TokenizerError) -> Int? {
    guard let text, !text.isEmpty else { return nil }
    guard let id = builder.find(Array(text.utf8)) else {
      throw builder.malformed("model.unk_token", "\(TokenizerError.quote(text)) is not in the vocabulary")
    }
    return id
  }

  private mutating func readAddedTokens(_ value: JSONValue?) throws(TokenizerError) -> [AddedToken] {
    guard let value, !value.isNull else { return [] }
    guard let elements = value.elements else {
      throw builder.malformed("added_tokens", "found a \(value.typeName), expected an array")
    }
    var tokens: [AddedToken] = []
    for (index, element) in elements.enumerated() {
      let field = "added_tokens[\(index)]"
      guard let id = element["id"]?.integer else { throw builder.malformed(field + ".id", "missing, or no integer") }
      guard let content = element["content"]?.string else { throw builder.malformed(field + ".content", "missing, or no string") }
      try builder.countAdded(content, field: field + ".content")
      if let known = builder.text(id), known.utf8.elementsEqual(content.utf8) {
        builder.setKind(id, .literal)
      } else {
        try builder.add(id, content, .literal, field: field)
      }
      let fields = TokenizerFields(value: element, source: builder.source, prefix: field + ".")
      let isSpecial = try fields.flag("special")
      tokens.append(
        AddedToken(
          id: id, content: Array(content.utf8), isSpecial: isSpecial, stripsLeft: try fields.flag("lstrip"),
          stripsRight: try fields.flag("rstrip"), isSingleWord: try fields.flag("single_word"),
          isNormalized: try fields.flag("normalized", default: !isSpecial)))
    }
    return tokens
  }

  func readNormalizer(_ value: JSONValue?) throws(TokenizerError) -> Normalizer {
    guard let value, !value.isNull else { return .none }
    switch value["type"]?.string {
    case "NFC": return .composition
    case "Sequence":
      var result = Normalizer.none
      for step in value["normalizers"]?.elements ?? [] {
        if try readNormalizer(step) == .composition { result = .composition }
      }
      return result
    case let type:
      throw builder.unsupported("normalizer", "found \(TokenizerError.quote(type ?? "nothing")), expected NFC or none")
    }
  }

  /// The special token with which the post-processor begins every sequence.
  static func firstOfTemplate(_ processor: JSONValue?) -> String? {
    switch processor?["type"]?.string {
    case "TemplateProcessing": processor?["single"]?.elements?.first?["SpecialToken"]?["id"]?.string
    case "Sequence": processor?["processors"]?.elements?.lazy.compactMap { firstOfTemplate($0) }.first
    default: nil
    }
  }
}
