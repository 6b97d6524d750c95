internal import SwiftletCheckpoints

/// Reads the keys of one architecture, `<architecture>.<key>`.
struct GGUFKeys {
  let file: GGUFFile
  let architecture: String

  private func fullName(_ key: String) -> String { "\(architecture).\(key)" }

  func failure(_ key: String, _ expected: String) -> CheckpointError {
    let found = file[fullName(key)].map { "found \($0.summary)" } ?? "is missing"
    return CheckpointError(file: file.path, field: fullName(key), reason: "\(found), expected \(expected)")
  }

  /// nil when the key is missing.
  func optionalInteger(_ key: String) throws(CheckpointError) -> Int? {
    // Some converters write one value a layer, all equal.
    if let values = file[fullName(key)]?.integers, let first = values.first {
      guard values.allSatisfy({ $0 == first }) else {
        let start = values.prefix(8).map(String.init).joined(separator: ", ") + (values.count > 8 ? ", …" : "")
        throw CheckpointError(
          file: file.path, field: fullName(key),
          reason: "found \(start), expected the same in every layer; layers that differ are not supported")
      }
      return first
    }
    return try file.integer(fullName(key))
  }

  func integer(_ key: String, default fallback: Int? = nil) throws(CheckpointError) -> Int {
    guard let result = try optionalInteger(key) ?? fallback else { throw failure(key, "an integer") }
    return result
  }

  func double(_ key: String, default fallback: Double? = nil) throws(CheckpointError) -> Double {
    guard let result = try file.double(fullName(key)) ?? fallback else { throw failure(key, "a number") }
    return result
  }

  /// - Returns: the scaling, and the magnitude that the softmax scale of latent attention is multiplied with, twice.
  func ropeScaling(
    contextLength: Int, isLatent: Bool
  ) throws(CheckpointError) -> (scaling: ModelConfiguration.Rotary.Scaling, magnitude: Double) {
    // As llama.cpp has it: a factor without a type is linear, older files call it scale_linear, and 0 is none.
    let type = try file.string(fullName("rope.scaling.type")) ?? "linear"
    var factor = try double("rope.scaling.factor", default: double("rope.scale_linear", default: 1))
    if factor == 0 { factor = 1 }
    let scaling: ModelConfiguration.Rotary.Scaling
    var magnitude = 1.0
    switch type {
    case "none": scaling = .none
    case "linear": scaling = factor == 1 ? .none : .linear(factor: factor)
    case "yarn":
      guard try file.double(fullName("rope.scaling.factor")) != nil else { throw failure("rope.scaling.factor", "a number") }
      // For latent attention the key holds 0.1 · mscale_all_dim; mscale is the same in every such model, so that the factors of
      // cosines and sines cancel.
      let multiplier = try isLatent ? double("rope.scaling.yarn_log_multiplier", default: 0) : 0
      if multiplier != 0 { magnitude = ModelConfiguration.yarnMagnitude(factor: factor, scale: multiplier * 10) }
      let attentionFactor =
        try multiplier == 0
        ? double("rope.scaling.attn_factor", default: 1) * ModelConfiguration.yarnMagnitude(factor: factor, scale: 1) : 1
      scaling = .yarn(
        factor: factor, originalContextLength: try integer("rope.scaling.original_context_length", default: contextLength),
        betaFast: try double("rope.scaling.yarn_beta_fast", default: 32),
        betaSlow: try double("rope.scaling.yarn_beta_slow", default: 1), attentionFactor: attentionFactor, truncates: true)
    default: throw failure("rope.scaling.type", "none, linear or yarn")
    }
    guard let factors = try WeightSource.gguf(file).find("rope_freqs.weight") else { return (scaling, magnitude) }
    guard factors.shape.count <= 1 << 16 else {
      throw CheckpointError(
        file: file.path, field: "rope_freqs.weight", reason: "found \(factors.shape.count) factors, expected one a pair")
    }
    switch scaling {
    case .none: return (.factors(factors.floatArray()), 1)
    case .linear(let factor): return (.factors(factors.floatArray().map { $0 * Float(factor) }), 1)
    default: throw failure("rope.scaling.type", "none or linear beside rope_freqs.weight")
    }
  }

  func mixture() throws(CheckpointError) -> ModelConfiguration.Mixture {
    let gating = try integer("expert_gating_func", default: 1)
    guard gating == 1 || gating == 2 else { throw failure("expert_gating_func", "1 (softmax) or 2 (sigmoid)") }
    let experts = try integer("expert_count")
    // Older converters left the groups out. The two published models that have groups are known by their expert counts.
    let groups: (count: Int, chosen: Int) =
      (gating == 2 && experts == 256) ? (8, 4) : (gating == 1 && experts == 160) ? (8, 3) : (1, 1)
    return ModelConfiguration.Mixture(
      expertCount: experts,
      expertsPerToken: try integer("expert_used_count"),
      sharedExpertCount: try integer("expert_shared_count", default: 0),
      expertSize: try integer("expert_feed_forward_length"),
      leadingDenseLayers: try integer("leading_dense_block_count", default: 0),
      scoring: gating == 2 ? .sigmoid : .softmax,
      groupCount: try integer("expert_group_count", default: groups.count),
      chosenGroupCount: try integer("expert_group_used_count", default: groups.chosen),
      normalizesWeights: try file.bool(fullName("expert_weights_norm")) ?? false,
      weightScale: Float(try double("expert_weights_scale", default: 1)))
  }

  /// What the file calls a field of config.json.
  func name(ofField field: String) -> String { Self.keys[field].map(fullName) ?? field }

  private static let keys = [
    "vocab_size": "vocab_size", "hidden_size": "embedding_length", "num_hidden_layers": "block_count",
    "num_nextn_predict_layers": "nextn_predict_layers",
    "num_attention_heads": "attention.head_count", "num_key_value_heads": "attention.head_count_kv",
    "head_dim": "attention.key_length", "intermediate_size": "feed_forward_length",
    "max_position_embeddings": "context_length", "rms_norm_eps": "attention.layer_norm_rms_epsilon",
    "q_lora_rank": "attention.q_lora_rank", "kv_lora_rank": "attention.kv_lora_rank",
    "qk_nope_head_dim": "attention.key_length", "qk_rope_head_dim": "rope.dimension_count",
    "v_head_dim": "attention.value_length", "rope_theta": "rope.freq_base", "rope_scaling.factor": "rope.scaling.factor",
    "rope_scaling.original_max_position_embeddings": "rope.scaling.original_context_length",
    "rope_scaling.beta_fast": "rope.scaling.yarn_beta_fast", "rope_scaling.beta_slow": "rope.scaling.yarn_beta_slow",
    "rope_scaling.attention_factor": "rope.scaling.attn_factor",
    "rope_scaling.mscale_all_dim": "rope.scaling.yarn_log_multiplier", "n_routed_experts": "expert_count",
    "num_experts_per_tok": "expert_used_count", "n_shared_experts": "expert_shared_count",
    "moe_intermediate_size": "expert_feed_forward_length", "first_k_dense_replace": "leading_dense_block_count",
    "routed_scaling_factor": "expert_weights_scale", "n_group": "expert_group_count", "topk_group": "expert_group_used_count",
  ]
}
