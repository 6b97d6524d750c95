/// GPT-2's alphabet: a printable scalar for every byte, in which vocabularies of byte-level BPE are written.
enum ByteAlphabet {
  /// The scalar's value by byte.
  static let scalars: [UInt32] = {
    var next: UInt32 = 0x100
    return (UInt32(0)..<256).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return byte
      default:
        next += 1
        return next - 1
      }
    }
  }()

  /// The byte by scalar value; -1 where the alphabet has no such scalar.
  private static let bytes: [Int16] = {
    var table = [Int16](repeating: -1, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { table[Int(scalar)] = Int16(byte) }
    return table
  }()

  /// The bytes that a token's text stands for; nil when it has scalars outside the alphabet.
  static func decode(_ text: String) -> [UInt8]? {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      guard scalar.value < 0x144, bytes[Int(scalar.value)] >= 0 else { return nil }
      decoded.append(UInt8(truncatingIfNeeded: bytes[Int(scalar.value)]))
    }
    return decoded
  }

  static func encode(_ bytes: some Sequence<UInt8>) -> String {
    var text = String.UnicodeScalarView()
    for byte in bytes { if let scalar = Unicode.Scalar(scalars[Int(byte)]) { text.append(scalar) } }
    return String(text)
  }
}
