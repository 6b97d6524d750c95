internal import SwiftletCheckpoints
internal import SwiftletTensors

/// Predicts the token after the next from a position's hidden state and the next token: one more decoder layer, with the decoder's
/// embedding and head unless the file has copies of its own. Source: DeepSeek-V3 report, section 2.2, depth 1.
struct MultiTokenPrediction: Sendable {
  private let embedding: Tensor
  private let embeddingNorm: Tensor
  private let hiddenNorm: Tensor
  /// `[hidden, 2 * hidden]`: of the embedding first, then of the hidden state.
  private let projection: Projection
  private let layer: DecoderLayer
  private let outputNorm: Tensor
  private let head: Tensor
  private let normEpsilon: Float

  /// - Parameter loader: of the first layer behind the decoder's.
  /// - Returns: nil when the checkpoint has no such layer; many copies leave it out, whatever their configuration says.
  init?(
    _ configuration: ModelConfiguration, embedding: Tensor, head: Tensor, loader: WeightLoader
  ) throws(CheckpointError) {
    let hidden = configuration.hiddenSize
    guard configuration.predictionLayerCount > 0,
      try loader.optional(loader.name(.predictionProjection), [hidden, 2 * hidden]) != nil
    else { return nil }
    projection = try loader.projection(.predictionProjection, out: hidden, in: 2 * hidden)
    embeddingNorm = try loader.floats(.predictionEmbeddingNorm, [hidden])
    hiddenNorm = try loader.floats(.predictionHiddenNorm, [hidden])
    outputNorm = try loader.floats(.predictionOutputNorm, [hidden])
    let shape = Shape(configuration.vocabularySize, hidden)
    self.embedding = try loader.optional(loader.name(.predictionEmbedding), shape) ?? embedding
    self.head =
      try loader.optional(loader.name(.predictionHead), shape).map { loader.packed($0, loader.name(.predictionHead)) } ?? head
    layer = try DecoderLayer(configuration, index: configuration.layerCount, loader: loader)
    normEpsilon = configuration.normEpsilon
  }

  /// - Parameters:
  ///   - hidden: `[rows, hidden]`, of each position, after the decoder's last norm.
  ///   - nextTokens: the token behind each of them.
  ///   - outputs: the rows whose logits are wanted.
  /// - Returns: `[outputs, vocabulary]`
  func callAsFunction(_ hidden: Tensor, nextTokens: [Int], outputs: [Int], pass: ForwardPass) -> Tensor {
    let compute = pass.compute, size = hidden.shape.columns
    let joined = compute.make(Shape(hidden.shape.rows, 2 * size))
    let parts = [
      compute.rmsNorm(compute.embedding(embedding, nextTokens), embeddingNorm, epsilon: normEpsilon),
      compute.rmsNorm(hidden, hiddenNorm, epsilon: normEpsilon),
    ]
    for (index, part) in parts.enumerated() {
      compute.copyHeads(part, headStride: size, offset: 0, count: size, to: joined, headStride: 2 * size, offset: index * size)
    }
    let x = compute.linear(joined, projection, role: pass.role)
    layer(on: x, pass)
    let last = compute.rmsNorm(compute.gather(x, outputs), outputNorm, epsilon: normEpsilon)
    return compute.linear(last, head, role: pass.role)
  }
}
