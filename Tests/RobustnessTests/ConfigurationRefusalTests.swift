import SwiftletCheckpoints
import SwiftletJSON
import SwiftletModels
import SwiftletMutationCases
import SwiftletTensors
import Testing

/// Fields of config.json that would give wrong numbers in silence.
@Suite struct ConfigurationRefusalTests {
  private static let yarn: [JSONMember] = [
    .init(key: "type", value: "yarn"), .init(key: "factor", value: 4), .init(key: "original_max_position_embeddings", value: 64),
  ]
  private static let llama3: [JSONMember] = [
    .init(key: "type", value: "llama3"), .init(key: "factor", value: 8), .init(key: "low_freq_factor", value: 1),
    .init(key: "high_freq_factor", value: 4), .init(key: "original_max_position_embeddings", value: 64),
  ]

  private static func scaling(_ base: [JSONMember], _ key: String, _ value: JSONValue) -> JSONValue {
    .object(base.filter { $0.key != key } + [JSONMember(key: key, value: value)])
  }

  /// A checkpoint, a field with the value it gets (nil: it is removed), and the field that the error names.
  static let changes: [(name: String, field: String, value: JSONValue?, named: String)] =
    [
      "n_group", "topk_group", "routed_scaling_factor", "first_k_dense_replace", "norm_topk_prob", "num_experts_per_tok",
      "n_shared_experts", "n_routed_experts", "moe_intermediate_size",
    ].map { ("deepseek-v3", $0, nil, $0) } + [
      ("deepseek-v2", "n_group", nil, "n_group"), ("deepseek-v2", "routed_scaling_factor", nil, "routed_scaling_factor"),
      ("deepseek-v2", "norm_topk_prob", true, "norm_topk_prob"), ("deepseek-v3", "scoring_func", "softmax", "scoring_func"),
      ("deepseek-v3", "routed_scaling_factor", 1e300, "routed_scaling_factor"),
      ("deepseek-v3", "routed_scaling_factor", 0, "routed_scaling_factor"),
      ("llama-mha", "rms_norm_eps", 1e300, "rms_norm_eps"), ("llama-mha", "partial_rotary_factor", 0.5, "partial_rotary_factor"),
      ("qwen2-untied", "rope_theta", 0.5, "rope_theta"),
      ("qwen2-untied", "layer_types", ["sliding_attention", "full_attention"], "layer_types"),
      (
        "qwen2-untied", "rope_parameters", ["full_attention": ["rope_type": "linear", "factor": 8]],
        "rope_parameters.full_attention"
      ),
      ("qwen2-untied", "rope_parameters", ["partial_rotary_factor": 0.5], "rope_parameters.partial_rotary_factor"),
      ("qwen2-untied", "rope_scaling", scaling(yarn, "attention_factor", 1e300), "rope_scaling.attention_factor"),
      ("qwen2-untied", "rope_scaling", scaling(yarn, "beta_fast", -1), "rope_scaling.beta_fast"),
      ("qwen2-untied", "rope_scaling", scaling(yarn, "beta_slow", 0), "rope_scaling.beta_slow"),
      ("qwen2-untied", "rope_scaling", scaling(yarn, "rope_theta", 1), "rope_theta"),
      ("qwen2-untied", "rope_scaling", scaling(yarn, "factor", 1e300), "rope_scaling.factor"),
      ("qwen2-untied", "rope_scaling", scaling(yarn, "truncate", "no"), "rope_scaling.truncate"),
      ("deepseek-v3", "rope_scaling", scaling(yarn, "mscale_all_dim", 1e300), "rope_scaling.mscale_all_dim"),
      (
        "qwen2-untied", "rope_parameters", scaling(llama3, "original_max_position_embeddings", -5),
        "rope_parameters.original_max_position_embeddings"
      ),
      ("qwen2-untied", "rope_scaling", scaling(llama3, "low_freq_factor", 4), "rope_scaling.high_freq_factor"),
      ("qwen2-untied", "rope_scaling", scaling(llama3, "low_freq_factor", 1e300), "rope_scaling.low_freq_factor"),
      ("qwen2-untied", "rope_scaling", ["type": "linear", "factor": 1e-300], "rope_scaling.factor"),
    ]

  private static func config(_ name: String) throws -> [JSONMember] {
    try JSONValue(parsing: Seeds.bytes("\(Seeds.checkpoints)/\(name)/config.json")).members ?? []
  }

  @Test(arguments: changes.indices) func isRefusedByName(_ index: Int) throws {
    let change = Self.changes[index]
    var members = try Self.config(change.name).filter { $0.key != change.field }
    if let value = change.value { members.append(JSONMember(key: change.field, value: value)) }
    let error = #expect(throws: CheckpointError.self, "\(change)") {
      try ModelConfiguration(json: .object(members), source: "config.json")
    }
    #expect(error?.field == change.named, "\(change)")
  }

  /// A checkpoint and the weights that its architecture or its configuration promises.
  static let biases = [
    ("qwen2-untied", "model.layers.0.self_attn.q_proj.bias"), ("qwen2-untied", "model.layers.1.self_attn.v_proj.bias"),
    ("llama-attention-bias", "model.layers.0.self_attn.o_proj.bias"), ("llama-mlp-bias", "model.layers.1.mlp.up_proj.bias"),
    ("deepseek-v3", "model.layers.1.mlp.gate.e_score_correction_bias"),
    ("deepseek-v3-biases-halves", "model.layers.0.self_attn.kv_a_proj_with_mqa.bias"),
  ]

  /// A bias that is missing, or of a type that is not read, which must not count as missing where biases are optional either.
  @Test(arguments: biases) func promisedBiasesMustBeRead(_ name: String, _ bias: String) throws {
    let folder = try TemporaryFolder()
    let bytes = try Seeds.bytes("\(Seeds.checkpoints)/\(name)/model.safetensors")
    let length = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    let header = try #require(try JSONValue(parsing: Array(bytes[8..<8 + length])).members)
    for (key, type) in [("unused", "F32"), (bias, "I32")] {
      let changed = header.map { member in
        guard member.key == bias, let entry = member.value.members else { return member }
        return JSONMember(
          key: key, value: .object(entry.map { $0.key == "dtype" ? JSONMember(key: "dtype", value: .string(type)) : $0 }))
      }
      let text = Array(JSONValue.object(changed).serialized().utf8)
      try folder.write(GGUFDocument.littleEndian(UInt64(text.count)) + text + bytes[(8 + length)...], as: "model.safetensors")
      let weights = WeightSource.safetensors(try SafetensorsFolder(path: folder.url.path))
      for isPromised in [true, false] where isPromised || type == "I32" {
        var configuration = try ModelConfiguration(json: .object(Self.config(name)), source: "config.json")
        if !isPromised { configuration.requiredBiases = [] }
        let error = #expect(throws: CheckpointError.self) { try Decoder(configuration, weights: weights) }
        #expect(error?.field == bias)
        #expect(error?.reason.contains(type == "I32" ? "found type I32, expected one of F32, F16, BF16" : "is missing") ?? false)
      }
    }
  }
}
