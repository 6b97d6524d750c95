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
  /// Layers behind the others that predict further tokens, as the configuration says; the files may lack them.
  public var predictionLayerCount = 0
  /// Inner size of the dense feed-forward layers.
  public var feedForwardSize: Int
  /// nil for models without experts.
  public var mixture: Mixture?
  public var normEpsilon: Float
  /// The most positions the model was made for.
  public var contextLength: Int
  /// Whether the output head is the embedding.
  public var tiesEmbeddings: Bool
  /// Biases that every layer of the checkpoint must have. Others are added where the checkpoint has them.
  public var requiredBiases: Set<Bias> = []
  /// Tokens that end an answer, where the checkpoint names them.
  public var endTokens: [Int] = []

  public enum Bias: Sendable {
    /// Of queries, keys and values; for latent attention of the down-projections.
    case queryKeyValue
    case attentionOutput
    case feedForward
  }

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
    /// The norms of the latents use this epsilon whatever the configuration says, as the published code does.
    public static let normEpsilon: Float = 1e-6
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
      /// Peng et al. 2023. `attentionFactor` multiplies cosines and sines; `truncates` rounds the range of pairs to whole ones.
      case yarn(
        factor: Double, originalContextLength: Int, betaFast: Double, betaSlow: Double, attentionFactor: Double,
        truncates: Bool)
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
}
