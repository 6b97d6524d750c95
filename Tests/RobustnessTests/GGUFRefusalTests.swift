import SwiftletCheckpoints
import SwiftletGeneration
import SwiftletModels
import SwiftletMutationCases
import Testing

/// Keys and tensors of GGUF files that would give wrong numbers in silence.
@Suite struct GGUFRefusalTests {
  private func document(_ name: String) throws -> GGUFDocument {
    GGUFDocument(try Seeds.bytes("ModelsTests/Fixtures/gguf/\(name).gguf"))
  }

  private func load(_ document: GGUFDocument) throws -> LoadedModel {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    return try LoadedModel(path: folder.write(document.serialized(), as: "model.gguf"))
  }

  private func refusal(_ document: GGUFDocument) throws -> CheckpointError {
    try #require(#expect(throws: CheckpointError.self) { try load(document) })
  }

  /// Keys of which none may count as missing because its value has another type.
  static let keys = [
    "general.alignment", "general.architecture", "deepseek2.expert_weights_norm", "deepseek2.rope.scaling.type",
    "deepseek2.expert_group_count", "deepseek2.rope.freq_base", "tokenizer.ggml.model", "tokenizer.ggml.pre",
    "tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.ggml.merges", "tokenizer.ggml.eos_token_id",
    "tokenizer.ggml.eot_token_id", "tokenizer.ggml.add_bos_token", "tokenizer.chat_template", "split.count",
  ]

  @Test(arguments: keys) func wrongTypesAreRefused(_ key: String) throws {
    var document = try document("deepseek-v3")
    // An array of arrays is what no key expects.
    document.set(key, 9, GGUFDocument.littleEndian(9, 4) + GGUFDocument.littleEndian(0))
    let error = try refusal(document)
    #expect(error.field == key && error.reason.contains("found an array of 0 values, expected"), "\(error)")
  }

  static let numbers: [(key: String, value: Double)] = [
    ("expert_weights_scale", .nan), ("expert_weights_scale", 1e300), ("rope.scaling.yarn_log_multiplier", .nan),
    ("rope.scaling.yarn_log_multiplier", 1e300), ("rope.scaling.yarn_beta_fast", .nan), ("rope.scaling.yarn_beta_slow", -1),
    ("rope.scaling.factor", .nan), ("rope.scaling.factor", .infinity), ("rope.freq_base", 1), ("rope.freq_base", .nan),
    ("attention.layer_norm_rms_epsilon", .nan), ("attention.layer_norm_rms_epsilon", -1),
  ]

  @Test(arguments: numbers) func numbersThatAreNoneAreRefused(_ attack: (key: String, value: Double)) throws {
    var document = try document("deepseek-v3")
    document.set("deepseek2." + attack.key, attack.value)
    #expect(try refusal(document).field == "deepseek2." + attack.key)
  }

  /// Errors name the file's keys, not those of config.json.
  @Test(arguments: ["embedding_length", "attention.head_count", "attention.head_count_kv", "feed_forward_length"])
  func rangesNameTheKey(_ key: String) throws {
    var document = try document("llama-gqa-tied")
    document.set("llama." + key, 0)
    let error = try refusal(document)
    #expect(error.field == "llama." + key && error.reason.contains("found 0, expected 1 to"), "\(error)")
  }

  @Test func layersThatDifferAreTold() throws {
    var document = try document("llama-gqa-tied")
    document.set("llama.attention.head_count_kv", integers: [2, 2, 1])
    #expect(try refusal(document).reason.contains("found 2, 2, 1, expected the same in every layer"))
  }

  /// Older files have a factor without a type, or the older name of the key; llama.cpp takes both for linear.
  @Test(arguments: ["rope.scaling.factor", "rope.scale_linear"]) func factorWithoutTypeIsLinear(_ key: String) throws {
    var document = try document("llama-gqa-tied")
    document.set("llama." + key, 4.0)
    #expect(try load(document).configuration.rotary.scaling == .linear(factor: 4))
    document.set("llama." + key, 0.0)
    #expect(try load(document).configuration.rotary.scaling == .none)
    document.set("llama." + key, 4.0)
    document.set("llama.rope.scaling.type", "none")
    #expect(try load(document).configuration.rotary.scaling == .none)
  }

  @Test func yarnNeedsItsFactor() throws {
    var document = try document("llama-gqa-tied")
    document.set("llama.rope.scaling.type", "yarn")
    #expect(try refusal(document).field == "llama.rope.scaling.factor")
  }

  /// llama.cpp divides by both.
  @Test func factorsOfTheirOwnAreScaledToo() throws {
    var document = try document("llama-rope-llama3")
    guard case .factors(let factors) = try load(document).configuration.rotary.scaling else {
      Issue.record("the file has no factors")
      return
    }
    document.set("llama.rope.scaling.factor", 2.0)
    #expect(try load(document).configuration.rotary.scaling == .factors(factors.map { 2 * $0 }))
    document.set("llama.rope.scaling.type", "yarn")
    #expect(try refusal(document).field == "llama.rope.scaling.type")
  }

  @Test func architectureIsLookedAtFirst() throws {
    for name in ["clip", nil] {
      var document = try document("llama-gqa-tied")
      document.metadata.removeAll { $0.key.starts(with: "llama".utf8) || $0.key.starts(with: "general.arch".utf8) }
      if let name { document.set("general.architecture", name) }
      let error = try refusal(document)
      #expect(error.field == "general.architecture")
      #expect(error.reason == "\(name.map { "found \"\($0)\"" } ?? "is missing"), expected llama, qwen2 or deepseek2")
    }
  }

  @Test func partOfASplitFileIsTold() throws {
    var document = try document("llama-gqa-tied")
    document.tensors.removeAll { $0.name.starts(with: "blk.2".utf8) }
    document.set("split.count", 4)
    let error = try refusal(document)
    #expect(error.field == "split.count" && error.reason.contains("one of 4 parts"))
  }

  @Test func missingMergesAreTold() throws {
    var document = try document("llama-gqa-tied")
    document.metadata.removeAll { $0.key == Array("tokenizer.ggml.merges".utf8) }
    #expect(try refusal(document).field == "tokenizer.ggml.merges")
  }

  /// Tensors that may be missing, with a type that is not read.
  @Test(arguments: [
    ("qwen2-untied", "blk.0.attn_q.bias"), ("qwen2-untied", "output.weight"), ("llama-rope-llama3", "rope_freqs.weight"),
    ("deepseek-v3", "blk.1.exp_probs_b.bias"), ("deepseek-v3", "blk.0.attn_k_b.weight"), ("llama-gqa-tied", "token_embd.weight"),
  ]) func unreadTypesAreNotMissing(_ name: String, _ tensor: String) throws {
    var document = try document(name)
    document.change(tensor) { $0.type = 26 }
    let error = try refusal(document)
    #expect(error.field == tensor && error.reason.contains("found type I32 (26), expected one of F32"), "\(error)")
  }

  /// Weights that the architecture always has.
  @Test(arguments: [("qwen2-untied", "blk.1.attn_k.bias"), ("deepseek-v3", "blk.2.exp_probs_b.bias")])
  func missingBiasesAreRefused(_ name: String, _ tensor: String) throws {
    var document = try document(name)
    document.tensors.removeAll { $0.name == Array(tensor.utf8) }
    let error = try refusal(document)
    #expect(error.field == tensor && error.reason.contains("missing"))
  }

  @Test func unreadTensorsThatNobodyAsksForDoNotMatter() throws {
    var document = try document("llama-gqa-tied")
    document.tensors.append(.init(name: Array("extra".utf8), extents: [256], type: 16, offset: 0))
    #expect(try load(document).configuration.layerCount == 3)
  }
}
