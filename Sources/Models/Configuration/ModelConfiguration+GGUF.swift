public import SwiftletCheckpoints

extension ModelConfiguration {
  /// Reads the metadata of a GGUF file of architecture `llama`, `qwen2` or `deepseek2`.
  /// - Throws: `CheckpointError` naming the key, what was found and what was expected.
  public init(gguf file: GGUFFile) throws(CheckpointError) {
    let name = try file.string("general.architecture")
    guard let name, ["llama", "qwen2", "deepseek2"].contains(name) else {
      let found = name.map { "found \"\(CheckpointError.excerpt($0))\"" } ?? "is missing"
      throw CheckpointError(
        file: file.path, field: "general.architecture", reason: "\(found), expected llama, qwen2 or deepseek2")
    }
    let keys = GGUFKeys(file: file, architecture: name), weights = WeightSource.gguf(file)
    let contextLength = try keys.integer("context_length")
    let hiddenSize = try keys.integer("embedding_length"), headCount = try keys.integer("attention.head_count")
    let embeddingRows = try weights.find("token_embd.weight")?.shape.rows
    let vocabularySize = if let embeddingRows { embeddingRows } else { try keys.integer("vocab_size") }

    let architecture: Architecture
    let attention: Attention
    let rotary: Rotary
    var mixture: Mixture?
    if name == "deepseek2" {
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
          queryRank: try keys.optionalInteger("attention.q_lora_rank").flatMap { $0 == 0 ? nil : $0 },
          keyValueRank: try keys.integer("attention.kv_lora_rank"), plainDimension: keyLength - rotaryDimension,
          rotaryDimension: rotaryDimension,
          valueDimension: try keys.integer(
            "attention.value_length_mla", default: keys.integer("attention.value_length", default: 0)),
          scaleFactor: Float(magnitude * magnitude)))
      let experts = try keys.mixture()
      mixture = experts
      architecture = experts.scoring == .sigmoid ? .deepseekV3 : .deepseekV2
    } else {
      architecture = name == "llama" ? .llama : .qwen2
      let dimension = try keys.integer("attention.key_length", default: hiddenSize / max(1, headCount))
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
      guard try keys.integer("expert_count", default: 0) == 0 else {
        throw keys.failure("expert_count", "0; experts are supported for deepseek2 only")
      }
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
      predictionLayerCount: nextTokenLayers,
      feedForwardSize: keys.integer("feed_forward_length"),
      mixture: mixture,
      normEpsilon: Float(keys.double("attention.layer_norm_rms_epsilon")),
      contextLength: contextLength,
      tiesEmbeddings: weights.find("output.weight") == nil,
      requiredBiases: architecture == .qwen2 ? [.queryKeyValue] : []
    ).validated(source: file.path, name: keys.name(ofField:))
  }
}
