/// XXH64, a fast checksum that finds damage, not malice. Source: the xxHash specification, version 0.1.1.
public enum Checksum64 {
  private static let primes: (UInt64, UInt64, UInt64, UInt64, UInt64) = (
    0x9E37_79B1_85EB_CA87, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x85EB_CA77_C2B2_AE63, 0x27D4_EB2F_1656_67C5
  )

  public static func of(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
    var place = 0
    func word() -> UInt64 { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)) }
    var sum: UInt64
    if bytes.count >= 32 {
      var (a, b) = (seed &+ primes.0 &+ primes.1, seed &+ primes.1)
      var (c, d) = (seed, seed &- primes.0)
      while bytes.count - place >= 32 {
        a = round(a, word())
        place += 8
        b = round(b, word())
        place += 8
        c = round(c, word())
        place += 8
        d = round(d, word())
        place += 8
      }
      sum = rotated(a, 1) &+ rotated(b, 7) &+ rotated(c, 12) &+ rotated(d, 18)
      for lane in [a, b, c, d] { sum = (sum ^ round(0, lane)) &* primes.0 &+ primes.3 }
    } else {
      sum = seed &+ primes.4
    }
    sum &+= UInt64(bytes.count)
    while bytes.count - place >= 8 {
      sum = rotated(sum ^ round(0, word()), 27) &* primes.0 &+ primes.3
      place += 8
    }
    if bytes.count - place >= 4 {
      let value = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
      sum = rotated(sum ^ UInt64(value) &* primes.0, 23) &* primes.1 &+ primes.2
      place += 4
    }
    while place < bytes.count {
      sum = rotated(sum ^ UInt64(bytes[place]) &* primes.4, 11) &* primes.0
      place += 1
    }
    sum = (sum ^ sum >> 33) &* primes.1
    sum = (sum ^ sum >> 29) &* primes.2
    return sum ^ sum >> 32
  }

  public static func of(_ bytes: [UInt8], seed: UInt64 = 0) -> UInt64 { bytes.withUnsafeBytes { of($0, seed: seed) } }

  @inline(__always) private static func rotated(_ value: UInt64, _ count: UInt64) -> UInt64 {
    value << count | value >> (64 - count)
  }

  @inline(__always) private static func round(_ lane: UInt64, _ value: UInt64) -> UInt64 {
    rotated(lane &+ value &* primes.1, 31) &* primes.0
  }
}
