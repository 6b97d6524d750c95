/// Random numbers for problems: the same from the same seed on every machine and with every version of Swift, which the standard
/// library's `random(in:using:)` does not promise. SplitMix64 (Steele, Lea, Flood 2014).
public struct TaskRandom: Sendable {
  private var state: UInt64

  /// Independent for every combination of a name and numbers.
  public init(_ name: String, _ numbers: UInt64...) {
    state = StableHash.of(name)
    for number in numbers {
      state = StableHash.mix(state &+ 0x9E37_79B9_7F4A_7C15) ^ StableHash.mix(number &+ 0x6A09_E667_F3BC_C909)
    }
  }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return StableHash.mix(state)
  }

  /// Every number of the range is equally likely.
  public mutating func integer(_ range: ClosedRange<Int>) -> Int {
    let count = UInt64(bitPattern: Int64(range.upperBound &- range.lowerBound)) &+ 1
    if count == 0 { return Int(truncatingIfNeeded: next()) }
    // What is above the last whole multiple would favour small numbers.
    let bound = UInt64.max - UInt64.max % count
    var value = next()
    while value >= bound { value = next() }
    return range.lowerBound &+ Int(truncatingIfNeeded: value % count)
  }

  /// A number of exactly so many digits, at least 1 and at most 18.
  public mutating func integer(digits: Int) -> Int {
    let digits = min(max(digits, 1), 18)
    var low = 1
    for _ in 1..<digits { low *= 10 }
    return integer(low...(low * 10 - 1))
  }

  /// - Precondition: there are elements.
  public mutating func element<Element>(_ elements: [Element]) -> Element { elements[integer(0...(elements.count - 1))] }

  /// True in so many of a hundred cases.
  public mutating func chance(percent: Int) -> Bool { integer(1...100) <= percent }

  /// Fisher and Yates's order.
  public mutating func shuffled<Element>(_ elements: [Element]) -> [Element] {
    var result = elements
    for index in stride(from: result.count - 1, to: 0, by: -1) { result.swapAt(index, integer(0...index)) }
    return result
  }
}

/// A hash that is the same everywhere and at all times, unlike `Hasher`'s.
enum StableHash {
  /// FNV-1a of 64 bits over the UTF-8, mixed so that its low bits are as good as the others.
  static func of(_ text: String) -> UInt64 {
    mix(text.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 })
  }

  /// SplitMix64's finaliser.
  static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
