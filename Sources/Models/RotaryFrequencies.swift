internal import Foundation
public import SwiftletTensors

/// The rotation speeds of a model's heads.
public struct RotaryFrequencies: Sendable {
  /// Radians a position, one for each pair.
  let frequencies: [Float]
  /// What cosines and sines are multiplied with (YaRN).
  let magnitude: Float

  public init(_ rotary: ModelConfiguration.Rotary) {
    let half = rotary.dimension / 2
    let plain = (0..<half).map { pow(rotary.theta, -Double(2 * $0) / Double(rotary.dimension)) }
    var magnitude = 1.0
    var scaled = plain
    switch rotary.scaling {
    case .none: break
    case .linear(let factor): scaled = plain.map { $0 / factor }
    case .factors(let factors):
      for index in scaled.indices where index < factors.count { scaled[index] /= Double(factors[index]) }
    case .llama3(let factor, let low, let high, let original):
      scaled = plain.map { frequency in
        let wavelength = 2 * Double.pi / frequency
        if wavelength < Double(original) / high { return frequency }
        if wavelength > Double(original) / low { return frequency / factor }
        let smooth = (Double(original) / wavelength - low) / (high - low)
        return (1 - smooth) * frequency / factor + smooth * frequency
      }
    case .yarn(let factor, let original, let betaFast, let betaSlow, let attentionFactor, let truncates):
      // The pair that turns `rotations` times within the original context.
      func pair(_ rotations: Double) -> Double {
        Double(rotary.dimension) * log(Double(original) / (rotations * 2 * .pi)) / (2 * log(rotary.theta))
      }
      let first = pair(betaFast), last = pair(betaSlow)
      let low = max(truncates ? first.rounded(.down) : first, 0)
      var high = min(truncates ? last.rounded(.up) : last, Double(rotary.dimension - 1))
      if low == high { high += 0.001 }
      for index in scaled.indices {
        let ramp = min(1, max(0, (Double(index) - low) / (high - low)))
        scaled[index] = plain[index] / factor * ramp + plain[index] * (1 - ramp)
      }
      magnitude = attentionFactor
    }
    frequencies = scaled.map { Float($0) }
    self.magnitude = Float(magnitude)
  }

  /// Cosines and sines of each position, `[positions, dimension / 2]`.
  public func angles(positions: [Int], compute: Compute) -> RotaryAngles {
    let half = frequencies.count
    let cosines = compute.make(Shape(positions.count, half)), sines = compute.make(Shape(positions.count, half))
    for (row, position) in positions.enumerated() {
      for (index, frequency) in frequencies.enumerated() {
        // The angle in F32, as the reference implementations have it.
        let angle = Double(Float(position) * frequency)
        cosines.floats[row * half + index] = Float(cos(angle)) * magnitude
        sines.floats[row * half + index] = Float(sin(angle)) * magnitude
      }
    }
    return RotaryAngles(cosines: cosines, sines: sines)
  }
}
