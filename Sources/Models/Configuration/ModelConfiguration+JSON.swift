public import SwiftletJSON

extension ModelConfiguration {
  /// Reads a config.json as transformers 4 (`rope_theta`, `rope_scaling`) or 5 (`rope_parameters`) writes it.
  /// - Parameter source: the file's path, for errors.
  /// - Throws: `ModelError` naming the field, what was found and what was expected.
  public init(json: JSONValue, source: String) throws(ModelError) {
    let fields = ConfigurationFields(source: source, value: json)
    guard json.members != nil else {
      throw ModelError(source: source, field: "config", reason: "found a JSON \(json.typeName), expected an object")
    }
    let type = try fields.string("model_type")
    guard let architecture = Architecture(rawValue: type) else {
      throw ModelError(
        source: source, field: "model_type",
        reason: "found \"\(type)\", expected one of \(Architecture.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    let hiddenAct = try fields.string("hidden_act", default: "silu")
    guard hiddenAct == "silu" || hiddenAct == "swish" else {
      throw ModelError(source: source, field: "hidden_act", reason: "found \"\(hiddenAct)\", expected \"silu\"")
    }
    if try fields.bool("use_sliding_window", default: false) {
      throw ModelError(source: source, field: "use_sliding_window", reason: "found true, but sliding windows are not supported")
    }
    guard !fields.has("quantization_config") else {
      throw ModelError(
        source: source, field: "quantization_config",
        reason: "quantised safetensors are not supported, expected F32, F16 or BF16; use a GGUF file")
    }
    let hiddenSize = try fields.integer("hidden_size"), headCount = try fields.integer("num_attention_heads")
    guard headCount > 0 else {
      throw ModelError(source: source, field: "num_attention_heads", reason: "found \(headCount), expected at least 1")
    }
    let contextLength = try fields.integer("max_position_embeddings", default: 2048)
    let isLatent = architecture == .deepseekV2 || architecture == .deepseekV3

    let headDimension =
      try isLatent ? fields.integer("qk_rope_head_dim") : fields.integer("head_dim", default: hiddenSize / headCount)
    let rope = try Self.ropeScaling(fields, contextLength: contextLength)
    let interleaved = try fields.bool("rope_interleave", default: isLatent)
    let attention: Attention =
      if isLatent {
        .latent(try Self.latent(fields, magnitude: rope.magnitude))
      } else {
        .groupedQuery(
          keyValueHeadCount: try fields.integer("num_key_value_heads", default: headCount), headDimension: headDimension)
      }
    self = try ModelConfiguration(
      architecture: architecture,
      vocabularySize: fields.integer("vocab_size"),
      hiddenSize: hiddenSize,
      layerCount: fields.integer("num_hidden_layers"),
      headCount: headCount,
      attention: attention,
      rotary: Rotary(theta: rope.theta, dimension: headDimension, isInterleaved: interleaved, scaling: rope.scaling),
      feedForwardSize: fields.integer("intermediate_size"),
      mixture: isLatent && fields.has("n_routed_experts") ? Self.mixture(fields, architecture) : nil,
      normEpsilon: Float(fields.double("rms_norm_eps", default: 1e-6)),
      contextLength: contextLength,
      tiesEmbeddings: fields.bool("tie_word_embeddings", default: false),
      endTokens: fields.integers("eos_token_id")
    ).validated(source: source)
  }

  private static func latent(_ fields: ConfigurationFields, magnitude: Double) throws(ModelError) -> Latent {
    Latent(
      queryRank: fields.has("q_lora_rank") ? try fields.integer("q_lora_rank") : nil,
      keyValueRank: try fields.integer("kv_lora_rank"),
      plainDimension: try fields.integer("qk_nope_head_dim"),
      rotaryDimension: try fields.integer("qk_rope_head_dim"),
      valueDimension: try fields.integer("v_head_dim"),
      scaleFactor: Float(magnitude * magnitude))
  }

  private static func mixture(_ fields: ConfigurationFields, _ architecture: Architecture) throws(ModelError) -> Mixture {
    let frequency = try fields.integer("moe_layer_freq", default: 1)
    guard frequency == 1 else {
      throw ModelError(source: fields.source, field: "moe_layer_freq", reason: "found \(frequency), expected 1")
    }
    let isV3 = architecture == .deepseekV3
    let method = try fields.string("topk_method", default: isV3 ? "noaux_tc" : "greedy")
    let methods = isV3 ? ["noaux_tc"] : ["greedy", "group_limited_greedy"]
    guard methods.contains(method) else {
      throw ModelError(
        source: fields.source, field: "topk_method", reason: "found \"\(method)\", expected \(methods.joined(separator: " or "))")
    }
    let limitsGroups = method != "greedy"
    return Mixture(
      expertCount: try fields.integer("n_routed_experts"),
      expertsPerToken: try fields.integer("num_experts_per_tok"),
      sharedExpertCount: try fields.integer("n_shared_experts", default: 0),
      expertSize: try fields.integer("moe_intermediate_size"),
      leadingDenseLayers: try fields.integer("first_k_dense_replace", default: 0),
      scoring: isV3 ? .sigmoid : .softmax,
      groupCount: limitsGroups ? try fields.integer("n_group", default: 1) : 1,
      chosenGroupCount: limitsGroups ? try fields.integer("topk_group", default: 1) : 1,
      normalizesWeights: try fields.bool("norm_topk_prob", default: isV3),
      weightScale: Float(try fields.double("routed_scaling_factor", default: 1)))
  }

  /// Rotary base, scaling, and the magnitude by which YaRN with `mscale_all_dim` changes the softmax scale of latent attention.
  private static func ropeScaling(
    _ fields: ConfigurationFields, contextLength: Int
  ) throws(ModelError) -> (theta: Double, scaling: Rotary.Scaling, magnitude: Double) {
    let parameters = fields.has("rope_parameters") ? try fields.object("rope_parameters") : try fields.object("rope_scaling")
    let topTheta = try fields.double("rope_theta", default: 10_000)
    guard let rope = parameters else { return (topTheta, .none, 1) }
    let theta = try rope.double("rope_theta", default: topTheta)
    let type = try rope.string("rope_type", default: rope.string("type", default: "default"))
    let original = try rope.integer(
      "original_max_position_embeddings", default: fields.integer("original_max_position_embeddings", default: contextLength))
    switch type {
    case "default", "mrope": return (theta, .none, 1)
    case "linear": return (theta, .linear(factor: try positive(rope, "factor")), 1)
    case "llama3":
      let scaling = Rotary.Scaling.llama3(
        factor: try positive(rope, "factor"), lowFrequencyFactor: try positive(rope, "low_freq_factor"),
        highFrequencyFactor: try positive(rope, "high_freq_factor"), originalContextLength: original)
      return (theta, scaling, 1)
    case "yarn":
      let factor = try positive(rope, "factor")
      let scale = try rope.double("mscale", default: 0), scaleAll = try rope.double("mscale_all_dim", default: 0)
      let inferred =
        scale != 0 && scaleAll != 0
        ? yarnMagnitude(factor: factor, scale: scale) / yarnMagnitude(factor: factor, scale: scaleAll)
        : yarnMagnitude(factor: factor, scale: 1)
      guard original > 0 else {
        throw ModelError(
          source: rope.source, field: rope.prefix + "original_max_position_embeddings",
          reason: "found \(original), expected at least 1")
      }
      let scaling = Rotary.Scaling.yarn(
        factor: factor, originalContextLength: original, betaFast: try rope.double("beta_fast", default: 32),
        betaSlow: try rope.double("beta_slow", default: 1),
        attentionFactor: try rope.double("attention_factor", default: inferred))
      return (theta, scaling, scaleAll == 0 ? 1 : yarnMagnitude(factor: factor, scale: scaleAll))
    default:
      throw ModelError(
        source: rope.source, field: rope.prefix + "rope_type",
        reason: "found \"\(type)\", expected default, linear, llama3 or yarn")
    }
  }

  private static func positive(_ fields: ConfigurationFields, _ field: String) throws(ModelError) -> Double {
    let value = try fields.double(field)
    guard value > 0, value.isFinite else {
      throw ModelError(source: fields.source, field: fields.prefix + field, reason: "found \(value), expected a number above 0")
    }
    return value
  }
}
