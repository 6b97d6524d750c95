/// Every number below a count once, in an order that looks random, without a list of them: a Feistel network of four rounds over the
/// next larger power of four, walked until it falls below the count (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).
struct IndexPermutation: Sendable {
  private let count: Int
  private let halfBits: UInt64
  private let keys: InlineArray<4, UInt64>

  init(count: Int, seed: UInt64, epoch: Int, stream: Int) {
    self.count = count
    var bits: UInt64 = 1
    while 1 << (2 * bits) < UInt64(count) { bits += 1 }
    halfBits = bits
    var random = SeededGenerator(seed, UInt64(bitPattern: Int64(epoch)), UInt64(bitPattern: Int64(stream)))
    keys = InlineArray { _ in random.next() }
  }

  /// The number at a place, both in 0..<count.
  subscript(place: Int) -> Int {
    precondition((0..<count).contains(place))
    var value = UInt64(place)
    repeat { value = round(value) } while value >= UInt64(count)
    return Int(value)
  }

  private func round(_ value: UInt64) -> UInt64 {
    let mask: UInt64 = (1 << halfBits) - 1
    var left = value >> halfBits, right = value & mask
    for index in keys.indices { (left, right) = (right, left ^ (SeededGenerator.mix(right ^ keys[index]) & mask)) }
    return left << halfBits | right
  }
}
