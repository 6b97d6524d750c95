internal import SwiftletTensors

/// Balance without a loss (DeepSeek-V3 report, section 2.1.2; Wang et al. 2024): after every optimizer step the bias of an expert goes
/// up by `speed` when it had less than the mean load, and down when it had more.
public struct RouterBiasRule: Sendable, Equatable {
  /// Gamma; DeepSeek-V3's is 0.001, and 0 at the end of its pretraining.
  public var speed: Float

  public init(speed: Float = 0.001) { self.speed = speed }

  /// Changes the biases by the loads since `resetLoads`, those of all passes of a step, and resets them.
  public func apply(to model: TrainableModel) {
    for (layer, loads) in model.loads.enumerated() {
      guard let bias = model.routerBias(layer: layer), !loads.isEmpty else { continue }
      let mean = Double(loads.reduce(0, +)) / Double(loads.count)
      for (expert, load) in loads.enumerated() where Double(load) != mean {
        bias.value.floats[expert] += Double(load) < mean ? speed : -speed
      }
      bias.valueChanged()
    }
    model.resetLoads()
  }

  /// How far the most used expert is above the mean: largest load / mean load - 1, of each layer with experts (Wang et al. 2024).
  public static func maximalViolations(_ loads: [[Int]]) -> [(layer: Int, value: Double)] {
    loads.enumerated().compactMap { layer, loads in
      let total = loads.reduce(0, +)
      guard let largest = loads.max(), total > 0 else { return nil }
      return (layer, Double(largest) * Double(loads.count) / Double(total) - 1)
    }
  }
}
