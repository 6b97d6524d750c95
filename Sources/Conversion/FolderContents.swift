internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletJSON
internal import SwiftletTokenization

/// What a folder of safetensors holds beside the weights.
struct FolderContents {
  /// Files that are taken over from a folder as they are.
  static let companions = [
    "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "merges.txt", "tokenizer.model", "chat_template.jinja", "chat_template.json", "LICENSE", "README.md",
  ]
  private static let maximumCompanionBytes = 256 << 20

  /// Something in a folder that this command does not write.
  static func firstForeign(in folder: String) -> String? {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.sorted().first { name in
      !companions.contains(name) && name != "config.json" && name != "model.safetensors.index.json"
        && !(name.hasPrefix("model") && name.hasSuffix(".safetensors"))
    }
  }

  /// What transformers asks for in the header of a safetensors file.
  static let format = [(key: "format", value: "pt")]

  var texts: [(name: String, text: String)] = []
  /// Names, and the paths of the files that are copied.
  var copies: [(name: String, path: String)] = []
  var notes: [String] = []

  var byteCount: Int {
    let copied = copies.reduce(0) { sum, copy in
      let path = URL(fileURLWithPath: copy.path).resolvingSymlinksInPath().path
      let attributes = try? FileManager.default.attributesOfItem(atPath: path)
      return sum + (attributes?[.size] as? Int ?? 0)
    }
    return copied + texts.reduce(0) { $0 + $1.text.utf8.count }
  }

  /// The tokenizer as far as the GGUF file tells it, and notes of the rest.
  mutating func addTokenizer(of file: GGUFFile, contextLength: Int) throws(CheckpointError) {
    func key(_ name: String) -> String { "tokenizer.ggml.\(name)" }
    guard let tokens = try file.strings(key("tokens")) else {
      notes.append("The source has no tokenizer, so there is none.")
      return
    }
    let beginning = try file.integer(key("bos_token_id")), end = try file.integer(key("eos_token_id"))
    let addsBeginning = try file.bool(key("add_bos_token"))
    let description = VocabularyDescription(
      model: try file.string(key("model")) ?? "", preTokenizer: try file.string(key("pre")), tokens: tokens,
      tokenTypes: (try file.integers(key("token_type")) ?? []).map { Int32(clamping: $0) },
      merges: try file.strings(key("merges")) ?? [], beginningOfSequence: beginning, endOfSequence: end,
      addsBeginningOfSequence: addsBeginning, source: file.path)
    do throws(TokenizerError) {
      texts.append(("tokenizer.json", try description.tokenizerJSON().serialized() + "\n"))
      if description.preTokenizer == "qwen2" || description.preTokenizer == "deepseek-r1-qwen" {
        notes.append("Qwen's own tokenizer.json normalises texts (NFC); GGUF files do not say so, and this one does not.")
      }
    } catch {
      notes.append("tokenizer.json was not written: \(error)")
    }
    var settings: [JSONMember] = [JSONMember(key: "tokenizer_class", value: "PreTrainedTokenizerFast")]
    for (name, field) in [("bos", "bos_token"), ("eos", "eos_token"), ("padding", "pad_token"), ("unknown", "unk_token")] {
      guard let id = try file.integer(key("\(name)_token_id")), tokens.indices.contains(id) else { continue }
      settings.append(JSONMember(key: field, value: .string(tokens[id])))
    }
    if let addsBeginning { settings.append(JSONMember(key: "add_bos_token", value: .bool(addsBeginning))) }
    if let adds = try file.bool(key("add_eos_token")) { settings.append(JSONMember(key: "add_eos_token", value: .bool(adds))) }
    if let adds = try file.bool(key("add_space_prefix")) {
      settings.append(JSONMember(key: "add_prefix_space", value: .bool(adds)))
    }
    settings.append(JSONMember(key: "clean_up_tokenization_spaces", value: false))
    settings.append(JSONMember(key: "model_max_length", value: .integer(contextLength)))
    if let template = try template(of: file) { settings.append(JSONMember(key: "chat_template", value: template)) }
    texts.append(("tokenizer_config.json", JSONValue.object(settings).serialized() + "\n"))
  }

  /// One template, or a list of named ones.
  private func template(of file: GGUFFile) throws(CheckpointError) -> JSONValue? {
    let key = "tokenizer.chat_template"
    guard let text = try file.string(key) else { return nil }
    var named: [JSONValue] = []
    for name in try file.strings("tokenizer.chat_templates") ?? [] {
      guard let other = try file.string("\(key).\(name)") else { continue }
      named.append(["name": .string(name), "template": .string(other)])
    }
    return named.isEmpty ? .string(text) : .array([["name": "default", "template": .string(text)]] + named)
  }

  func write(to folder: String) throws {
    for (name, text) in texts { try Self.write(text, to: folder + "/" + name) }
    for (name, path) in copies {
      let bytes = try RegularFile(path: path).bytes(maximumBytes: Self.maximumCompanionBytes)
      let file = try FileWriter(path: folder + "/" + name)
      try file.write(bytes)
      try file.commit()
    }
  }

  static func write(_ text: String, to path: String) throws(CheckpointError) {
    let file = try FileWriter(path: path)
    try file.write(Array(text.utf8))
    try file.commit()
  }

  static func fileName(_ index: Int, of count: Int) -> String {
    count == 1 ? "model.safetensors" : String(format: "model-%05d-of-%05d.safetensors", index + 1, count)
  }

  /// model.safetensors.index.json: in which file each tensor is; nil for a single file, which needs none.
  static func index(of shards: [[TensorPlan]]) -> String? {
    guard shards.count > 1 else { return nil }
    let total = shards.joined().reduce(0) { $0 + $1.byteCount }
    let places = shards.enumerated().flatMap { index, shard in
      shard.map { JSONMember(key: $0.name, value: .string(fileName(index, of: shards.count))) }
    }
    let index: JSONValue = ["metadata": ["total_size": .integer(total)], "weight_map": .object(places)]
    return index.serialized() + "\n"
  }
}
