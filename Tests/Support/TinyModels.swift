import Foundation
import SwiftletJSON

/// The small random models of other tests, and one made here that can chat.
package enum TinyModels {
  private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

  package static func checkpoint(_ name: String) -> String {
    tests.appendingPathComponent("ModelsTests/Fixtures/checkpoints/\(name)").path
  }

  package static func gguf(_ name: String) -> String {
    tests.appendingPathComponent("ModelsTests/Fixtures/gguf/\(name).gguf").path
  }

  package static func tokenizer(_ name: String) -> String {
    tests.appendingPathComponent("TokenizationTests/Fixtures/\(name).tokenizer.json").path
  }

  /// The id of `<|end|>` in the vocabulary of `chat(in:)`, whose first 256 tokens are the bytes.
  package static let endToken = 256

  /// A folder with a tiny checkpoint, a vocabulary of bytes, and a chat template.
  /// - Parameters:
  ///   - opensThought: the prompt ends with `<think>`, as that of reasoning models does.
  ///   - hasTemplate: false for a model that does not chat.
  ///   - contextLength: the model's own limit, where another one is needed.
  package static func chat(
    in folder: String, opensThought: Bool = false, hasTemplate: Bool = true, contextLength: Int? = nil
  ) throws -> String {
    let path = folder + (opensThought ? "/thinker" : hasTemplate ? "/chatter" : "/base")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for file in ["config.json", "model.safetensors"] {
      try FileManager.default.copyItem(atPath: checkpoint("qwen2-untied") + "/" + file, toPath: path + "/" + file)
    }
    let vocabulary = byteAlphabet.enumerated().map { JSONMember(key: String($1), value: .integer($0)) }
    let end: JSONValue = [
      "id": .integer(endToken), "content": "<|end|>", "special": true, "single_word": false, "lstrip": false, "rstrip": false,
      "normalized": false,
    ]
    let tokenizer: JSONValue = [
      "added_tokens": [end], "normalizer": nil,
      "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true],
      "post_processor": nil, "decoder": ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true],
      "model": [
        "type": "BPE", "dropout": nil, "unk_token": nil, "fuse_unk": false, "byte_fallback": false,
        "vocab": .object(vocabulary), "merges": [],
      ],
    ]
    let template =
      "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}<|end|>{% endfor %}"
      + "{% if add_generation_prompt %}assistant: \(opensThought ? "<think>\n" : ""){% endif %}"
    let configuration: JSONValue = ["eos_token": "<|end|>", "chat_template": hasTemplate ? .string(template) : nil]
    if let contextLength {
      let file = URL(fileURLWithPath: path + "/config.json")
      let members = try JSONValue(parsing: Array(Data(contentsOf: file))).members ?? []
      let changed =
        members.filter { $0.key != "max_position_embeddings" }
        + [JSONMember(key: "max_position_embeddings", value: .integer(contextLength))]
      try Data(JSONValue.object(changed).serialized().utf8).write(to: file)
    }
    try Data(tokenizer.serialized().utf8).write(to: URL(fileURLWithPath: path + "/tokenizer.json"))
    try Data(configuration.serialized().utf8).write(to: URL(fileURLWithPath: path + "/tokenizer_config.json"))
    return path
  }

  /// The scalars that stand for the 256 bytes in byte-level vocabularies: printable Latin-1 for itself, the others from U+0100 on.
  private static let byteAlphabet: [Character] = {
    let printable = Set(33...126).union(161...172).union(174...255)
    var next: UInt32 = 256
    return (0..<256).map { byte in
      if printable.contains(byte) { return Character(Unicode.Scalar(UInt8(byte))) }
      defer { next += 1 }
      return Character(Unicode.Scalar(next) ?? " ")
    }
  }()
}
