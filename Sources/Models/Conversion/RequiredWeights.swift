extension ModelConfiguration {
  /// The weights that safetensors files of this shape must have, with their shapes, slowest first. Layers from `layerCount` on are
  /// those that predict further tokens.
  public func requiredWeights(nextTokenLayers: Int = 0) -> [(name: String, shape: [Int])] {
    var result: [(name: String, shape: [Int])] = []
    func add(_ name: WeightName, _ shape: [Int], layer: Int? = nil) {
      result.append((layer.map { name.huggingFace.replacing("#", with: String($0)) } ?? name.huggingFace, shape))
    }
    add(.embedding, [vocabularySize, hiddenSize])
    add(.finalNorm, [hiddenSize])
    if !tiesEmbeddings { add(.head, [vocabularySize, hiddenSize]) }
    for layer in 0..<layerCount + nextTokenLayers {
      add(.attentionNorm, [hiddenSize], layer: layer)
      add(.feedForwardNorm, [hiddenSize], layer: layer)
      switch attention {
      case .groupedQuery(let keyValueHeads, let dimension):
        for (name, heads) in [(WeightName.query, headCount), (.key, keyValueHeads), (.value, keyValueHeads)] {
          add(name, [heads * dimension, hiddenSize], layer: layer)
          if requiredBiases.contains(.queryKeyValue) { add(name.bias, [heads * dimension], layer: layer) }
        }
        add(.attentionOutput, [hiddenSize, headCount * dimension], layer: layer)
      case .latent(let latent):
        let queryWidth = headCount * (latent.plainDimension + latent.rotaryDimension)
        if let rank = latent.queryRank {
          add(.queryDown, [rank, hiddenSize], layer: layer)
          add(.queryDownNorm, [rank], layer: layer)
          add(.queryUp, [queryWidth, rank], layer: layer)
        } else {
          add(.query, [queryWidth, hiddenSize], layer: layer)
        }
        add(.keyValueDown, [latent.keyValueRank + latent.rotaryDimension, hiddenSize], layer: layer)
        add(.keyValueDownNorm, [latent.keyValueRank], layer: layer)
        add(.keyValueUp, [headCount * (latent.plainDimension + latent.valueDimension), latent.keyValueRank], layer: layer)
        add(.attentionOutput, [hiddenSize, headCount * latent.valueDimension], layer: layer)
      }
      addFeedForward(layer, to: &result)
      if layer >= layerCount {
        add(.predictionProjection, [hiddenSize, 2 * hiddenSize], layer: layer)
        add(.predictionEmbeddingNorm, [hiddenSize], layer: layer)
        add(.predictionHiddenNorm, [hiddenSize], layer: layer)
        add(.predictionOutputNorm, [hiddenSize], layer: layer)
      }
    }
    return result
  }

  private func addFeedForward(_ layer: Int, to result: inout [(name: String, shape: [Int])]) {
    func add(_ name: WeightName, _ shape: [Int]) {
      result.append((name.huggingFace.replacing("#", with: String(layer)), shape))
    }
    guard let mixture, hasExperts(layer: layer) else {
      add(.gate, [feedForwardSize, hiddenSize])
      add(.up, [feedForwardSize, hiddenSize])
      add(.down, [hiddenSize, feedForwardSize])
      return
    }
    add(.router, [mixture.expertCount, hiddenSize])
    if mixture.scoring == .sigmoid { add(.routerBias, [mixture.expertCount]) }
    for expert in 0..<mixture.expertCount {
      let prefix = "model.layers.\(layer).mlp.experts.\(expert)."
      result.append((prefix + "gate_proj.weight", [mixture.expertSize, hiddenSize]))
      result.append((prefix + "up_proj.weight", [mixture.expertSize, hiddenSize]))
      result.append((prefix + "down_proj.weight", [hiddenSize, mixture.expertSize]))
    }
    let shared = mixture.expertSize * mixture.sharedExpertCount
    guard shared > 0 else { return }
    add(.sharedGate, [shared, hiddenSize])
    add(.sharedUp, [shared, hiddenSize])
    add(.sharedDown, [hiddenSize, shared])
  }
}
