extension ModelConfiguration {
  /// How many parameters a decoder of this shape has, without layers that predict further tokens.
  public struct ParameterCount: Sendable, Equatable {
    public var total: Int
    /// Those that a token is computed with: without the experts that are not chosen, and without the embedding where that is a
    /// table of its own, of which a token reads one row. As DeepSeek counts them: 2.4 B of V2-Lite's 15.7 B, 37 B of V3's 671 B.
    public var active: Int
  }

  /// Counted from the configuration alone. Biases beside the required ones, which a checkpoint may add, are not counted. The bounds
  /// of `validated` keep every product and the sum below 2^63.
  public var parameterCount: ParameterCount {
    let embedding = vocabularySize * hiddenSize
    var total = embedding * (tiesEmbeddings ? 1 : 2) + hiddenSize
    total += layerCount * (attentionParameters + 2 * hiddenSize)
    var biases = 0
    if requiredBiases.contains(.feedForward) { biases = 2 * feedForwardSize + hiddenSize }
    let denseLayers = mixture.map { min($0.leadingDenseLayers, layerCount) } ?? layerCount
    total += denseLayers * (3 * hiddenSize * feedForwardSize + biases)
    var unused = tiesEmbeddings ? 0 : embedding
    if let mixture {
      let layers = layerCount - denseLayers, expert = 3 * hiddenSize * mixture.expertSize
      let router = mixture.expertCount * hiddenSize + (mixture.scoring == .sigmoid ? mixture.expertCount : 0)
      total += layers * (router + (mixture.expertCount + mixture.sharedExpertCount) * expert)
      unused += layers * (mixture.expertCount - mixture.expertsPerToken) * expert
    }
    return ParameterCount(total: total, active: total - unused)
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
      if let rank = latent.queryRank { result = hiddenSize * rank + rank + rank * queries }
      if requiredBiases.contains(.queryKeyValue) { biases += (latent.queryRank ?? 0) + compressed }
      result += hiddenSize * compressed + latent.keyValueRank
      result += latent.keyValueRank * headCount * (latent.plainDimension + latent.valueDimension)
      return result + headCount * latent.valueDimension * hiddenSize + biases
    }
  }
}
