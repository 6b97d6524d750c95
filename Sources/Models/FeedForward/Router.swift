internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletTensors

/// Chooses the experts of each position and their weights.
struct Router: Sendable {
  /// `[experts, hidden]`, F32: small errors here change which experts run.
  let weight: Tensor
  /// Added to the scores for the choice only; empty for softmax scores, which have none.
  let bias: [Float]
  let mixture: ModelConfiguration.Mixture

  init(_ mixture: ModelConfiguration.Mixture, hidden: Int, loader: WeightLoader) throws(CheckpointError) {
    self.mixture = mixture
    weight = loader.packed(try loader.floats(.router, [mixture.expertCount, hidden]), loader.name(.router))
    bias = mixture.scoring == .sigmoid ? try loader.floats(.routerBias, [mixture.expertCount]).floatArray() : []
  }

  /// - Returns: for each row `expertsPerToken` experts in ascending order, flat, and their weights `[rows, expertsPerToken]`.
  func callAsFunction(_ x: Tensor, pass: ForwardPass) -> (experts: [Int], weights: Tensor) {
    let logits = pass.compute.linear(x, weight, role: pass.role)
    let weights = pass.compute.make(Shape(x.shape.rows, mixture.expertsPerToken))
    var experts: [Int] = []
    for row in 0..<x.shape.rows {
      let scores = UnsafeBufferPointer(start: logits.floats + row * mixture.expertCount, count: mixture.expertCount)
      let (chosen, chosenWeights) = choose(logits: scores)
      experts += chosen
      for (index, weight) in chosenWeights.enumerated() { weights.floats[row * mixture.expertsPerToken + index] = weight }
    }
    return (experts, weights)
  }

  /// The choice for one position.
  func choose(logits: some Collection<Float>) -> (experts: [Int], weights: [Float]) {
    let scores: [Float]
    switch mixture.scoring {
    case .softmax:
      let largest = logits.max() ?? 0
      let powers = logits.map { exp($0 - largest) }
      let sum = powers.reduce(0, +)
      scores = powers.map { $0 / sum }
    case .sigmoid:
      scores = logits.map { 1 / (1 + exp(-$0)) }
    }
    var choice = scores
    for index in bias.indices { choice[index] += bias[index] }
    if mixture.groupCount > 1 { maskGroups(&choice) }
    let experts = Self.largest(mixture.expertsPerToken, of: choice).sorted()
    var weights = experts.map { scores[$0] }
    if mixture.normalizesWeights {
      let sum = weights.reduce(0, +) + 1e-20
      weights = weights.map { $0 / sum }
    }
    return (experts, weights.map { $0 * mixture.weightScale })
  }

  /// Leaves only the experts of the best groups to choose from.
  private func maskGroups(_ choice: inout [Float]) {
    let size = mixture.expertCount / mixture.groupCount
    let groupScores = (0..<mixture.groupCount).map { group -> Float in
      let members = choice[group * size..<(group + 1) * size]
      switch mixture.scoring {
      case .softmax: return members.max() ?? 0
      case .sigmoid: return members.sorted(by: >).prefix(2).reduce(0, +)
      }
    }
    let kept = Set(Self.largest(mixture.chosenGroupCount, of: groupScores))
    for group in 0..<mixture.groupCount where !kept.contains(group) {
      for index in group * size..<(group + 1) * size { choice[index] = -.infinity }
    }
  }

  /// The indices of the `count` largest values, the lower index first among equals. NaN counts as the smallest.
  static func largest(_ count: Int, of values: [Float]) -> [Int] {
    var left = Array(values.indices)
    left.sort { first, second in
      let a = values[first].isNaN ? -.infinity : values[first], b = values[second].isNaN ? -.infinity : values[second]
      return a > b || (a == b && first < second)
    }
    return Array(left.prefix(count))
  }
}
