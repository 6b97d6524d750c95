public import SwiftletCheckpoints
public import SwiftletTensors

/// The memory that a model takes while it runs, from its configuration and the headers of its files alone. Bytes throughout.
public struct MemoryNeeds: Sendable, Equatable {
  /// Weights that every token reads, and the embedding.
  public var sharedWeights = 0
  /// Of each layer the routed experts together; 0 for layers that have none.
  public var experts: [Int]
  /// What the same weights take in memory as products read them: as strips where their type has them, else as they are stored. The
  /// embedding, of which rows are read as they are stored, counts beside the strips of a head that is the same tensor.
  public var sharedInMemory = 0
  public var expertsInMemory = 0
  /// Of that, what strips take.
  public var sharedStrips = 0
  public var expertStrips = 0
  /// Routed experts of a layer, and how many of them a token uses.
  public var expertCount = 0
  public var expertsPerToken = 0
  /// Weights that are held in another form than the file's beside it: norms, routers, transposed halves.
  public var copies = 0
  /// What attention remembers of a position.
  public var cachePerPosition: Int
  /// About what one layer's results take for each row of a pass, and the logits of a row.
  public var activationsPerRow: Int
  public var logitsPerRow: Int

  public init(_ configuration: ModelConfiguration, weights source: WeightSource) {
    // Of the layers behind the last one, which predict further tokens, the first is loaded.
    let layerCount = configuration.layerCount + min(1, configuration.predictionLayerCount)
    experts = Array(repeating: 0, count: layerCount)
    let embedding =
      switch source {
      case .gguf: WeightName.embedding.gguf
      case .safetensors, .memory: WeightName.embedding.huggingFace
      }
    for (name, tensor) in source.tensors {
      let layer = Self.layer(of: name)
      if let layer, layer >= layerCount { continue }
      if tensor.scales != nil {
        let blocks = BlockScales.counts(tensor.shape)
        copies += blocks.rows * blocks.columns * 4
      }
      if let layer, configuration.hasExperts(layer: layer), name.contains("_exps.") || name.contains(".mlp.experts.") {
        experts[layer] += tensor.byteCount
        expertsInMemory += tensor.stripByteCount ?? tensor.byteCount
        expertStrips += tensor.stripByteCount ?? 0
        continue
      }
      sharedWeights += tensor.byteCount
      let strips = (name == embedding && !configuration.tiesEmbeddings) ? 0 : tensor.stripByteCount ?? 0
      sharedStrips += strips
      sharedInMemory += name == embedding || strips == 0 ? tensor.byteCount + strips : strips
      if tensor.shape.array.count == 1 || name.hasSuffix("ffn_gate_inp.weight") || name.hasSuffix("mlp.gate.weight") {
        copies += tensor.type == .float32 ? 0 : tensor.shape.count * 4
      } else if case .latent(let latent) = configuration.attention,
        name.hasSuffix("attn_kv_b.weight") || name.hasSuffix("kv_b_proj.weight")
      {
        let width = latent.plainDimension + latent.valueDimension,
          value = tensor.type == .float32 || tensor.type == .float16 ? 4 : 2
        copies += tensor.shape.count / max(1, width) * latent.plainDimension * value
      }
    }
    expertCount = configuration.mixture?.expertCount ?? 0
    expertsPerToken = configuration.mixture?.expertsPerToken ?? 0
    let isFloat = source.tensor(named: embedding)?.type == .float32
    let layout = KeyValueCache.Layout(
      configuration, layerCount: layerCount, type: isFloat ? .float32 : .bfloat16)
    cachePerPosition = layout.blockBytes / KeyValueBlocks.blockLength
    activationsPerRow = Self.activationsPerRow(configuration) * 4
    logitsPerRow = configuration.vocabularySize * 4
  }

  /// Of all weights.
  public var weights: Int { sharedWeights + experts.reduce(0, +) }

  /// The largest expert.
  public var largestExpert: Int { expertCount == 0 ? 0 : (experts.max() ?? 0) / expertCount }

  /// What a token reads of experts.
  public var expertsOfOneToken: Int {
    expertCount == 0 ? 0 : experts.reduce(0) { $0 + $1 / expertCount * expertsPerToken }
  }

  /// The layer of `blk.7.…` or `model.layers.7.…`.
  private static func layer(of name: String) -> Int? {
    let prefix = name.hasPrefix("blk.") ? "blk." : "model.layers."
    guard name.hasPrefix(prefix) else { return nil }
    return Int(name.dropFirst(prefix.count).prefix { $0 != "." })
  }

  /// Values that the operations of the largest layer make of a row, with what products pack; they live until the layer ends.
  private static func activationsPerRow(_ configuration: ModelConfiguration) -> Int {
    let hidden = configuration.hiddenSize, heads = configuration.headCount
    /// A linear map makes its result and a packed copy of its input.
    func linear(_ inputs: Int, _ outputs: Int) -> Int { inputs + outputs }
    func feedForward(_ size: Int) -> Int { 2 * linear(hidden, size) + size + linear(size, hidden) }
    let attention: Int
    switch configuration.attention {
    case .groupedQuery(let keyHeads, let dimension):
      let width = heads * dimension
      attention = linear(hidden, width) + 2 * linear(hidden, keyHeads * dimension) + width + linear(width, hidden)
    case .latent(let latent):
      let queries = heads * (latent.plainDimension + latent.rotaryDimension), rank = latent.keyValueRank
      let width = rank + latent.rotaryDimension
      attention =
        (latent.queryRank.map { linear(hidden, $0) + $0 + linear($0, queries) } ?? linear(hidden, queries))
        + linear(hidden, width) + rank + linear(heads * latent.plainDimension, heads * width) + 2 * heads * rank
        + linear(heads * latent.valueDimension, hidden) + heads * latent.valueDimension
    }
    var largest = feedForward(configuration.feedForwardSize)
    if let mixture = configuration.mixture {
      let perChoice = 2 * hidden + feedForward(mixture.expertSize)
      largest = max(
        largest,
        mixture.expertsPerToken * perChoice + mixture.expertCount + hidden
          + (mixture.sharedExpertCount > 0 ? feedForward(mixture.expertSize * mixture.sharedExpertCount) : 0))
    }
    return 4 * hidden + attention + largest
  }
}
