internal import SwiftletCheckpoints

extension ModelConfiguration {
  /// Bounds every number: sizes computed from them cannot overflow, and finite weights give finite logits.
  /// - Parameter name: what the file calls a field of config.json, for errors.
  func validated(
    source: String, name: @escaping (String) -> String = { $0 }
  ) throws(CheckpointError) -> ModelConfiguration {
    let check = Checks(source: source, name: name)
    try check("vocab_size", vocabularySize, 1...1 << 24)
    try check("hidden_size", hiddenSize, 1...1 << 20)
    try check("num_hidden_layers", layerCount, 1...4096)
    try check("num_nextn_predict_layers", predictionLayerCount, 0...64)
    try check("num_attention_heads", headCount, 1...4096)
    try check("intermediate_size", feedForwardSize, 1...1 << 22)
    try check("max_position_embeddings", contextLength, 1...1 << 30)
    try check("rms_norm_eps", Double(normEpsilon), 1e-30...1)
    try validateRotary(check)
    try validateAttention(check)
    if let mixture { try validate(mixture, check) }
    return self
  }

  private struct Checks {
    let source: String
    let name: (String) -> String

    func failure(_ field: String, _ reason: String) -> CheckpointError {
      CheckpointError(file: source, field: name(field), reason: reason)
    }

    /// NaN is in no range.
    func callAsFunction<Value: Comparable>(
      _ field: String, _ value: Value, _ range: ClosedRange<Value>
    ) throws(CheckpointError) {
      guard range.contains(value) else {
        throw failure(field, "found \(value), expected \(range.lowerBound) to \(range.upperBound)")
      }
    }
  }

  private func validateAttention(_ check: Checks) throws(CheckpointError) {
    switch attention {
    case .groupedQuery(let keyValueHeads, let dimension):
      try check("num_key_value_heads", keyValueHeads, 1...headCount)
      try check("head_dim", dimension, 1...1 << 16)
      guard headCount % keyValueHeads == 0 else {
        throw check.failure("num_key_value_heads", "found \(keyValueHeads), expected a divisor of the \(headCount) heads")
      }
    case .latent(let latent):
      try check("q_lora_rank", latent.queryRank ?? 1, 1...1 << 16)
      try check("kv_lora_rank", latent.keyValueRank, 1...1 << 16)
      try check("qk_nope_head_dim", latent.plainDimension, 1...1 << 16)
      try check("v_head_dim", latent.valueDimension, 1...1 << 16)
      guard (1e-6...1e6).contains(latent.scaleFactor) else {
        throw check.failure(
          "rope_scaling.mscale_all_dim", "it multiplies the softmax scale with \(latent.scaleFactor), expected 1e-06 to 1e+06")
      }
    }
  }

  private func validateRotary(_ check: Checks) throws(CheckpointError) {
    let dimensionField = if case .latent = attention { "qk_rope_head_dim" } else { "head_dim" }
    try check(dimensionField, rotary.dimension, 2...1 << 16)
    guard rotary.dimension % 2 == 0 else {
      throw check.failure(dimensionField, "found \(rotary.dimension), expected an even number, since pairs are rotated")
    }
    try check("rope_theta", rotary.theta, 1...1e30)
    let factors = 1e-3...1e6
    switch rotary.scaling {
    case .none: break
    case .linear(let factor): try check("rope_scaling.factor", factor, factors)
    case .factors(let values):
      try check("rope_freqs.weight", values.count, rotary.dimension / 2...rotary.dimension / 2)
      for value in values { try check("rope_freqs.weight", Double(value), factors) }
    case .llama3(let factor, let low, let high, let original):
      try check("rope_scaling.factor", factor, factors)
      try check("rope_scaling.low_freq_factor", low, factors)
      try check("rope_scaling.high_freq_factor", high, factors)
      guard low < high else {
        throw check.failure("rope_scaling.high_freq_factor", "found \(high), expected more than low_freq_factor, \(low)")
      }
      try check("rope_scaling.original_max_position_embeddings", original, 1...1 << 30)
    case .yarn(let factor, let original, let betaFast, let betaSlow, let attentionFactor, _):
      guard rotary.theta > 1 else { throw check.failure("rope_theta", "found \(rotary.theta), expected more than 1 with yarn") }
      try check("rope_scaling.factor", factor, factors)
      try check("rope_scaling.original_max_position_embeddings", original, 1...1 << 30)
      try check("rope_scaling.beta_fast", betaFast, 1e-6...1e6)
      try check("rope_scaling.beta_slow", betaSlow, 1e-6...1e6)
      try check("rope_scaling.attention_factor", attentionFactor, 1e-6...1e6)
    }
  }

  private func validate(_ mixture: Mixture, _ check: Checks) throws(CheckpointError) {
    // An expert is three views of tensors, however small the file.
    try check("n_routed_experts", mixture.expertCount, 1...(1 << 20) / layerCount)
    try check("num_experts_per_tok", mixture.expertsPerToken, 1...mixture.expertCount)
    try check("n_shared_experts", mixture.sharedExpertCount, 0...64)
    try check("moe_intermediate_size", mixture.expertSize, 1...1 << 20)
    try check("first_k_dense_replace", mixture.leadingDenseLayers, 0...layerCount)
    try check("routed_scaling_factor", Double(mixture.weightScale), 1e-6...1e6)
    try check("n_group", mixture.groupCount, 1...mixture.expertCount)
    try check("topk_group", mixture.chosenGroupCount, 1...mixture.groupCount)
    let groupSize = mixture.expertCount / mixture.groupCount
    guard mixture.expertCount % mixture.groupCount == 0, groupSize * mixture.chosenGroupCount >= mixture.expertsPerToken else {
      throw check.failure(
        "n_group",
        "found \(mixture.expertCount) experts in \(mixture.groupCount) groups, of which \(mixture.chosenGroupCount) are chosen, "
          + "expected equal groups with at least \(mixture.expertsPerToken) experts to choose from")
    }
  }
}
