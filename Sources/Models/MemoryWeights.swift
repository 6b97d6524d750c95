public import SwiftletTensors

/// Weights that another part of the program holds, under their names in safetensors: those of a model that is being trained.
///
/// A decoder of them has the bits of training's way forward: it caches keys and values of latent attention for every head, not the
/// latent vector, and all of the cache in F32.
public struct MemoryWeights: Sendable {
  /// What an adapter (LoRA) adds to a weight's product: `scale · up · down · x`.
  public struct Adapter: Sendable {
    /// `[rank, in]`
    var down: Tensor
    /// `[out, rank]`
    var up: Tensor
    var scale: Float

    public init(down: Tensor, up: Tensor, scale: Float) {
      self.down = down
      self.up = up
      self.scale = scale
    }
  }

  public let tensors: [(name: String, tensor: Tensor)]
  /// By the names of the weights that they belong to.
  let adapters: [String: Adapter]
  private let index: [String: Int]

  /// - Parameters:
  ///   - tensors: matrices may be strips alone (`Compute.strips`), but for the embedding.
  ///   - adapters: by the names of their weights.
  public init(_ tensors: [(name: String, tensor: Tensor)], adapters: [String: Adapter] = [:]) {
    self.tensors = tensors
    self.adapters = adapters
    index = Dictionary(tensors.enumerated().map { ($1.name, $0) }) { first, _ in first }
  }

  func tensor(named name: String) -> Tensor? { index[name].map { tensors[$0].tensor } }
}
