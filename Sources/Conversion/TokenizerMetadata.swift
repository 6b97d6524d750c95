internal import SwiftletCheckpoints
internal import SwiftletJSON
internal import SwiftletTokenization

/// The metadata of a GGUF file that hold the tokenizer and the chat template, made of a folder's files as llama.cpp's
/// convert_hf_to_gguf.py makes them.
struct TokenizerMetadata {
  private static let specialTypes = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"]
  /// What llama.cpp calls the special tokens, its own spelling included.
  private static let keys = [
    "bos": "bos_token_id", "eos": "eos_token_id", "unk": "unknown_token_id", "sep": "seperator_token_id",
    "pad": "padding_token_id", "cls": "cls_token_id", "mask": "mask_token_id",
  ]
  let files: FolderFiles
  /// Rows of the embedding; ids without a token are padded up to it.
  let vocabularySize: Int
  let isLlama: Bool

  /// Adds the keys.
  /// - Throws: `CheckpointError` or `TokenizerError` for a tokenizer that is missing, broken, or that a GGUF file cannot hold.
  func add(to metadata: inout GGUFMetadata) throws {
    let path = files.path("tokenizer.json")
    guard let root = try files.json("tokenizer.json") else {
      throw CheckpointError(
        file: files.folder, field: "tokenizer.json", reason: "is missing; a GGUF file carries the model's tokenizer")
    }
    let settings = try files.json("tokenizer_config.json"), config = try files.json("config.json")
    let tokenizer = try Tokenizer(
      tokenizerJSON: files.bytes("tokenizer.json") ?? [], configuration: files.bytes("tokenizer_config.json"), source: path,
      configurationSource: files.path("tokenizer_config.json"))
    let name = try Tokenizer.ggufPreTokenizer(root, source: path)
    let (tokens, types) = try vocabulary(root, path)
    let merges = try Self.merges(root, path)
    func set(_ key: String, _ value: GGUFMetadata.Value?) { metadata.set("tokenizer.ggml.\(key)", value) }
    if isLlama { set("add_space_prefix", settings?["add_prefix_space"]?.bool.map { .bool($0) }) }
    set("model", .string("gpt2"))
    set("pre", .string(name))
    set("tokens", .strings(tokens))
    set("token_type", .int32s(types.map(Int.init)))
    if !merges.isEmpty { set("merges", .strings(merges)) }
    let special = specialTokens(root, settings, config)
    for (type, id) in special.ids { if let key = Self.keys[type] { set(key, .uint32(id)) } }
    for (type, adds) in special.adds where ["bos", "eos", "sep"].contains(type) { set("add_\(type)_token", .bool(adds)) }
    try addTemplate(settings, to: &metadata)
    // llama.cpp's rule for models of this size of vocabulary.
    if isLlama, vocabularySize == 49152 { set("add_bos_token", .bool(false)) }
    // Added, not to change an answer: our own reading of the file must put the beginning of sequence where the folder's does.
    if metadata["tokenizer.ggml.add_bos_token"] == nil { set("add_bos_token", .bool(tokenizer.addsBeginningOfSequence)) }
    try check(tokenizer, metadata, name, tokens, types, merges)
  }

  private func malformed(_ path: String, _ field: String, _ reason: String) -> TokenizerError {
    TokenizerError(.malformed, source: path, field: field, reason: reason)
  }

  /// Every id's text and type: 1 normal, 3 control, 4 user-defined, 5 unused.
  private func vocabulary(_ root: JSONValue, _ path: String) throws -> (tokens: [String], types: [Int32]) {
    var tokens = [String?](repeating: nil, count: vocabularySize)
    var types = [Int32](repeating: 5, count: vocabularySize)
    for member in root["model"]?["vocab"]?.members ?? [] {
      guard let id = member.value.integer, tokens.indices.contains(id) else { throw outside(path, member.key) }
      tokens[id] = member.key
      types[id] = 1
    }
    for token in root["added_tokens"]?.elements ?? [] {
      guard let id = token["id"]?.integer, let content = token["content"]?.string, tokens.indices.contains(id) else {
        throw outside(path, token["content"]?.string ?? "")
      }
      let isControl = token["special"]?.bool == true || Self.looksSpecial(content)
      tokens[id] = isControl ? content : content.replacing("\u{2581}", with: " ")
      types[id] = isControl ? 3 : 4
    }
    return (tokens.enumerated().map { $1 ?? "[PAD\($0)]" }, types)
  }

  private func outside(_ path: String, _ token: String) -> TokenizerError {
    malformed(path, "vocab", "\(CheckpointError.excerpt(token)) has an id outside the model's vocabulary of \(vocabularySize)")
  }

  /// Tokens that are control tokens although their files do not say so.
  private static func looksSpecial(_ token: String) -> Bool {
    ["<pad>", "<mask>", "<2mass>", "[@BOS@]"].contains(token) || (token.hasPrefix("<|") && token.hasSuffix("|>"))
      || (token.hasPrefix("<｜") && token.hasSuffix("｜>")) || (token.hasPrefix("<unused") && token.hasSuffix(">"))
  }

  /// Two tokens with a space between them; a space inside one is written in the byte alphabet.
  private static func merges(_ root: JSONValue, _ path: String) throws -> [String] {
    try (root["model"]?["merges"]?.elements ?? []).enumerated().compactMap { index, merge in
      if let text = merge.string { return text.hasPrefix("#version") ? nil : text }
      guard let pair = merge.elements?.compactMap(\.string), pair.count == 2 else {
        throw TokenizerError(
          .malformed, source: path, field: "model.merges[\(index)]", reason: "expected \"a b\" or [\"a\", \"b\"]")
      }
      return pair.map { $0.replacing(" ", with: "\u{120}") }.joined(separator: " ")
    }
  }

  /// The special tokens' ids and whether they are added to texts, in the order in which they are found.
  private func specialTokens(
    _ root: JSONValue, _ settings: JSONValue?, _ config: JSONValue?
  ) -> (ids: [(type: String, id: Int)], adds: [(type: String, adds: Bool)]) {
    var ids: [(type: String, id: Int)] = [], adds: [(type: String, adds: Bool)] = []
    func found(_ type: String, _ id: Int?) {
      if let id, (0..<vocabularySize).contains(id), !ids.contains(where: { $0.type == type }) { ids.append((type, id)) }
    }
    func settle(_ type: String, _ value: Bool, replacing: Bool) {
      if let index = adds.firstIndex(where: { $0.type == type }) {
        if replacing { adds[index].adds = value }
      } else {
        adds.append((type, value))
      }
    }
    func content(_ type: String) -> String? {
      settings?["\(type)_token"].flatMap { $0.string ?? $0["content"]?.string }
    }
    let processor = root["post_processor"]
    for step in processor?["processors"]?.elements ?? [processor].compactMap({ $0 }) {
      switch step["type"]?.string {
      case "ByteLevel":
        settle("bos", false, replacing: false)
        settle("eos", false, replacing: false)
      case "TemplateProcessing":
        let single = step["single"]?.elements ?? []
        guard single.count > 1 else { break }
        if let first = single[0]["SpecialToken"]?["id"]?.string {
          settle("bos", settings == nil || first == content("bos") || content("bos") == nil, replacing: true)
        }
        let last = single[single.count - 1]["SpecialToken"]?["id"]?.string
        if last != nil { settle("eos", true, replacing: true) }
        if let separates = separates(step["pair"]?.elements ?? [], last, content("sep") ?? content("eos"), content("eos")) {
          settle("sep", separates, replacing: true)
        }
      default: break
      }
    }
    if let settings {
      for type in Self.specialTypes {
        if let value = settings["add_\(type)_token"]?.bool { settle(type, value, replacing: false) }
        guard let content = content(type) else { continue }
        found(type, (root["added_tokens"]?.elements ?? []).first { $0["content"]?.string == content }?["id"]?.integer)
      }
    }
    for type in Self.specialTypes { found(type, config?["\(type)_token_id"]?.integer) }
    return (ids, adds)
  }

  /// Whether a token between two texts separates them; nil when there is none.
  private func separates(_ pair: [JSONValue], _ last: String?, _ separator: String?, _ end: String?) -> Bool? {
    guard let first = pair.firstIndex(where: { $0["Sequence"]?["id"]?.string == "A" }),
      let second = pair.firstIndex(where: { $0["Sequence"]?["id"]?.string == "B" }), second > first + 1
    else { return nil }
    let between = pair[first + 1..<second].map { $0["SpecialToken"]?["id"]?.string }
    func isSeparator(_ token: String?) -> Bool { token != nil && (token == separator || token == end) }
    return isSeparator(between[0]) && last == nil || between.count == 2 && isSeparator(between[1])
  }

  /// A file of its own, else `chat_template` of tokenizer_config.json; of a list of named ones all.
  private func addTemplate(_ settings: JSONValue?, to metadata: inout GGUFMetadata) throws {
    let key = "tokenizer.chat_template"
    var template: JSONValue? = try files.text("chat_template.jinja").map { .string($0) }
    if template == nil { template = try files.json("chat_template.json")?["chat_template"] }
    if template == nil { template = settings?["chat_template"].flatMap { $0.isNull ? nil : $0 } }
    if let text = template?.string { return metadata.set(key, .string(text)) }
    var names: [String] = []
    for entry in template?.elements ?? [] {
      guard let name = entry["name"]?.string, let text = entry["template"]?.string else { continue }
      if name == "default" {
        metadata.set(key, .string(text))
      } else {
        metadata.set("\(key).\(name)", .string(text))
        names.append(name)
      }
    }
    if !names.isEmpty { metadata.set("tokenizer.chat_templates", .strings(names)) }
  }

  /// The tokenizer that the file will have must cut texts as the folder's does.
  private func check(
    _ tokenizer: Tokenizer, _ metadata: GGUFMetadata, _ name: String, _ tokens: [String], _ types: [Int32], _ merges: [String]
  ) throws {
    guard !merges.isEmpty else {
      throw malformed(files.path("tokenizer.json"), "model.merges", "is empty; a GGUF file of byte-level BPE has merges")
    }
    let written = try Tokenizer(
      VocabularyDescription(model: "gpt2", preTokenizer: name, tokens: tokens, tokenTypes: types, merges: merges))
    let text =
      "Hello, world's 12345 tests!  \n\n\t def f(x): return x**2 # комментарий\n中文字符、日本語 한국어 naïve 🙂 'S 'll \r\n   end"
    guard tokenizer.encode(text, addedTokens: .none) == written.encode(text, addedTokens: .none) else {
      throw TokenizerError(
        .unsupported, source: files.path("tokenizer.json"), field: "tokenizer",
        reason: "a GGUF file's form of it (\"\(name)\") gives other tokens; such a file would be wrong")
    }
  }
}
