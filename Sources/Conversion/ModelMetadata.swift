internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletJSON
internal import SwiftletModels

/// The metadata of a GGUF file that describe a model, under the keys and in the order of llama.cpp's convert_hf_to_gguf.py.
struct ModelMetadata {
  let configuration: ModelConfiguration
  /// config.json and, where there is one, generation_config.json.
  let config: JSONValue
  let generation: JSONValue?
  /// What the model card says.
  let license: ModelLicense?
  let folderName: String
  let nextTokenLayers: Int
  let type: GGUFType
  let tensors: [TensorPlan]

  var architecture: String {
    switch configuration.architecture {
    case .llama: "llama"
    case .qwen2: "qwen2"
    case .deepseekV2, .deepseekV3: "deepseek2"
    }
  }

  /// Everything but the tokenizer's.
  func metadata() -> GGUFMetadata {
    var result = GGUFMetadata()
    result.set("general.architecture", .string(architecture))
    result.set("general.type", .string("model"))
    addSampling(to: &result)
    addNames(to: &result)
    addShape(to: &result)
    addRotary(to: &result)
    func set(_ key: String, _ value: GGUFMetadata.Value?) { result.set("\(architecture).\(key)", value) }
    set("attention.layer_norm_rms_epsilon", .float32(Double(configuration.normEpsilon)))
    addRouting(to: &result)
    if let dimension = headDimension {
      set("attention.key_length", .uint32(dimension))
      set("attention.value_length", .uint32(dimension))
    }
    // Its place is kept: what comes next may set the lengths anew.
    if case .latent(let latent) = configuration.attention {
      set("attention.key_length", .uint32(latent.keyValueRank + latent.rotaryDimension))
      set("attention.value_length", .uint32(latent.keyValueRank))
    }
    result.set("general.file_type", .uint32(type.fileType))
    addArchitecture(to: &result)
    result.set("general.quantization_version", .uint32(2))
    return result
  }

  /// How generation_config.json advises to sample.
  private func addSampling(to result: inout GGUFMetadata) {
    func number(_ field: String) -> Double? { generation?[field]?.double }
    func set(_ key: String, _ value: GGUFMetadata.Value?) { result.set("general.sampling.\(key)", value) }
    set("top_k", generation?["top_k"]?.integer.map { .int32($0) })
    set("top_p", number("top_p").map { .float32($0) })
    set("min_p", number("min_p").map { .float32($0) })
    set("temp", number("temperature").map { .float32($0) })
    set("penalty_repeat", (number("penalty_repeat") ?? number("repetition_penalty")).map { .float32($0) })
  }

  private func addNames(to result: inout GGUFMetadata) {
    let total = tensors.reduce(0) { $0 + $1.shape.reduce(1, *) }
    let experts = tensors.filter { $0.name.contains("_exps.") && $0.shape.count == 3 }
    let one = experts.reduce(0) { $0 + $1.shape[1] * $1.shape[2] }, all = experts.reduce(0) { $0 + $1.shape.reduce(1, *) }
    let name = ModelName.of(path: config["_name_or_path"]?.string, folder: folderName, parameters: total)
    result.set("general.name", .string(name.title))
    result.set("general.version", name.version.map { .string($0) })
    result.set("general.organization", name.organization.map { .string($0) })
    result.set("general.finetune", name.finetune.map { .string($0) })
    result.set("general.basename", name.basename.map { .string($0) })
    let size =
      name.sizeLabel
      ?? (experts.isEmpty
        ? ModelName.rounded(total) : "\(configuration.mixture?.expertCount ?? 0)x" + ModelName.rounded(total - all + one))
    result.set("general.size_label", .string(size))
    result.set("general.license", license.map { .string($0.name) })
    result.set("general.license.name", license?.longName.map { .string($0) })
    result.set("general.license.link", license?.link.map { .string($0) })
  }

  private func addShape(to result: inout GGUFMetadata) {
    let isLatent = if case .latent = configuration.attention { true } else { false }
    func set(_ key: String, _ value: Int) { result.set("\(architecture).\(key)", .uint32(value)) }
    set("block_count", configuration.layerCount + nextTokenLayers)
    set("context_length", configuration.contextLength)
    set("embedding_length", configuration.hiddenSize)
    set("feed_forward_length", configuration.feedForwardSize)
    set("attention.head_count", configuration.headCount)
    if case .groupedQuery(let keyValueHeads, _) = configuration.attention {
      set("attention.head_count_kv", keyValueHeads)
    } else if isLatent {
      // In the latent space all heads share one key.
      set("attention.head_count_kv", 1)
    }
  }

  private func addRotary(to result: inout GGUFMetadata) {
    func set(_ key: String, _ value: GGUFMetadata.Value?) { result.set("\(architecture).rope.\(key)", value) }
    switch configuration.rotary.scaling {
    case .none, .llama3, .factors: break
    case .linear(let factor):
      set("scaling.type", .string("linear"))
      set("scaling.factor", .float32(factor))
    case .yarn(let factor, let original, let betaFast, let betaSlow, _, _):
      let parameters = config["rope_parameters"] ?? config["rope_scaling"]
      func given(_ fields: String...) -> Double? { fields.lazy.compactMap { parameters?[$0]?.double }.first }
      set("scaling.type", .string("yarn"))
      set("scaling.factor", .float32(factor))
      set("scaling.original_context_length", .uint32(original))
      set("scaling.yarn_ext_factor", given("extrapolation_factor").map { .float32($0) })
      set("scaling.attn_factor", given("attention_factor", "attn_factor").map { .float32($0) })
      set("scaling.yarn_beta_fast", given("beta_fast").map { _ in .float32(betaFast) })
      set("scaling.yarn_beta_slow", given("beta_slow").map { _ in .float32(betaSlow) })
    }
    set("freq_base", .float32(configuration.rotary.theta))
  }

  private func addRouting(to result: inout GGUFMetadata) {
    guard let mixture = configuration.mixture else { return }
    func set(_ key: String, _ value: Int) { result.set("\(architecture).expert_\(key)", .uint32(value)) }
    set("count", mixture.expertCount)
    set("used_count", mixture.expertsPerToken)
    set("group_count", mixture.groupCount)
    set("group_used_count", mixture.chosenGroupCount)
    set("gating_func", mixture.scoring == .sigmoid ? 2 : 1)
  }

  /// The size of a head, where config.json has the field or transformers adds it.
  private var headDimension: Int? {
    guard case .groupedQuery(_, let dimension) = configuration.attention else { return nil }
    return configuration.architecture == .llama || config["head_dim"]?.integer != nil ? dimension : nil
  }

  private func addArchitecture(to result: inout GGUFMetadata) {
    func set(_ key: String, _ value: GGUFMetadata.Value?) { result.set("\(architecture).\(key)", value) }
    switch configuration.architecture {
    case .qwen2: break
    case .llama:
      set("vocab_size", .uint32(configuration.vocabularySize))
      set("rope.dimension_count", .uint32(configuration.rotary.dimension))
    case .deepseekV2, .deepseekV3:
      guard case .latent(let latent) = configuration.attention else { return }
      let mixture = configuration.mixture
      set("leading_dense_block_count", .uint32(mixture?.leadingDenseLayers ?? configuration.layerCount))
      set("vocab_size", .uint32(configuration.vocabularySize))
      // Without compressed queries llama.cpp wants a rank of 0, but for as many layers as V2-Lite has.
      let rank = latent.queryRank ?? (configuration.layerCount == 26 || configuration.layerCount == 27 ? nil : 0)
      set("attention.q_lora_rank", rank.map { .uint32($0) })
      set("attention.kv_lora_rank", .uint32(latent.keyValueRank))
      set("attention.key_length_mla", .uint32(latent.plainDimension + latent.rotaryDimension))
      set("attention.value_length_mla", .uint32(latent.valueDimension))
      set("expert_feed_forward_length", .uint32(mixture?.expertSize ?? configuration.feedForwardSize))
      set("expert_shared_count", .uint32(mixture?.sharedExpertCount ?? 0))
      set("expert_weights_scale", mixture.map { .float32(Double($0.weightScale)) })
      if mixture?.normalizesWeights == true { set("expert_weights_norm", .bool(true)) }
      set("rope.dimension_count", .uint32(latent.rotaryDimension))
      let parameters = config["rope_parameters"] ?? config["rope_scaling"]
      set("rope.scaling.yarn_log_multiplier", parameters?["mscale_all_dim"]?.double.map { .float32(0.1 * $0) })
      if nextTokenLayers > 0 { set("nextn_predict_layers", .uint32(nextTokenLayers)) }
    }
  }
}
