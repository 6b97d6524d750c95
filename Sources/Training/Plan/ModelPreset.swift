public import SwiftletJSON
public import SwiftletModels

/// A published model by name: the values of its config.json, and how it was trained as far as that is known.
public struct ModelPreset: Sendable {
  public var name: String
  public var description: String
  /// As in the model's config.json.
  public var json: JSONValue

  /// - Throws: `CheckpointError`, which no preset of `all` does.
  public var configuration: ModelConfiguration {
    get throws { try ModelConfiguration(json: json, source: name) }
  }

  public static func named(_ name: String) -> ModelPreset? { all.first { $0.name == name.lowercased() } }

  public static let all: [ModelPreset] = [
    ModelPreset(name: "deepseek-v3", description: "DeepSeek-V3, 671B with 37B active", json: v3),
    ModelPreset(name: "deepseek-r1", description: "DeepSeek-R1: V3's shape, trained on by reinforcement", json: v3),
    ModelPreset(
      name: "deepseek-v2", description: "DeepSeek-V2, 236B with 21B active",
      json: deepseek([
        "model_type": "deepseek_v2", "vocab_size": 102400, "hidden_size": 5120, "intermediate_size": 12288,
        "moe_intermediate_size": 1536, "num_hidden_layers": 60, "num_attention_heads": 128, "n_shared_experts": 2,
        "n_routed_experts": 160, "num_experts_per_tok": 6, "first_k_dense_replace": 1, "q_lora_rank": 1536,
        "topk_method": "group_limited_greedy", "n_group": 8, "topk_group": 3, "routed_scaling_factor": 16.0,
        "norm_topk_prob": false,
      ])),
    ModelPreset(
      name: "deepseek-v2-lite", description: "DeepSeek-V2-Lite, 16B with 2.4B active",
      json: deepseek([
        "model_type": "deepseek_v2", "vocab_size": 102400, "hidden_size": 2048, "intermediate_size": 10944,
        "moe_intermediate_size": 1408, "num_hidden_layers": 27, "num_attention_heads": 16, "n_shared_experts": 2,
        "n_routed_experts": 64, "num_experts_per_tok": 6, "first_k_dense_replace": 1, "q_lora_rank": nil,
        "topk_method": "greedy", "routed_scaling_factor": 1.0, "norm_topk_prob": false,
      ])),
    llama("llama-3.1-405b", "Llama 3.1 405B", hidden: 16384, layers: 126, heads: 128, feedForward: 53248),
    qwen("r1-distill-qwen-1.5b", hidden: 1536, layers: 28, heads: 12, keys: 2, feedForward: 8960, vocabulary: 151936),
    qwen("r1-distill-qwen-7b", hidden: 3584, layers: 28, heads: 28, keys: 4, feedForward: 18944, vocabulary: 152064),
    qwen("r1-distill-qwen-14b", hidden: 5120, layers: 48, heads: 40, keys: 8, feedForward: 13824, vocabulary: 152064),
    qwen("r1-distill-qwen-32b", hidden: 5120, layers: 64, heads: 40, keys: 8, feedForward: 27648, vocabulary: 152064),
    llama("r1-distill-llama-8b", "R1-Distill-Llama-8B", hidden: 4096, layers: 32, heads: 32, feedForward: 14336),
    llama("r1-distill-llama-70b", "R1-Distill-Llama-70B", hidden: 8192, layers: 80, heads: 64, feedForward: 28672),
  ]

  private static let v3 = deepseek([
    "model_type": "deepseek_v3", "vocab_size": 129280, "hidden_size": 7168, "intermediate_size": 18432,
    "moe_intermediate_size": 2048, "num_hidden_layers": 61, "num_attention_heads": 128, "n_shared_experts": 1,
    "n_routed_experts": 256, "num_experts_per_tok": 8, "first_k_dense_replace": 3, "q_lora_rank": 1536, "n_group": 8,
    "topk_group": 4, "routed_scaling_factor": 2.5, "norm_topk_prob": true, "num_nextn_predict_layers": 1,
  ])

  /// What all DeepSeek models share.
  private static func deepseek(_ json: JSONValue) -> JSONValue {
    let common: JSONValue = [
      "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "max_position_embeddings": 163840,
      "rope_theta": 10000,
    ]
    return .object((json.members ?? []) + (common.members ?? []))
  }

  private static func llama(
    _ name: String, _ description: String, hidden: Int, layers: Int, heads: Int, feedForward: Int
  ) -> ModelPreset {
    ModelPreset(
      name: name, description: description,
      json: [
        "model_type": "llama", "vocab_size": 128256, "hidden_size": .integer(hidden), "intermediate_size": .integer(feedForward),
        "num_hidden_layers": .integer(layers), "num_attention_heads": .integer(heads), "num_key_value_heads": 8,
        "max_position_embeddings": 131072, "rope_theta": 500000,
      ])
  }

  private static func qwen(
    _ name: String, hidden: Int, layers: Int, heads: Int, keys: Int, feedForward: Int, vocabulary: Int
  ) -> ModelPreset {
    let size = name.split(separator: "-").last.map { $0.uppercased() } ?? ""
    return ModelPreset(
      name: name, description: "R1-Distill-Qwen-\(size)",
      json: [
        "model_type": "qwen2", "vocab_size": .integer(vocabulary), "hidden_size": .integer(hidden),
        "intermediate_size": .integer(feedForward), "num_hidden_layers": .integer(layers),
        "num_attention_heads": .integer(heads), "num_key_value_heads": .integer(keys), "max_position_embeddings": 131072,
        "rope_theta": 10000,
      ])
  }
}
