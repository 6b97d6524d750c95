internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletJSON
internal import SwiftletModels
internal import SwiftletTensors

/// config.json from the metadata of a GGUF file, as far as it has what they say.
struct HuggingFaceConfiguration {
  let file: GGUFFile
  let configuration: ModelConfiguration
  let nextTokenLayers: Int
  /// The type of the written weights.
  let type: ElementType

  /// - Throws: `CheckpointError` when config.json cannot say what the file does.
  func config() throws(CheckpointError) -> JSONValue {
    let isLatent = if case .latent = configuration.attention { true } else { false }
    let names: [ModelConfiguration.Architecture: String] = [
      .llama: "LlamaForCausalLM", .qwen2: "Qwen2ForCausalLM", .deepseekV2: "DeepseekV2ForCausalLM",
      .deepseekV3: "DeepseekV3ForCausalLM",
    ]
    var members: [JSONMember] = []
    func set(_ key: String, _ value: JSONValue) { members.append(JSONMember(key: key, value: value)) }
    set("architectures", [.string(names[configuration.architecture] ?? "")])
    set("model_type", .string(configuration.architecture.rawValue))
    set("vocab_size", .integer(configuration.vocabularySize))
    set("hidden_size", .integer(configuration.hiddenSize))
    set("intermediate_size", .integer(configuration.feedForwardSize))
    set("num_hidden_layers", .integer(configuration.layerCount))
    set("num_attention_heads", .integer(configuration.headCount))
    set("hidden_act", "silu")
    set("max_position_embeddings", .integer(configuration.contextLength))
    set("rms_norm_eps", .number(Self.double(configuration.normEpsilon)))
    set("tie_word_embeddings", .bool(configuration.tiesEmbeddings))
    switch configuration.attention {
    case .groupedQuery(let keyValueHeads, let dimension):
      set("num_key_value_heads", .integer(keyValueHeads))
      if configuration.architecture == .llama || dimension * configuration.headCount != configuration.hiddenSize {
        set("head_dim", .integer(dimension))
      }
      if configuration.architecture == .llama {
        set("attention_bias", .bool(try hasBiases(["attn_q", "attn_k", "attn_v", "attn_output"])))
        set("mlp_bias", .bool(try hasBiases(["ffn_gate", "ffn_up", "ffn_down"])))
      } else {
        set("use_sliding_window", false)
      }
    case .latent(let latent):
      set("num_key_value_heads", .integer(configuration.headCount))
      set("q_lora_rank", latent.queryRank.map { .integer($0) } ?? nil)
      set("kv_lora_rank", .integer(latent.keyValueRank))
      set("qk_nope_head_dim", .integer(latent.plainDimension))
      set("qk_rope_head_dim", .integer(latent.rotaryDimension))
      set("v_head_dim", .integer(latent.valueDimension))
      let down = latent.queryRank == nil ? [] : ["attn_q_a"]
      set("attention_bias", .bool(try hasBiases(down + ["attn_kv_a_mqa", "attn_output"])))
    }
    if let mixture = configuration.mixture { members += Self.routing(mixture, nextTokenLayers: nextTokenLayers) }
    set("rope_theta", .number(Self.double(Float(configuration.rotary.theta))))
    set("rope_scaling", try scaling(isLatent: isLatent))
    for (key, field) in [("bos", "bos_token_id"), ("eos", "eos_token_id"), ("padding", "pad_token_id")] {
      guard let id = try file.integer("tokenizer.ggml.\(key)_token_id"), id < configuration.vocabularySize else { continue }
      set(field, .integer(id))
    }
    set("torch_dtype", .string(Self.dtype(type)))
    set("use_cache", true)
    return .object(members)
  }

  static func dtype(_ type: ElementType) -> String {
    switch type {
    case .float16: "float16"
    case .bfloat16: "bfloat16"
    default: "float32"
    }
  }

  /// The shortest decimal that gives the stored F32.
  private static func double(_ value: Float) -> Double { Double(value.description) ?? Double(value) }

  private static func routing(_ mixture: ModelConfiguration.Mixture, nextTokenLayers: Int) -> [JSONMember] {
    let isV3 = mixture.scoring == .sigmoid
    let fields: [(String, JSONValue)] = [
      ("n_routed_experts", .integer(mixture.expertCount)), ("num_experts_per_tok", .integer(mixture.expertsPerToken)),
      ("n_shared_experts", .integer(mixture.sharedExpertCount)), ("moe_intermediate_size", .integer(mixture.expertSize)),
      ("first_k_dense_replace", .integer(mixture.leadingDenseLayers)), ("moe_layer_freq", 1),
      ("scoring_func", isV3 ? "sigmoid" : "softmax"),
      ("topk_method", isV3 ? "noaux_tc" : mixture.groupCount > 1 ? "group_limited_greedy" : "greedy"),
      ("n_group", .integer(mixture.groupCount)), ("topk_group", .integer(mixture.chosenGroupCount)),
      ("norm_topk_prob", .bool(mixture.normalizesWeights)), ("routed_scaling_factor", .number(double(mixture.weightScale))),
      ("num_nextn_predict_layers", .integer(nextTokenLayers)),
    ]
    return fields.map { JSONMember(key: $0.0, value: $0.1) }
  }

  /// Whether the first layer has these biases; config.json has one word for all of them.
  private func hasBiases(_ names: [String]) throws(CheckpointError) -> Bool {
    let found = names.filter { file.tensor(named: "blk.0.\($0).bias") != nil }
    guard found.isEmpty || found.count == names.count else {
      throw CheckpointError(
        file: file.path, field: "blk.0.\(found[0]).bias",
        reason: "found biases of \(found.joined(separator: ", ")), but config.json can only promise all of "
          + names.joined(separator: ", "))
    }
    return !found.isEmpty
  }

  private func scaling(isLatent: Bool) throws(CheckpointError) -> JSONValue {
    func number(_ value: Double) -> JSONValue { .number(Self.double(Float(value))) }
    switch configuration.rotary.scaling {
    case .none: return .null
    case .linear(let factor): return ["type": "linear", "factor": number(factor)]
    case .llama3(let factor, let low, let high, let original): return Self.llama3(factor, low, high, original)
    case .factors(let factors):
      guard let found = GGUFPlan.llama3Scaling(of: factors, configuration.rotary) else {
        throw CheckpointError(
          file: file.path, field: "rope_freqs.weight",
          reason:
            "found factors that no llama3 scaling with the usual parameters gives, and config.json has no other form for them")
      }
      return Self.llama3(found.factor, found.low, found.high, found.original)
    case .yarn(let factor, let original, let betaFast, let betaSlow, let attentionFactor, _):
      var members: [JSONMember] = [
        JSONMember(key: "type", value: "yarn"), JSONMember(key: "factor", value: number(factor)),
        JSONMember(key: "original_max_position_embeddings", value: .integer(original)),
        JSONMember(key: "beta_fast", value: number(betaFast)), JSONMember(key: "beta_slow", value: number(betaSlow)),
      ]
      let key = "deepseek2.rope.scaling.yarn_log_multiplier"
      if isLatent, let multiplier = try file.double(key), multiplier != 0 {
        // The file has a tenth of it in F32.
        let scale = JSONValue.number(Self.double(Float(Double(Self.double(Float(multiplier))) * 10)))
        members += [JSONMember(key: "mscale", value: scale), JSONMember(key: "mscale_all_dim", value: scale)]
      } else if abs(attentionFactor - (factor <= 1 ? 1 : 0.1 * log(factor) + 1)) > 1e-6 {
        members.append(JSONMember(key: "attention_factor", value: .number(attentionFactor)))
      }
      return .object(members)
    }
  }

  private static func llama3(_ factor: Double, _ low: Double, _ high: Double, _ original: Int) -> JSONValue {
    [
      "rope_type": "llama3", "factor": .number(factor), "low_freq_factor": .number(low), "high_freq_factor": .number(high),
      "original_max_position_embeddings": .integer(original),
    ]
  }
}
