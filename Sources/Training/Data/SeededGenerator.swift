/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers from the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  /// Independent for every combination of numbers.
  init(_ numbers: UInt64...) {
    state = 0
    for number in numbers { state = Self.mix(state &+ 0x9E37_79B9_7F4A_7C15) ^ Self.mix(number &+ 0x6A09_E667_F3BC_C909) }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return Self.mix(state)
  }

  /// In 0..<1.
  mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
