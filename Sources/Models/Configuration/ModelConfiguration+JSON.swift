public import SwiftletCheckpoints
public import SwiftletJSON

extension ModelConfiguration {
  /// Reads a config.json as transformers 4 (`rope_theta`, `rope_scaling`) or 5 (`rope_parameters`) writes it.
  /// - Parameter source: the file's path, for errors.
  /// - Throws: `CheckpointError` naming the field, what was found and what was expected.
  public init(json: JSONValue, source: String) throws(CheckpointError) {
    let fields = try ConfigurationFields(root: json, source: source)
    let type = try fields.string("model_type")
    guard let architecture = Architecture(rawValue: type) else {
      throw fields.failure("model_type", "one of \(Architecture.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    try Self.refuseUnsupported(fields)
    let hiddenSize = try fields.integer("hidden_size"), headCount = try fields.integer("num_attention_heads")
    let contextLength = try fields.integer("max_position_embeddings", default: 2048)
    let isLatent = architecture == .deepseekV2 || architecture == .deepseekV3

    let headDimension =
      try isLatent ? fields.integer("qk_rope_head_dim") : fields.integer("head_dim", default: hiddenSize / max(1, headCount))
    let rope = try Self.rope(fields, contextLength: contextLength)
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
      mixture: isLatent ? Self.mixture(fields, architecture) : nil,
      normEpsilon: Float(fields.double("rms_norm_eps", default: 1e-6)),
      contextLength: contextLength,
      tiesEmbeddings: fields.bool("tie_word_embeddings", default: false),
      requiredBiases: Self.biases(fields, architecture),
      endTokens: fields.integers("eos_token_id")
    ).validated(source: source) { $0.replacing("rope_scaling.", with: rope.prefix) }
  }

  /// The tokens that end an answer, as config.json or generation_config.json names them; none when it names none.
  /// - Throws: `CheckpointError` when the file is no object, or the field neither an integer nor a list of them.
  public static func endTokens(json: JSONValue, source: String) throws(CheckpointError) -> [Int] {
    try ConfigurationFields(root: json, source: source).integers("eos_token_id")
  }

  /// Refuses what would change the numbers and is not computed.
  private static func refuseUnsupported(_ fields: ConfigurationFields) throws(CheckpointError) {
    let activation = try fields.string("hidden_act", default: "silu")
    guard activation == "silu" || activation == "swish" else { throw fields.failure("hidden_act", "\"silu\"") }
    if try fields.bool("use_sliding_window", default: false) {
      throw fields.failure("use_sliding_window", "false; sliding windows are not supported")
    }
    guard fields.value["layer_types"]?.elements?.allSatisfy({ $0.string == "full_attention" }) ?? true else {
      throw fields.failure("layer_types", "full_attention for every layer; other kinds are not supported")
    }
    guard try fields.double("partial_rotary_factor", default: 1) == 1 else {
      throw fields.failure("partial_rotary_factor", "1; partly rotated heads are not supported")
    }
    guard let quantization = try fields.object("quantization_config") else { return }
    let kind = "FP8 as DeepSeek publishes it (quant_method fp8, fmt e4m3, weight_block_size [128, 128]), or none"
    guard try quantization.string("quant_method") == "fp8" else {
      throw quantization.failure("quant_method", "\(kind); for other quantised weights use a GGUF file")
    }
    guard try quantization.string("fmt", default: "e4m3") == "e4m3" else { throw quantization.failure("fmt", kind) }
    guard try quantization.integers("weight_block_size") == [128, 128] else {
      throw quantization.failure("weight_block_size", kind)
    }
  }

  /// Biases that the architecture always has, or that the file promises.
  private static func biases(_ fields: ConfigurationFields, _ architecture: Architecture) throws(CheckpointError) -> Set<Bias> {
    var biases: Set<Bias> = []
    if architecture == .qwen2 {
      biases.insert(.queryKeyValue)
    } else if try fields.bool("attention_bias", default: false) {
      biases.formUnion([.queryKeyValue, .attentionOutput])
    }
    if architecture == .llama || architecture == .deepseekV2, try fields.bool("mlp_bias", default: false) {
      biases.insert(.feedForward)
    }
    return biases
  }

  private static func latent(_ fields: ConfigurationFields, magnitude: Double) throws(CheckpointError) -> Latent {
    Latent(
      queryRank: fields.has("q_lora_rank") ? try fields.integer("q_lora_rank") : nil,
      keyValueRank: try fields.integer("kv_lora_rank"),
      plainDimension: try fields.integer("qk_nope_head_dim"),
      rotaryDimension: try fields.integer("qk_rope_head_dim"),
      valueDimension: try fields.integer("v_head_dim"),
      scaleFactor: Float(magnitude * magnitude))
  }

  /// Nothing has a fallback that would change the numbers: the defaults of published code differ.
  private static func mixture(_ fields: ConfigurationFields, _ architecture: Architecture) throws(CheckpointError) -> Mixture? {
    // The published code takes null for a model without experts.
    if let experts = fields.value["n_routed_experts"], experts.isNull { return nil }
    guard try fields.integer("moe_layer_freq", default: 1) == 1 else { throw fields.failure("moe_layer_freq", "1") }
    let isV3 = architecture == .deepseekV3
    let scoring = isV3 ? "sigmoid" : "softmax"
    guard try fields.string("scoring_func", default: scoring) == scoring else {
      throw fields.failure("scoring_func", "\"\(scoring)\" for \(architecture.rawValue)")
    }
    let method = try fields.string("topk_method", default: isV3 ? "noaux_tc" : "greedy")
    let methods = isV3 ? ["noaux_tc"] : ["greedy", "group_limited_greedy"]
    guard methods.contains(method) else { throw fields.failure("topk_method", methods.joined(separator: " or ")) }
    let normalizes = try isV3 ? fields.bool("norm_topk_prob") : fields.bool("norm_topk_prob", default: false)
    guard isV3 || !normalizes else {
      throw fields.failure("norm_topk_prob", "false for deepseek_v2: its implementations do not agree on what true means")
    }
    let limitsGroups = method != "greedy"
    return Mixture(
      expertCount: try fields.integer("n_routed_experts"),
      expertsPerToken: try fields.integer("num_experts_per_tok"),
      sharedExpertCount: try fields.integer("n_shared_experts"),
      expertSize: try fields.integer("moe_intermediate_size"),
      leadingDenseLayers: try fields.integer("first_k_dense_replace"),
      scoring: isV3 ? .sigmoid : .softmax,
      groupCount: limitsGroups ? try fields.integer("n_group") : 1,
      chosenGroupCount: limitsGroups ? try fields.integer("topk_group") : 1,
      normalizesWeights: normalizes,
      weightScale: Float(try fields.double("routed_scaling_factor")))
  }

  private struct Rope {
    var theta: Double
    var scaling = Rotary.Scaling.none
    /// By which YaRN with `mscale_all_dim` changes the softmax scale of latent attention, twice.
    var magnitude = 1.0
    /// The path to the scaling's fields, for errors.
    var prefix = ""
  }

  private static func rope(_ fields: ConfigurationFields, contextLength: Int) throws(CheckpointError) -> Rope {
    let parameters = fields.has("rope_parameters") ? try fields.object("rope_parameters") : try fields.object("rope_scaling")
    let topTheta = try fields.double("rope_theta", default: 10_000)
    guard let parameters else { return Rope(theta: topTheta) }
    if let nested = parameters.value.members?.first(where: { $0.value.members != nil }) {
      throw parameters.failure(nested.key, "one set of parameters for all layers; sets by kind of layer are not supported")
    }
    guard try parameters.double("partial_rotary_factor", default: 1) == 1 else {
      throw parameters.failure("partial_rotary_factor", "1; partly rotated heads are not supported")
    }
    var rope = Rope(theta: try parameters.double("rope_theta", default: topTheta), prefix: parameters.prefix)
    let type = try parameters.string("rope_type", default: parameters.string("type", default: "default"))
    let original = try parameters.integer(
      "original_max_position_embeddings", default: fields.integer("original_max_position_embeddings", default: contextLength))
    switch type {
    case "default", "mrope": break
    case "linear": rope.scaling = .linear(factor: try parameters.double("factor"))
    case "llama3":
      rope.scaling = .llama3(
        factor: try parameters.double("factor"), lowFrequencyFactor: try parameters.double("low_freq_factor"),
        highFrequencyFactor: try parameters.double("high_freq_factor"), originalContextLength: original)
    case "yarn":
      let factor = try parameters.double("factor")
      let scale = try parameters.double("mscale", default: 0), scaleAll = try parameters.double("mscale_all_dim", default: 0)
      let inferred =
        scale != 0 && scaleAll != 0
        ? yarnMagnitude(factor: factor, scale: scale) / yarnMagnitude(factor: factor, scale: scaleAll)
        : yarnMagnitude(factor: factor, scale: 1)
      rope.scaling = .yarn(
        factor: factor, originalContextLength: original, betaFast: try parameters.double("beta_fast", default: 32),
        betaSlow: try parameters.double("beta_slow", default: 1),
        attentionFactor: try parameters.double("attention_factor", default: inferred),
        truncates: try parameters.bool("truncate", default: true))
      if scaleAll != 0 { rope.magnitude = yarnMagnitude(factor: factor, scale: scaleAll) }
    default: throw parameters.failure(parameters.has("rope_type") ? "rope_type" : "type", "default, linear, llama3 or yarn")
    }
    return rope
  }
}
