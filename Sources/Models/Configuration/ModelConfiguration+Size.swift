extension ModelConfiguration {
  /// How many parameters a decoder of this shape has, without layers that predict further tokens.
  public struct ParameterCount: Sendable, Equatable {
    public var total: Int
    /// Those that a token is computed with: without the experts that are not chosen, and without the embedding where that is a
    /// table of its own, of which a token reads one row. As DeepSeek counts them: 2.4 B of V2-Lite's 15.7 B, 37 B of V3's 671 B.
    public var active: Int
  }

  /// The parameters of a whole decoder by part; all layers together.
  public struct ParameterParts: Sendable, Equatable {
    public var embedding = 0
    /// The output head; 0 where it is the embedding.
    public var head = 0
    /// Matrices and biases of attention.
    public var attention = 0
    /// RMSNorm weights, those inside latent attention among them.
    public var norms = 0
    public var denseFeedForward = 0
    /// With the biases of the choice.
    public var router = 0
    public var sharedExperts = 0
    public var routedExperts = 0
    /// Of the routed experts, those that a token chooses.
    public var chosenExperts = 0

    public var total: Int {
      embedding + head + attention + norms + denseFeedForward + router + sharedExperts + routedExperts
    }

    static func + (left: Self, right: Self) -> Self {
      ParameterParts(
        embedding: left.embedding + right.embedding, head: left.head + right.head, attention: left.attention + right.attention,
        norms: left.norms + right.norms, denseFeedForward: left.denseFeedForward + right.denseFeedForward,
        router: left.router + right.router, sharedExperts: left.sharedExperts + right.sharedExperts,
        routedExperts: left.routedExperts + right.routedExperts, chosenExperts: left.chosenExperts + right.chosenExperts)
    }

    static func * (count: Int, parts: Self) -> Self {
      ParameterParts(
        embedding: count * parts.embedding, head: count * parts.head, attention: count * parts.attention,
        norms: count * parts.norms, denseFeedForward: count * parts.denseFeedForward, router: count * parts.router,
        sharedExperts: count * parts.sharedExperts, routedExperts: count * parts.routedExperts,
        chosenExperts: count * parts.chosenExperts)
    }
  }

  /// Counted from the configuration alone. Biases beside the required ones, which a checkpoint may add, are not counted. The bounds
  /// of `validated` keep every product and the sum below 2^63.
  public var parameterCount: ParameterCount {
    let parts = parameterParts, unread = tiesEmbeddings ? 0 : parts.embedding
    return ParameterCount(total: parts.total, active: parts.total - unread - parts.routedExperts + parts.chosenExperts)
  }

  /// The parts of `parameterCount`.
  public var parameterParts: ParameterParts {
    let table = vocabularySize * hiddenSize
    let ends = ParameterParts(embedding: table, head: tiesEmbeddings ? 0 : table, norms: hiddenSize)
    return ends + denseLayerCount * layerParts(hasExperts: false) + (layerCount - denseLayerCount) * layerParts(hasExperts: true)
  }

  /// Those of the layers that predict further tokens, without the embedding and the head, which they share with the others
  /// (DeepSeek-V3 report, section 2.2): a layer, three norms, and the product that joins hidden state and embedding, which counts as
  /// dense.
  public var predictionParts: ParameterParts {
    let join = ParameterParts(norms: 3 * hiddenSize, denseFeedForward: 2 * hiddenSize * hiddenSize)
    return predictionLayerCount * (join + layerParts(hasExperts: mixture != nil))
  }

  /// Layers with a dense feed-forward part.
  public var denseLayerCount: Int { mixture.map { min($0.leadingDenseLayers, layerCount) } ?? layerCount }

  /// Values that attention remembers of a position, all layers together, without those that predict further tokens.
  public var cachedValuesPerPosition: Int { cachedValues(isExpanded: false) }

  /// The same where latent attention keeps keys and values of every head, as it does for answers of a model in training.
  public var expandedCachedValuesPerPosition: Int { cachedValues(isExpanded: true) }

  private func cachedValues(isExpanded: Bool) -> Int {
    let layout = KeyValueCache.Layout(self, layerCount: layerCount, type: .float32, isExpanded: isExpanded)
    return layout.blockBytes / (KeyValueCache.blockLength * layout.type.blockBytes)
  }

  private func layerParts(hasExperts: Bool) -> ParameterParts {
    var parts = ParameterParts(attention: attentionParameters, norms: 2 * hiddenSize + latentNorms)
    if hasExperts, let mixture {
      let expert = 3 * hiddenSize * mixture.expertSize
      parts.router = mixture.expertCount * hiddenSize + (mixture.scoring == .sigmoid ? mixture.expertCount : 0)
      parts.sharedExperts = mixture.sharedExpertCount * expert
      parts.routedExperts = mixture.expertCount * expert
      parts.chosenExperts = mixture.expertsPerToken * expert
    } else {
      let biases = requiredBiases.contains(.feedForward) ? 2 * feedForwardSize + hiddenSize : 0
      parts.denseFeedForward = 3 * hiddenSize * feedForwardSize + biases
    }
    return parts
  }

  /// Of one layer, the norms of the compressed query and of the latent vector.
  private var latentNorms: Int {
    if case .latent(let latent) = attention { latent.keyValueRank + (latent.queryRank ?? 0) } else { 0 }
  }

  /// Of one layer.
  private var attentionParameters: Int {
    var biases = requiredBiases.contains(.attentionOutput) ? hiddenSize : 0
    switch attention {
    case .groupedQuery(let keyValueHeads, let dimension):
      let queries = headCount * dimension, keys = keyValueHeads * dimension
      if requiredBiases.contains(.queryKeyValue) { biases += queries + 2 * keys }
      return hiddenSize * (2 * queries + 2 * keys) + biases
    case .latent(let latent):
      let queries = headCount * (latent.plainDimension + latent.rotaryDimension)
      let compressed = latent.keyValueRank + latent.rotaryDimension
      var result = hiddenSize * queries
      if let rank = latent.queryRank { result = hiddenSize * rank + rank * queries }
      if requiredBiases.contains(.queryKeyValue) { biases += (latent.queryRank ?? 0) + compressed }
      result += hiddenSize * compressed
      result += latent.keyValueRank * headCount * (latent.plainDimension + latent.valueDimension)
      return result + headCount * latent.valueDimension * hiddenSize + biases
    }
  }
}
