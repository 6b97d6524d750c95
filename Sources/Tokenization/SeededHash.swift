/// Spreads the keys of hash tables with numbers drawn anew for every table, so that no file can choose keys that fall on one
/// another.
struct SeededHash: Sendable {
  private let offset = UInt64.random(in: .min ... .max)
  private let factor = UInt64.random(in: .min ... .max) | 1

  @inline(__always)
  func callAsFunction(_ key: UInt64) -> UInt64 {
    Self.fold(Self.fold(key ^ offset, factor), 0x9E37_79B9_7F4A_7C15)
  }

  func callAsFunction(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
    var hash = offset ^ UInt64(bytes.count)
    var position = 0
    while position + 8 <= bytes.count {
      let word = UnsafeRawBufferPointer(bytes).loadUnaligned(fromByteOffset: position, as: UInt64.self)
      hash = Self.fold(hash ^ word, factor)
      position += 8
    }
    var rest: UInt64 = 0
    while position < bytes.count {
      rest = rest << 8 | UInt64(bytes[position])
      position += 1
    }
    return Self.fold(Self.fold(hash ^ rest, factor), 0x9E37_79B9_7F4A_7C15)
  }

  /// Both halves of the product: every bit of the key reaches every bit.
  @inline(__always)
  private static func fold(_ value: UInt64, _ factor: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: factor)
    return product.high ^ product.low
  }
}
