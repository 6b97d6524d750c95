public import SwiftletModels

/// What training keeps in memory, bytes of all devices together.
public struct TrainingMemory: Sendable, Equatable {
  /// How values are kept.
  public struct Formats: Sendable, Equatable {
    /// What products read, beside the master weights.
    public var weights = NumberFormat.bf16
    public var masterWeights: NumberFormat? = .f32
    public var gradients = NumberFormat.f32
    /// Values that the optimizer keeps of a parameter: 2 for AdamW, 1 for Muon or momentum.
    public var momentCount = 2
    public var moments = NumberFormat.bf16
    public var activations = NumberFormat.bf16
    public var recomputation = Recomputation.selective

    /// DeepSeek-V3's (report, sections 3.2.3 and 3.3.3), but that weights are BF16.
    public init() {}
  }

  public enum Recomputation: String, Sendable, CaseIterable {
    /// Everything that gradients need is kept.
    case none
    /// Norms, up-projections of latent attention and SwiGLU's result are computed again (DeepSeek-V3 report, section 3.2.3), and
    /// results of experts are not kept, since their weights can multiply what goes into the last product.
    case selective
    /// Only a layer's input is kept; the forward direction is computed twice.
    case layer
  }

  /// What is trained and kept, where that is not all of a model.
  public struct Trained: Sendable, Equatable {
    /// Values with master weights and gradients.
    public var values: Double
    /// Values that products read, in all the forms that are kept of them.
    public var productValues: Double
    /// Bytes of the optimizer's values.
    public var momentBytes: Double
    public var others: [Part]
  }

  /// Something else that is in memory.
  public struct Part: Sendable, Equatable {
    public var name: String
    public var bytes: Double
  }

  public var weights: Double
  public var masterWeights: Double
  public var gradients: Double
  public var optimizerState: Double
  /// Of one token in flight.
  public var activationsPerToken: Double
  public var tokensInFlight: Double
  /// Frozen weights, a teacher, and the like.
  public var others: [Part]

  /// - Parameters:
  ///   - trained: nil for all parameters, with as many moments of each as the formats say.
  ///   - tokensInFlight: whose activations are in memory at once, on all devices.
  public init(
    _ configuration: ModelConfiguration, formats: Formats = Formats(), trained: Trained? = nil, tokensInFlight: Double
  ) throws(PlanError) {
    try PlanError.check("moments", Double(formats.momentCount), 0...4)
    try PlanError.check("tokens in flight", tokensInFlight, 1...1e12)
    let parameters = Double(configuration.parameterCount.total + configuration.predictionParts.total)
    weights = (trained?.productValues ?? parameters) * formats.weights.bytesPerValue
    masterWeights = (trained?.values ?? parameters) * (formats.masterWeights?.bytesPerValue ?? 0)
    gradients = (trained?.values ?? parameters) * formats.gradients.bytesPerValue
    optimizerState = trained?.momentBytes ?? parameters * Double(formats.momentCount) * formats.moments.bytesPerValue
    others = trained?.others ?? []
    // The logits of a token are F32, and their gradients take the same place.
    activationsPerToken =
      Double(Self.activations(configuration, formats.recomputation)) * formats.activations.bytesPerValue
      + 4 * Double(configuration.vocabularySize)
    self.tokensInFlight = tokensInFlight
  }

  public var activations: Double { activationsPerToken * tokensInFlight }
  public var total: Double {
    weights + masterWeights + gradients + optimizerState + activations + others.reduce(0) { $0 + $1.bytes }
  }

  /// Values that all layers keep of a token, attention computed without its matrix of probabilities (flash attention).
  static func activations(_ configuration: ModelConfiguration, _ recomputation: Recomputation) -> Int {
    let dense = configuration.denseLayerCount
    let layers = configuration.layerCount + configuration.predictionLayerCount
    let hidden = configuration.hiddenSize
    if recomputation == .layer { return layers * hidden }
    let isSelective = recomputation == .selective
    let heads = configuration.headCount
    // What goes into the layer and into its second half, the norms of both, attention's result.
    var layer = hidden * (isSelective ? 2 : 4)
    switch configuration.attention {
    case .groupedQuery(let keyHeads, let dimension):
      layer += 2 * heads * dimension + 2 * keyHeads * dimension
    case .latent(let latent):
      let queries = heads * (latent.plainDimension + latent.rotaryDimension)
      layer += latent.keyValueRank + latent.rotaryDimension + heads * latent.valueDimension
      layer += latent.queryRank ?? (isSelective ? queries : 0)
      if !isSelective {
        layer += queries + latent.keyValueRank + (latent.queryRank ?? 0) + heads * (latent.plainDimension + latent.valueDimension)
      }
    }
    /// Gate and up, and what SwiGLU makes of them.
    func feedForward(_ size: Int) -> Int { size * (isSelective ? 2 : 3) }
    var experts = 0
    if let mixture = configuration.mixture {
      experts =
        mixture.expertsPerToken * ((isSelective ? 1 : 2) * hidden + feedForward(mixture.expertSize))
        + feedForward(mixture.sharedExpertCount * mixture.expertSize) + mixture.expertCount
    }
    return layers * layer + dense * feedForward(configuration.feedForwardSize)
      + (layers - dense) * (configuration.mixture == nil ? feedForward(configuration.feedForwardSize) : experts)
  }
}
