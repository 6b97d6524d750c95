public import SwiftletCheckpoints

extension ModelConfiguration {
  /// Reads the metadata of a GGUF file of architecture `llama`, `qwen2` or `deepseek2`.
  /// - Throws: `ModelError` naming the key, what was found and what was expected.
  public init(gguf file: GGUFFile) throws(ModelError) {
    let name = file["general.architecture"]?.string ?? ""
    let keys = MetadataKeys(file: file, architecture: name)
    let contextLength = try keys.integer("context_length")
    let hiddenSize = try keys.integer("embedding_length"), headCount = try keys.integer("attention.head_count")
    guard headCount > 0 else { throw keys.failure("attention.head_count", "an integer from 1") }
    let embeddingRows = file.tensor(named: "token_embd.weight")?.shape.rows
    let vocabularySize = if let embeddingRows { embeddingRows } else { try keys.integer("vocab_size") }

    let architecture: Architecture
    let attention: Attention
    let rotary: Rotary
    var mixture: Mixture?
    switch name {
    case "llama", "qwen2":
      architecture = name == "llama" ? .llama : .qwen2
      let dimension = try keys.integer("attention.key_length", default: hiddenSize / headCount)
      attention = .groupedQuery(
        keyValueHeadCount: try keys.integer("attention.head_count_kv", default: headCount), headDimension: dimension)
      // The converter permutes the rows of Llama's queries and keys so that pairs become neighbours.
      rotary = Rotary(
        theta: try keys.double("rope.freq_base", default: 10_000),
        dimension: try keys.integer("rope.dimension_count", default: dimension),
        isInterleaved: name == "llama", scaling: try keys.ropeScaling(contextLength: contextLength, isLatent: false).scaling)
      guard rotary.dimension == dimension else {
        throw keys.failure("rope.dimension_count", "\(dimension), the head's size; partly rotated heads are not supported")
      }
      if try keys.integer("expert_count", default: 0) > 0 {
        throw keys.failure("expert_count", "0; experts are supported for deepseek2 only")
      }
    case "deepseek2":
      let rotaryDimension = try keys.integer("rope.dimension_count")
      let (scaling, magnitude) = try keys.ropeScaling(contextLength: contextLength, isLatent: true)
      rotary = Rotary(
        theta: try keys.double("rope.freq_base", default: 10_000), dimension: rotaryDimension, isInterleaved: true,
        scaling: scaling)
      // Files with split key and value matrices give the sizes after decompression under keys of their own.
      let keyLength = try keys.integer("attention.key_length_mla", default: keys.integer("attention.key_length", default: 0))
      guard rotaryDimension > 0, keyLength > rotaryDimension else {
        throw keys.failure("attention.key_length", "more than the \(rotaryDimension) rotated values, which are at least 2")
      }
      attention = .latent(
        Latent(
          queryRank: keys.has("attention.q_lora_rank") ? try keys.integer("attention.q_lora_rank") : nil,
          keyValueRank: try keys.integer("attention.kv_lora_rank"), plainDimension: keyLength - rotaryDimension,
          rotaryDimension: rotaryDimension,
          valueDimension: try keys.integer(
            "attention.value_length_mla", default: keys.integer("attention.value_length", default: 0)),
          scaleFactor: Float(magnitude * magnitude)))
      let experts = try keys.mixture()
      mixture = experts
      architecture = experts.scoring == .sigmoid ? .deepseekV3 : .deepseekV2
    default:
      throw ModelError(
        source: file.path, field: "general.architecture", reason: "found \"\(name)\", expected llama, qwen2 or deepseek2")
    }

    let nextTokenLayers = try keys.integer("nextn_predict_layers", default: 0), blockCount = try keys.integer("block_count")
    guard blockCount > 0 else { throw keys.failure("block_count", "an integer from 1") }
    guard (0..<blockCount).contains(nextTokenLayers) else {
      throw keys.failure("nextn_predict_layers", "fewer than the \(blockCount) layers")
    }
    self = try ModelConfiguration(
      architecture: architecture,
      vocabularySize: vocabularySize,
      hiddenSize: hiddenSize,
      // Layers that predict further tokens are appended and counted by the file, but are no part of the decoder.
      layerCount: blockCount - nextTokenLayers,
      headCount: headCount,
      attention: attention,
      rotary: rotary,
      feedForwardSize: keys.integer("feed_forward_length"),
      mixture: mixture,
      normEpsilon: Float(keys.double("attention.layer_norm_rms_epsilon")),
      contextLength: contextLength,
      tiesEmbeddings: file.tensor(named: "output.weight") == nil,
      endTokens: []
    ).validated(source: file.path)
  }
}

/// Reads the keys of one architecture, `<architecture>.<key>`.
private struct MetadataKeys {
  let file: GGUFFile
  let architecture: String

  func failure(_ key: String, _ expected: String) -> ModelError {
    let found =
      switch file["\(architecture).\(key)"] {
      case nil: "is missing"
      case .integer(let value): "found \(value)"
      case .float(let value): "found \(value)"
      case .some(let value): "found a value of type \(value.typeName)"
      }
    return ModelError(source: file.path, field: "\(architecture).\(key)", reason: "\(found), expected \(expected)")
  }

  func has(_ key: String) -> Bool { file["\(architecture).\(key)"] != nil }

  func integer(_ key: String, default fallback: Int? = nil) throws(ModelError) -> Int {
    if !has(key), let fallback { return fallback }
    let value = file["\(architecture).\(key)"]
    // Some converters write one value a layer, all equal.
    if let values = value?.integers, let first = values.first, values.allSatisfy({ $0 == first }) { return first }
    guard let result = value?.integer else { throw failure(key, "an integer") }
    return result
  }

  func double(_ key: String, default fallback: Double? = nil) throws(ModelError) -> Double {
    if !has(key), let fallback { return fallback }
    guard let result = file["\(architecture).\(key)"]?.double else { throw failure(key, "a number") }
    return result
  }

  /// - Returns: the scaling, and the magnitude that the softmax scale of latent attention is multiplied with, twice.
  func ropeScaling(
    contextLength: Int, isLatent: Bool
  ) throws(ModelError) -> (scaling: ModelConfiguration.Rotary.Scaling, magnitude: Double) {
    if let factors = file.tensor(named: "rope_freqs.weight") {
      let values = factors.floatArray()
      guard values.allSatisfy({ $0 > 0 && $0.isFinite }) else {
        throw ModelError(source: file.path, field: "rope_freqs.weight", reason: "found factors that are not all above 0")
      }
      return (.factors(values), 1)
    }
    let key = "rope.scaling.type"
    let type = file["\(architecture).\(key)"]?.string ?? "none"
    if type == "none" { return (.none, 1) }
    let factor = try double("rope.scaling.factor")
    guard factor > 0, factor.isFinite else { throw failure("rope.scaling.factor", "a number above 0") }
    if type == "linear" { return (.linear(factor: factor), 1) }
    guard type == "yarn" else {
      throw ModelError(
        source: file.path, field: "\(architecture).\(key)", reason: "found \"\(type)\", expected none, linear or yarn")
    }
    let original = try integer("rope.scaling.original_context_length", default: contextLength)
    guard original > 0 else { throw failure("rope.scaling.original_context_length", "an integer from 1") }
    // For latent attention the key holds 0.1 · mscale_all_dim; mscale is the same in every such model, so that the factors of
    // cosines and sines cancel.
    let multiplier = try isLatent ? double("rope.scaling.yarn_log_multiplier", default: 0) : 0
    let magnitude = multiplier == 0 ? 1 : ModelConfiguration.yarnMagnitude(factor: factor, scale: multiplier * 10)
    let attentionFactor =
      try multiplier == 0
      ? double("rope.scaling.attn_factor", default: 1) * ModelConfiguration.yarnMagnitude(factor: factor, scale: 1) : 1
    let scaling = ModelConfiguration.Rotary.Scaling.yarn(
      factor: factor, originalContextLength: original, betaFast: try double("rope.scaling.yarn_beta_fast", default: 32),
      betaSlow: try double("rope.scaling.yarn_beta_slow", default: 1), attentionFactor: attentionFactor)
    return (scaling, magnitude)
  }

  func mixture() throws(ModelError) -> ModelConfiguration.Mixture {
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
      normalizesWeights: file["\(architecture).expert_weights_norm"]?.bool ?? false,
      weightScale: Float(try double("expert_weights_scale", default: 1)))
  }
}
