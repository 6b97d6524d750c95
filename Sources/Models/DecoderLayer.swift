internal import SwiftletCheckpoints
internal import SwiftletTensors

/// Attention and feed-forward, each behind a norm and added to what came in.
struct DecoderLayer: Sendable {
  private let attentionNorm: Tensor
  private let attention: Attention
  private let feedForwardNorm: Tensor
  private let feedForward: FeedForward
  private let index: Int
  private let normEpsilon: Float

  private enum Attention {
    case groupedQuery(GroupedQueryAttention)
    case latent(LatentAttention)
  }

  private enum FeedForward {
    case dense(DenseFeedForward)
    case mixture(MixtureOfExperts)
  }

  /// - Parameters:
  ///   - index: the layer's number, in the files and in the cache.
  ///   - loader: of that layer.
  init(_ configuration: ModelConfiguration, index: Int, loader: WeightLoader) throws(CheckpointError) {
    let hidden = configuration.hiddenSize
    self.index = index
    normEpsilon = configuration.normEpsilon
    switch configuration.attention {
    case .groupedQuery(let keyValueHeads, let dimension):
      attention = .groupedQuery(
        try GroupedQueryAttention(configuration, keyValueHeadCount: keyValueHeads, headDimension: dimension, loader: loader))
    case .latent(let latent): attention = .latent(try LatentAttention(configuration, latent, loader: loader))
    }
    if let mixture = configuration.mixture, configuration.hasExperts(layer: index) {
      feedForward = .mixture(try MixtureOfExperts(mixture, hidden: hidden, loader: loader))
    } else {
      feedForward = .dense(try DenseFeedForward(hidden: hidden, size: configuration.feedForwardSize, loader: loader))
    }
    attentionNorm = try loader.floats(.attentionNorm, [hidden])
    feedForwardNorm = try loader.floats(.feedForwardNorm, [hidden])
  }

  /// Adds what the layer computes to the hidden states `[rows, hidden]`, in place.
  func callAsFunction(on x: Tensor, _ pass: ForwardPass) {
    let compute = pass.compute
    let normed = compute.rmsNorm(x, attentionNorm, epsilon: normEpsilon)
    switch attention {
    case .groupedQuery(let attention): compute.add(attention(normed, layer: index, pass: pass), into: x)
    case .latent(let attention): compute.add(attention(normed, layer: index, pass: pass), into: x)
    }
    let inner = compute.rmsNorm(x, feedForwardNorm, epsilon: normEpsilon)
    switch feedForward {
    case .dense(let feedForward): compute.add(feedForward(inner, pass: pass), into: x)
    case .mixture(let mixture): compute.add(mixture(inner, pass: pass), into: x)
    }
  }
}
