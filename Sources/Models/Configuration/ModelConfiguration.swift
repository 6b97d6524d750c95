internal import Foundation

/// The shape of a decoder: all that a model's code needs to know before it sees a weight.
/// Field meanings follow the Hugging Face `config.json` of the architecture.
public struct ModelConfiguration: Sendable, Equatable {
  /// Named as `model_type` in config.json.
  public enum Architecture: String, Sendable, CaseIterable {
    case llama
    case qwen2
    case deepseekV2 = "deepseek_v2"
    case deepseekV3 = "deepseek_v3"
  }

  public var architecture: Architecture
  public var vocabularySize: Int
  public var hiddenSize: Int
  public var layerCount: Int
  public var headCount: Int
  public var attention: Attention
  public var rotary: Rotary
  /// Inner size of the dense feed-forward layers.
  public var feedForwardSize: Int
  /// nil for models without experts.
  public var mixture: Mixture?
  public var normEpsilon: Float
  /// The most positions the model was made for.
  public var contextLength: Int
  /// Whether the output head is the embedding.
  public var tiesEmbeddings: Bool
  /// Tokens that end an answer, where the checkpoint names them.
  public var endTokens: [Int] = []

  public enum Attention: Sendable, Equatable {
    /// Query heads share key and value heads; multi-head attention when the counts are equal.
    case groupedQuery(keyValueHeadCount: Int, headDimension: Int)
    /// Multi-head latent attention (DeepSeek-V2 report, section 2.1).
    case latent(Latent)
  }

  public struct Latent: Sendable, Equatable {
    /// Rank of the compressed query; nil when queries come straight from the hidden state.
    public var queryRank: Int?
    public var keyValueRank: Int
    /// Values a head of query and key that are not rotated.
    public var plainDimension: Int
    /// Values a head of the query, and of the key all heads share, that are rotated.
    public var rotaryDimension: Int
    public var valueDimension: Int
    /// What YaRN multiplies the softmax scale with; 1 without.
    public var scaleFactor: Float
  }

  public struct Rotary: Sendable, Equatable {
    public var theta: Double
    /// Values of a head that are rotated.
    public var dimension: Int
    /// Pairs are neighbours; else halves apart.
    public var isInterleaved: Bool
    public var scaling: Scaling

    public enum Scaling: Sendable, Equatable {
      case none
      /// Positions divided by a factor.
      case linear(factor: Double)
      /// Llama 3.1's: low frequencies divided, a ramp between.
      case llama3(factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalContextLength: Int)
      /// Peng et al. 2023. `attentionFactor` multiplies cosines and sines.
      case yarn(factor: Double, originalContextLength: Int, betaFast: Double, betaSlow: Double, attentionFactor: Double)
      /// Each frequency divided by its own factor, as GGUF's `rope_freqs.weight` stores them.
      case factors([Float])
    }
  }

  /// Routed and shared experts (DeepSeek-V3 report, section 2.1.2).
  public struct Mixture: Sendable, Equatable {
    public var expertCount: Int
    public var expertsPerToken: Int
    public var sharedExpertCount: Int
    /// Inner size of one expert; the shared ones are one layer of `sharedExpertCount` times this.
    public var expertSize: Int
    /// Layers at the start that are dense.
    public var leadingDenseLayers: Int
    public var scoring: Scoring
    /// Experts are chosen from `chosenGroupCount` of `groupCount` equal groups.
    public var groupCount: Int
    public var chosenGroupCount: Int
    public var normalizesWeights: Bool
    public var weightScale: Float

    public enum Scoring: Sendable, Equatable {
      /// V2: softmax; a group's score is its best expert's.
      case softmax
      /// V3: sigmoid, a bias for the choice only; a group's score is the sum of its two best.
      case sigmoid
    }
  }
}

/// A checkpoint whose configuration or weights are not as the architecture needs them.
public struct ModelError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file or folder.
  public let source: String
  /// The field or tensor.
  public let field: String
  public let reason: String

  public init(source: String, field: String, reason: String) {
    self.source = source
    self.field = field
    self.reason = reason
  }

  public var description: String { "\(source): \(field): \(reason)" }
}

extension ModelConfiguration {
  /// Whether layer `index` has experts.
  public func hasExperts(layer index: Int) -> Bool { mixture.map { index >= $0.leadingDenseLayers } ?? false }

  /// What the dot products of queries and keys are multiplied with.
  public var attentionScale: Float {
    switch attention {
    case .groupedQuery(_, let headDimension): 1 / Float(headDimension).squareRoot()
    case .latent(let latent): latent.scaleFactor / Float(latent.plainDimension + latent.rotaryDimension).squareRoot()
    }
  }

  /// YaRN's magnitude: `0.1 · mscale · ln(factor) + 1`.
  static func yarnMagnitude(factor: Double, scale: Double) -> Double { factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1 }

  /// Bounds every extent so that sizes computed from them cannot overflow, and checks what the code divides by.
  func validated(source: String) throws(ModelError) -> ModelConfiguration {
    func check(_ field: String, _ value: Int, _ range: ClosedRange<Int>) throws(ModelError) {
      guard range.contains(value) else {
        throw ModelError(
          source: source, field: field, reason: "found \(value), expected \(range.lowerBound) to \(range.upperBound)")
      }
    }
    try check("vocab_size", vocabularySize, 1...1 << 24)
    try check("hidden_size", hiddenSize, 1...1 << 20)
    try check("num_hidden_layers", layerCount, 1...4096)
    try check("num_attention_heads", headCount, 1...4096)
    try check("intermediate_size", feedForwardSize, 1...1 << 22)
    try check("max_position_embeddings", contextLength, 1...1 << 30)
    guard normEpsilon.isFinite, normEpsilon >= 0 else {
      throw ModelError(source: source, field: "rms_norm_eps", reason: "found \(normEpsilon), expected a number from 0")
    }
    guard rotary.theta.isFinite, rotary.theta > 0 else {
      throw ModelError(source: source, field: "rope_theta", reason: "found \(rotary.theta), expected a number above 0")
    }
    switch attention {
    case .groupedQuery(let keyValueHeads, let dimension):
      try check("num_key_value_heads", keyValueHeads, 1...headCount)
      try check("head_dim", dimension, 1...1 << 16)
      guard headCount % keyValueHeads == 0 else {
        throw ModelError(
          source: source, field: "num_key_value_heads",
          reason: "found \(keyValueHeads), expected a divisor of the \(headCount) heads")
      }
    case .latent(let latent):
      try check("q_lora_rank", latent.queryRank ?? 1, 1...1 << 16)
      try check("kv_lora_rank", latent.keyValueRank, 1...1 << 16)
      try check("qk_nope_head_dim", latent.plainDimension, 1...1 << 16)
      try check("v_head_dim", latent.valueDimension, 1...1 << 16)
    }
    try check("rotary dimension", rotary.dimension, 2...1 << 16)
    guard rotary.dimension % 2 == 0 else {
      throw ModelError(source: source, field: "rotary dimension", reason: "found \(rotary.dimension), expected an even number")
    }
    if case .factors(let factors) = rotary.scaling {
      try check("rope_freqs.weight", factors.count, rotary.dimension / 2...rotary.dimension / 2)
    }
    if let mixture {
      try check("n_routed_experts", mixture.expertCount, 1...1 << 16)
      try check("num_experts_per_tok", mixture.expertsPerToken, 1...mixture.expertCount)
      try check("n_shared_experts", mixture.sharedExpertCount, 0...64)
      try check("moe_intermediate_size", mixture.expertSize, 1...1 << 20)
      try check("first_k_dense_replace", mixture.leadingDenseLayers, 0...layerCount)
      try check("n_group", mixture.groupCount, 1...mixture.expertCount)
      try check("topk_group", mixture.chosenGroupCount, 1...mixture.groupCount)
      let groupSize = mixture.expertCount / mixture.groupCount
      guard mixture.expertCount % mixture.groupCount == 0, groupSize * mixture.chosenGroupCount >= mixture.expertsPerToken else {
        throw ModelError(
          source: source, field: "n_group",
          reason:
            "\(mixture.expertCount) experts in \(mixture.groupCount) groups, of which \(mixture.chosenGroupCount) are chosen, "
            + "expected equal groups with at least \(mixture.expertsPerToken) experts to choose from")
      }
    }
    return self
  }
}
