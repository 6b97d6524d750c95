public import SwiftletModels

/// Floating-point operations that one token takes in the forward direction; a product of a matrix with a row is two for each weight.
/// Norms, softmax, rotation and the choice of experts are left out: they are less than a hundredth.
public struct TokenFLOPs: Sendable, Equatable {
  /// Products with attention's matrices.
  public var attentionProjections: Double
  /// Queries with keys, and probabilities with values, for each position that the token sees.
  public var attentionPerPosition: Double
  public var denseFeedForward: Double
  public var router: Double
  public var sharedExperts: Double
  public var routedExperts: Double
  public var head: Double
  /// Layers that predict further tokens, with the head again for each; part of no sum but `predictionForward`.
  public var prediction: Double
  public var predictionPerPosition: Double

  /// - Parameter absorbed: latent attention as it is computed for generated tokens, in the space of the latent vector
  ///   (DeepSeek-V2 report, section 2.1.2): fewer bytes, more operations.
  public init(_ configuration: ModelConfiguration, absorbed: Bool = false) {
    let parts = configuration.parameterParts, extra = configuration.predictionParts
    let table = Double(configuration.vocabularySize) * Double(configuration.hiddenSize)
    let heads = Double(configuration.headCount)
    let perPosition: Double
    switch configuration.attention {
    case .groupedQuery(_, let dimension): perPosition = 2 * heads * Double(2 * dimension)
    case .latent(let latent):
      let key = absorbed ? latent.keyValueRank : latent.plainDimension
      let value = absorbed ? latent.keyValueRank : latent.valueDimension
      perPosition = 2 * heads * Double(key + latent.rotaryDimension + value)
    }
    attentionProjections = 2 * Double(parts.attention)
    attentionPerPosition = perPosition * Double(configuration.layerCount)
    denseFeedForward = 2 * Double(parts.denseFeedForward)
    router = 2 * Double(parts.router)
    sharedExperts = 2 * Double(parts.sharedExperts)
    routedExperts = 2 * Double(parts.chosenExperts)
    head = 2 * table
    prediction =
      2 * Double(extra.total - extra.norms - extra.routedExperts + extra.chosenExperts)
      + 2 * Double(configuration.predictionLayerCount) * table
    predictionPerPosition = perPosition * Double(configuration.predictionLayerCount)
  }

  /// All products, without attention over positions.
  public var products: Double { attentionProjections + denseFeedForward + router + sharedExperts + routedExperts + head }

  /// - Parameter positions: how many the token sees, itself among them; a mean may be broken.
  public func forward(positions: Double) -> Double { products + attentionPerPosition * positions }

  /// Forward and backward: the gradients of inputs and of weights take as much again each (Kaplan et al. 2020, section 2.1).
  /// A token of a sequence sees half of it on average, as causal attention computes it.
  public func training(sequenceLength: Double) -> Double { 3 * forward(positions: Self.meanPositions(sequenceLength)) }

  /// The same of layers that predict further tokens.
  public func predictionTraining(sequenceLength: Double) -> Double {
    3 * (prediction + predictionPerPosition * Self.meanPositions(sequenceLength))
  }

  /// Positions that a token of a sequence sees on average.
  public static func meanPositions(_ sequenceLength: Double) -> Double { (sequenceLength + 1) / 2 }
}
