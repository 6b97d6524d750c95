/// What is done to a text before its tokens are looked for.
enum Normalizer: Sendable {
  case none
  /// Canonical composition.
  case composition

  /// The normalized text; nil when it is the text as it is.
  func normalized(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
    guard self == .composition, Self.mayChange(text) else { return nil }
    return CanonicalComposition.shared.normalized(text)
  }

  /// False only for texts of scalars that canonical composition never changes or combines: most texts, cheaply.
  private static func mayChange(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let bytes = text.baseAddress else { return false }
    var position = 0
    while position < text.count {
      if bytes[position] < 0x80 {
        position += 1
        continue
      }
      let (value, next) = decodeMultiByte(bytes, position)
      switch value {
      case ..<0x300, 0x0400...0x0482, 0x2010...0x205E, 0x3001...0x3029, 0x3041...0x3098, 0x309B...0x30FF, 0x3400...0x9FFF,
        0xAC00...0xD7A3, 0xFF01...0xFFEF, 0x1F000...0x1FAFF:
        position = next
      default: return true
      }
    }
    return false
  }
}
