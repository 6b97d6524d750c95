/// Turns ids into text as they come. A scalar whose bytes are spread over tokens appears once it is complete; all that
/// comes out, put together, equals `Tokenizer.decode` of all ids.
public struct StreamingDecoder: Sendable {
  private let tokenizer: Tokenizer
  private let skipsSpecialTokens: Bool
  /// The beginning of a scalar, at most three bytes.
  private var pending: [UInt8] = []

  public init(_ tokenizer: Tokenizer, skippingSpecialTokens: Bool = false) {
    self.tokenizer = tokenizer
    skipsSpecialTokens = skippingSpecialTokens
  }

  /// The text that is certain after one more token; often empty.
  public mutating func append(_ id: Int32) -> String {
    if skipsSpecialTokens, tokenizer.isSpecial(id) { return "" }
    pending.append(contentsOf: tokenizer.bytes(of: id))
    let complete = pending.count - Self.incompleteSuffix(pending)
    guard complete > 0 else { return "" }
    defer { pending.removeFirst(complete) }
    return String(decoding: pending[..<complete], as: UTF8.self)
  }

  /// The end: bytes that still wait become U+FFFD.
  public mutating func finish() -> String {
    defer { pending.removeAll() }
    return String(decoding: pending, as: UTF8.self)
  }

  /// How many bytes at the end could still become a scalar.
  private static func incompleteSuffix(_ bytes: [UInt8]) -> Int {
    for length in 1...3 where length <= bytes.count {
      let lead = bytes[bytes.count - length]
      if lead & 0xC0 == 0x80 { continue }
      let scalarLength =
        switch lead {
        case 0xC2...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF4: 4
        default: 1
        }
      guard length < scalarLength else { return 0 }
      guard length >= 2 else { return length }
      // Some leads allow only part of the continuation bytes: no overlong forms, surrogates or values past U+10FFFF.
      let allowed: ClosedRange<UInt8> =
        switch lead {
        case 0xE0: 0xA0...0xBF
        case 0xED: 0x80...0x9F
        case 0xF0: 0x90...0xBF
        case 0xF4: 0x80...0x8F
        default: 0x80...0xBF
        }
      return allowed.contains(bytes[bytes.count - length + 1]) ? length : 0
    }
    return 0
  }
}
