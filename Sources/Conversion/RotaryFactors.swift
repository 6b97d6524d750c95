internal import Foundation
internal import SwiftletModels

extension GGUFPlan {
  /// Llama 3's scaling, one factor a pair of values.
  static func rotaryFactors(
    _ rotary: ModelConfiguration.Rotary, factor: Double, low: Double, high: Double, original: Int
  ) -> [Float] {
    (0..<rotary.dimension / 2).map { index in
      // The frequency in F32, the rest in double precision, as the converter's numbers come about.
      let frequency = 1 / powf(Float(rotary.theta), Float(2 * index) / Float(rotary.dimension))
      let wavelength = Float(2 * Double.pi) / frequency
      if Double(wavelength) < Double(original) / high { return 1 }
      if Double(wavelength) > Double(original) / low { return Float(factor) }
      let smooth = (Float(original) / wavelength - Float(low)) / Float(high - low)
      return 1 / ((1 - smooth) / Float(factor) + smooth)
    }
  }

  /// Llama 3's parameters that give these factors; nil when none of the usual ones do.
  static func llama3Scaling(
    of factors: [Float], _ rotary: ModelConfiguration.Rotary
  ) -> (factor: Double, low: Double, high: Double, original: Int)? {
    guard let factor = factors.max(), factor > 1 else { return nil }
    for original in (5...20).map({ 1 << $0 }) {
      let candidate = rotaryFactors(rotary, factor: Double(factor), low: 1, high: 4, original: original)
      let isSame = candidate.count == factors.count && zip(candidate, factors).allSatisfy { abs($0 - $1) <= 1e-5 * $1 }
      if isSame { return (Double(factor), 1, 4, original) }
    }
    return nil
  }
}
