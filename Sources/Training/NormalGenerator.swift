internal import Foundation

/// Normal numbers from a seed, the same on every machine with the same mathematics library.
struct NormalGenerator {
  private var state: UInt64
  private var second: Float?

  init(seed: UInt64) { state = seed }

  /// SplitMix64 (Steele, Lea & Flood 2014).
  private mutating func bits() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Box and Muller's way.
  mutating func next() -> Float {
    if let second {
      self.second = nil
      return second
    }
    let first = (Double(bits() >> 11) + 0.5) * 0x1p-53, angle = Double(bits() >> 11) * 0x1p-53 * 2 * .pi
    let radius = (-2 * log(first)).squareRoot()
    second = Float(radius * sin(angle))
    return Float(radius * cos(angle))
  }
}
