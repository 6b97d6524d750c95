public import SwiftletCheckpoints
public import SwiftletTensors

/// A decoder-only language model: embedding, layers of attention and feed-forward, norm, head.
///
/// Weights are immutable after loading. A pass is run by one thread at a time, the engine's, which owns `Compute` and the caches.
public struct Decoder: Sendable {
  public let configuration: ModelConfiguration
  /// The type keys and values are cached in: F32 for models of F32 weights, else BF16.
  public let cacheType: ElementType
  /// Whether any weight is quantised in blocks, so that a position's values depend on its `PositionRole`.
  public let distinguishesRoles: Bool
  /// How latent attention is computed.
  public var attentionForm: AttentionForm = .absorbed
  private let embedding: Tensor
  private let layers: [Layer]
  private let finalNorm: Tensor
  private let head: Tensor
  private let frequencies: RotaryFrequencies

  private struct Layer {
    let attentionNorm: Tensor
    let attention: AttentionKind
    let feedForwardNorm: Tensor
    let feedForward: FeedForwardKind

    enum AttentionKind {
      case groupedQuery(GroupedQueryAttention)
      case latent(LatentAttention)
    }

    enum FeedForwardKind {
      case dense(DenseFeedForward)
      case mixture(MixtureOfExperts)
    }
  }

  /// Finds every weight and checks its shape. Weights stay in the mapped file.
  /// - Parameter expertMemory: bytes of routed experts that may be in memory at once, at least one expert's, the others being read
  ///   from disk when they are chosen; nil to compute with them where they are mapped. The results are the same.
  /// - Throws: `CheckpointError` naming the tensor, what was found and what was expected.
  public init(
    _ configuration: ModelConfiguration, weights source: WeightSource, expertMemory: Int? = nil
  ) throws(CheckpointError) {
    self.configuration = configuration
    var loader = WeightLoader(source: source, requiredBiases: configuration.requiredBiases)
    loader.expertCache = expertMemory.map { ExpertCache(byteLimit: $0) }
    let hidden = configuration.hiddenSize
    embedding = try loader.required(.embedding, [configuration.vocabularySize, hidden])
    finalNorm = try loader.floats(.finalNorm, [hidden])
    head = configuration.tiesEmbeddings ? embedding : try loader.required(.head, [configuration.vocabularySize, hidden])
    frequencies = RotaryFrequencies(configuration.rotary)
    var layers: [Layer] = []
    for index in 0..<configuration.layerCount {
      loader.layer = index
      layers.append(try Self.layer(configuration, index, loader))
    }
    self.layers = layers
    distinguishesRoles = source.tensors.contains { $0.tensor.type.isQuantized }
    cacheType = embedding.type == .float32 ? .float32 : .bfloat16
  }

  private static func layer(_ configuration: ModelConfiguration, _ index: Int, _ loader: WeightLoader) throws(CheckpointError)
    -> Layer
  {
    let hidden = configuration.hiddenSize
    let attention: Layer.AttentionKind =
      switch configuration.attention {
      case .groupedQuery(let keyValueHeads, let dimension):
        .groupedQuery(
          try GroupedQueryAttention(configuration, keyValueHeadCount: keyValueHeads, headDimension: dimension, loader: loader))
      case .latent(let latent): .latent(try LatentAttention(configuration, latent, loader: loader))
      }
    let feedForward: Layer.FeedForwardKind =
      if let mixture = configuration.mixture, configuration.hasExperts(layer: index) {
        .mixture(try MixtureOfExperts(mixture, hidden: hidden, loader: loader))
      } else {
        .dense(try DenseFeedForward(hidden: hidden, size: configuration.feedForwardSize, loader: loader))
      }
    return Layer(
      attentionNorm: try loader.floats(.attentionNorm, [hidden]), attention: attention,
      feedForwardNorm: try loader.floats(.feedForwardNorm, [hidden]), feedForward: feedForward)
  }

  /// An empty cache for one sequence.
  /// - Parameter capacity: the most positions it may hold.
  public func makeCache(capacity: Int) -> KeyValueCache {
    KeyValueCache(layout: KeyValueCache.Layout(configuration, type: cacheType), capacity: capacity)
  }

  /// Bytes a cached position takes.
  public var cacheBytesPerPosition: Int {
    KeyValueCache.Layout(configuration, type: cacheType).blockBytes / KeyValueBlocks.blockLength
  }

  /// Tokens to add to one sequence in a pass.
  public struct Input {
    public enum Output: Sendable {
      case none
      case last
      case all
    }

    public var tokens: [Int]
    public var cache: KeyValueCache
    /// Which of the tokens' logits are wanted.
    public var output: Output

    public init(tokens: [Int], cache: KeyValueCache, output: Output) {
      self.tokens = tokens
      self.cache = cache
      self.output = output
    }
  }

  /// Computes the inputs' positions, adds them to their caches, and returns the logits asked for, in the inputs' order.
  /// - Parameters:
  ///   - inputs: token ids below the vocabulary size, caches with room for them, no cache twice.
  ///   - role: whether the tokens are a prompt's or generated; see `PositionRole`.
  /// - Returns: `[outputs, vocabulary]`, valid until the next pass.
  public func forward(_ inputs: [Input], role: PositionRole, compute: Compute) -> Tensor {
    compute.beginPass()
    var sequences: [(rows: Range<Int>, cache: KeyValueCache)] = []
    var tokens: [Int] = [], positions: [Int] = [], outputs: [Int] = []
    for input in inputs {
      let rows = tokens.count..<tokens.count + input.tokens.count
      input.cache.reserve(input.tokens.count)
      sequences.append((rows, input.cache))
      positions += input.cache.count..<input.cache.count + input.tokens.count
      tokens += input.tokens
      switch input.output {
      case .none: break
      case .last: outputs.append(rows.upperBound - 1)
      case .all: outputs += rows
      }
    }
    let pass = ForwardPass(
      compute: compute, role: role, sequences: sequences, angles: frequencies.angles(positions: positions, compute: compute),
      attentionForm: attentionForm)
    let x = compute.embedding(embedding, tokens)
    for index in layers.indices { compute.releasing { run(layer: index, on: x, pass) } }
    for input in inputs { input.cache.advance(input.tokens.count) }
    let last = compute.rmsNorm(compute.gather(x, outputs), finalNorm, epsilon: configuration.normEpsilon)
    return compute.linear(last, head, role: role)
  }

  /// Adds what a layer computes to the hidden states `[rows, hidden]`, in place.
  private func run(layer index: Int, on x: Tensor, _ pass: ForwardPass) {
    let layer = layers[index], compute = pass.compute
    let normed = compute.rmsNorm(x, layer.attentionNorm, epsilon: configuration.normEpsilon)
    switch layer.attention {
    case .groupedQuery(let attention): compute.add(attention(normed, layer: index, pass: pass), into: x)
    case .latent(let attention): compute.add(attention(normed, layer: index, pass: pass), into: x)
    }
    let inner = compute.rmsNorm(x, layer.feedForwardNorm, epsilon: configuration.normEpsilon)
    switch layer.feedForward {
    case .dense(let feedForward): compute.add(feedForward(inner, pass: pass), into: x)
    case .mixture(let mixture): compute.add(mixture(inner, pass: pass), into: x)
    }
  }
}
