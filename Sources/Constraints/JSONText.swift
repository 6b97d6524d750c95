internal import SwiftletJSON

/// How JSON values are written, as regular languages.
enum JSONText {
  /// White space where a line may begin: nothing, a space, or a new line with at most this much indentation.
  private static let maximumIndentation = 16
  static let lineBreak = ByteExpression.choice([
    .empty, .text(" "), .sequence([.text("\n"), .repetition(.text(" "), minimum: 0, maximum: maximumIndentation)]),
  ])
  static let optionalSpace = ByteExpression.optional(.text(" "))

  /// One character of a string: itself, or any escape but those of surrogates.
  static let character: ByteExpression = {
    let hex = ByteExpression.oneOf("0123456789abcdefABCDEF")
    let notD = ByteExpression.oneOf("0123456789abcefABCEF")
    let scalar = ByteExpression.choice([
      .sequence([notD, hex, hex, hex]), .sequence([.oneOf("dD"), .oneOf("01234567"), hex, hex]),
    ])
    return .choice([
      .utf8(0x20...0x21), .utf8(0x23...0x5B), .utf8(0x5D...0x10FFFF),
      .sequence([.text("\\"), .choice([.oneOf("\"\\/bfnrt"), .sequence([.text("u"), scalar])])]),
    ])
  }()

  /// Any string.
  static let string = quoted(.repetition(character, minimum: 0, maximum: nil))

  static func quoted(_ body: ByteExpression) -> ByteExpression { .sequence([.text("\""), body, .text("\"")]) }

  /// Scalars in a string in the one way that `literal` writes them, so that equal strings have equal bytes.
  static func canonical(_ ranges: [ClosedRange<UInt32>]) -> ByteExpression {
    var parts: [ByteExpression] = []
    for range in ranges {
      for plain: ClosedRange<UInt32> in [0x20...0x21, 0x23...0x5B, 0x5D...0x10FFFF] where plain.overlaps(range) {
        parts.append(.utf8(plain.clamped(to: range)))
      }
      for code in Array(UInt32(0)..<0x20) + [0x22, 0x5C] where range.contains(code) {
        if let scalar = Unicode.Scalar(code) { parts.append(.text(escaped(scalar))) }
      }
    }
    return .choice(parts)
  }

  static let canonicalCharacter = canonical([0...0x10FFFF])
  /// Any string, written in the one way.
  static let canonicalString = quoted(.repetition(canonicalCharacter, minimum: 0, maximum: nil))

  private static func escaped(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "\"": return "\\\""
    case "\\": return "\\\\"
    case "\u{8}": return "\\b"
    case "\u{C}": return "\\f"
    case "\n": return "\\n"
    case "\r": return "\\r"
    case "\t": return "\\t"
    case "\u{0}"..<"\u{20}":
      let hex = String(scalar.value, radix: 16)
      return "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
    default: return String(Character(scalar))
    }
  }

  static func literal(_ string: String) -> String {
    var text = "\""
    for scalar in string.unicodeScalars { text += escaped(scalar) }
    return text + "\""
  }

  /// A value in its shortest form.
  static func literal(_ value: JSONValue) -> String {
    switch value {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .integer(let value): String(value)
    case .number(let value): number(value)
    case .string(let value): literal(value)
    case .array(let values): "[" + values.map { literal($0) }.joined(separator: ",") + "]"
    case .object(let members):
      "{" + members.map { literal($0.key) + ":" + literal($0.value) }.joined(separator: ",") + "}"
    }
  }

  private static func number(_ value: Double) -> String {
    if let integer = Int(exactly: value), abs(integer) < 1 << 53 { return String(integer) }
    return value.description
  }
}
