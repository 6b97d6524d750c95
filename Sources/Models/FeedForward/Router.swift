internal import SwiftletCheckpoints
public import SwiftletTensors

/// Chooses the experts of each position and their weights.
struct Router: Sendable {
  /// `[experts, hidden]`, F32: small errors here change which experts run.
  let weight: Tensor
  /// `[experts]`, added to the scores for the choice only; nil for softmax scores, which have none.
  let bias: Tensor?
  let rule: RoutingRule

  init(_ mixture: ModelConfiguration.Mixture, hidden: Int, loader: WeightLoader) throws(CheckpointError) {
    rule = RoutingRule(mixture)
    weight = loader.packed(try loader.floats(.router, [mixture.expertCount, hidden]), loader.name(.router))
    bias = mixture.scoring == .sigmoid ? try loader.floats(.routerBias, [mixture.expertCount]) : nil
  }

  /// - Returns: the choice, and its weights `[rows, expertsPerToken]`, experts in ascending order.
  func callAsFunction(_ x: Tensor, pass: ForwardPass) -> (Routing, weights: Tensor) {
    pass.compute.route(pass.compute.linear(x, weight, role: pass.role), rule, bias: bias)
  }
}

extension RoutingRule {
  public init(_ mixture: ModelConfiguration.Mixture) {
    self.init(
      scoring: mixture.scoring == .softmax ? .softmax : .sigmoid, expertCount: mixture.expertCount,
      expertsPerToken: mixture.expertsPerToken, groupCount: mixture.groupCount, chosenGroupCount: mixture.chosenGroupCount,
      normalizesWeights: mixture.normalizesWeights, weightScale: mixture.weightScale)
  }
}
