public import SwiftletCheckpoints
public import SwiftletTensors

/// A decoder-only language model: embedding, layers of attention and feed-forward, norm, head.
///
/// Weights are immutable after loading. A pass is run by one thread at a time, the engine's, which owns `Compute` and the caches.
public struct Decoder: Sendable {
  public let configuration: ModelConfiguration
  /// The type keys and values are cached in: F32 for models of F32 weights, else BF16; weights in memory say it.
  public let cacheType: ElementType
  /// How latent attention is computed; weights in memory (`MemoryWeights`) have a form of their own.
  public var attentionForm: AttentionForm = .absorbed
  private let embedding: Tensor
  private let layers: [DecoderLayer]
  private let finalNorm: Tensor
  private let head: Tensor
  private let frequencies: RotaryFrequencies
  private let source: WeightSource
  private let prediction: MultiTokenPrediction?
  /// The file that holds the packed weights; nil when they are in memory.
  private let packedFile: PackedFile?

  /// Finds every weight, checks its shape, and packs it in memory; see `cached`.
  /// - Parameters:
  ///   - expertMemory: bytes of routed experts that may be in memory at once, at least one expert's, the others being read from disk
  ///     when they are chosen; nil to hold all of them. The results are the same.
  ///   - packsWeights: false for a model that is only looked at; computing with it is slow, with the same results.
  /// - Throws: `CheckpointError` naming the tensor, what was found and what was expected.
  public init(
    _ configuration: ModelConfiguration, weights source: WeightSource, expertMemory: Int? = nil, packsWeights: Bool = true
  ) throws(CheckpointError) {
    try self.init(configuration, weights: source, expertMemory: expertMemory, packing: packsWeights ? .memory : .none)
  }

  init(
    _ configuration: ModelConfiguration, weights source: WeightSource, expertMemory: Int?, packing: WeightPacking
  ) throws(CheckpointError) {
    self.configuration = configuration
    self.source = source
    var loader = WeightLoader(source: source, requiredBiases: configuration.requiredBiases)
    loader.expertCache = expertMemory.map { ExpertCache(byteLimit: $0) }
    loader.packing = packing
    packedFile = if case .reading(let reading) = packing { reading.file } else { nil }
    let hidden = configuration.hiddenSize
    embedding = try loader.required(.embedding, [configuration.vocabularySize, hidden])
    finalNorm = try loader.floats(.finalNorm, [hidden])
    let headName = loader.name(configuration.tiesEmbeddings ? .embedding : .head)
    head = loader.packed(try loader.required(headName, [configuration.vocabularySize, hidden]), headName)
    frequencies = RotaryFrequencies(configuration.rotary)
    var layers: [DecoderLayer] = []
    for index in 0..<configuration.layerCount {
      loader.layer = index
      layers.append(try DecoderLayer(configuration, index: index, loader: loader))
    }
    self.layers = layers
    loader.layer = configuration.layerCount
    prediction = try MultiTokenPrediction(configuration, embedding: embedding, head: head, loader: loader)
    cacheType =
      if case .memory(let weights) = source { weights.cacheType } else { embedding.type == .float32 ? .float32 : .bfloat16 }
    // Some weights were copied.
    try source.check()
  }

  /// Whether the weights are still those that were loaded. To be called after a pass, before its result is used.
  /// - Throws: `CheckpointError` naming the file that was cut or written to.
  public func checkWeights() throws(CheckpointError) {
    try source.check()
    try packedFile?.file.check()
  }

  /// Whether a position's values depend on its `PositionRole`.
  public func distinguishesRoles(_ kernels: Kernels) -> Bool {
    source.tensors.contains { kernels.distinguishesRoles($0.tensor) }
  }

  /// Whether the checkpoint has a layer that predicts the token after the next; see `predict`.
  public var predictsFurtherTokens: Bool { prediction != nil }

  /// An empty cache for one sequence.
  /// - Parameter capacity: the most positions it may hold.
  public func makeCache(capacity: Int) -> KeyValueCache {
    KeyValueCache(layout: cacheLayout, capacity: capacity)
  }

  /// Bytes that the cache of a sequence of so many positions takes.
  public func cacheBytes(positions: Int) -> Int { cacheLayout.bytes(positions: positions) }

  private var cacheLayout: KeyValueCache.Layout {
    KeyValueCache.Layout(
      configuration, layerCount: layers.count + (prediction == nil ? 0 : 1), type: cacheType, isExpanded: source.isMemory)
  }

  /// Bytes a cached position takes.
  public var cacheBytesPerPosition: Int {
    cacheLayout.blockBytes / KeyValueBlocks.blockLength
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
    forward(inputs, keepingHidden: false, role: role, compute: compute).logits
  }

  /// The same, and the hidden states of all tokens when they are to be kept: `[tokens, hidden]`, after the last norm, in the inputs'
  /// order, valid until the next pass.
  public func forward(
    _ inputs: [Input], keepingHidden: Bool, role: PositionRole, compute: Compute
  ) -> (logits: Tensor, hidden: Tensor) {
    compute.beginPass()
    var sequences: [ForwardPass.Sequence] = []
    var tokens: [Int] = [], outputs: [Int] = []
    for input in inputs {
      let rows = tokens.count..<tokens.count + input.tokens.count
      input.cache.reserve(input.tokens.count)
      sequences.append(.init(rows: rows, cache: input.cache, startPosition: input.cache.count))
      tokens += input.tokens
      switch input.output {
      case .none: break
      case .last: outputs.append(rows.upperBound - 1)
      case .all: outputs += rows
      }
    }
    let pass = makePass(sequences, role: role, compute: compute)
    let x = compute.embedding(embedding, tokens)
    for layer in layers { compute.releasing { layer(on: x, pass) } }
    for input in inputs { input.cache.advance(input.tokens.count) }
    let kept = keepingHidden ? x : compute.gather(x, outputs)
    let normed = compute.rmsNorm(kept, finalNorm, epsilon: configuration.normEpsilon)
    return (compute.linear(keepingHidden ? compute.gather(normed, outputs) : normed, head, role: role), normed)
  }

  private func makePass(_ sequences: [ForwardPass.Sequence], role: PositionRole, compute: Compute) -> ForwardPass {
    let positions = sequences.flatMap { $0.startPosition..<$0.startPosition + $0.rows.count }
    return ForwardPass(
      compute: compute, role: role, sequences: sequences, angles: frequencies.angles(positions: positions, compute: compute),
      attentionForm: attentionForm)
  }

  /// Positions from which to predict further tokens, all of one sequence and in order.
  public struct PredictionInput {
    /// Rows of the pass's hidden states.
    public var rows: Range<Int>
    /// The token behind each of these positions.
    public var nextTokens: [Int]
    public var cache: KeyValueCache
    /// The first of the positions; the cache holds the decoder's part of all of them.
    public var startPosition: Int

    public init(rows: Range<Int>, nextTokens: [Int], cache: KeyValueCache, startPosition: Int) {
      self.rows = rows
      self.nextTokens = nextTokens
      self.cache = cache
      self.startPosition = startPosition
    }
  }

  /// Predicts, by the checkpoint's layer for it, the token behind each input's last next token.
  ///
  /// The layer attends to the positions it was given before: where some of them are missing, as in caches that another request
  /// computed without it, it predicts less well.
  /// - Parameter hidden: what the pass kept that computed these positions.
  /// - Returns: logits `[inputs, vocabulary]`, valid until the next pass; nil when the checkpoint has no such layer.
  public func predict(
    _ inputs: [PredictionInput], hidden: Tensor, role: PositionRole, compute: Compute
  ) -> Tensor? {
    guard let prediction, !inputs.isEmpty else { return nil }
    var sequences: [ForwardPass.Sequence] = []
    var outputs: [Int] = [], count = 0
    for input in inputs {
      sequences.append(
        .init(rows: count..<count + input.rows.count, cache: input.cache, startPosition: input.startPosition))
      count += input.rows.count
      outputs.append(count - 1)
    }
    return prediction(
      compute.gather(hidden, inputs.flatMap(\.rows)), nextTokens: inputs.flatMap(\.nextTokens), outputs: outputs,
      pass: makePass(sequences, role: role, compute: compute))
  }
}
