extension JSONValue {
  /// The value as JSON text on one line, members in their order.
  /// - Parameters:
  ///   - separators: what stands between elements and after a key; Python's `json.dumps` writes `(", ", ": ")`.
  ///   - escapingNonASCII: writes scalars above U+007E as `\u` escapes.
  public func serialized(separators: (item: String, key: String) = (",", ":"), escapingNonASCII: Bool = false) -> String {
    var text = ""
    write(to: &text, separators, escapingNonASCII)
    return text
  }

  private func write(to text: inout String, _ separators: (item: String, key: String), _ escaping: Bool) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .number(let value): text += Self.text(of: value)
    case .string(let value): Self.quote(value, into: &text, escapingNonASCII: escaping)
    case .array(let elements):
      text += "["
      for (index, element) in elements.enumerated() {
        if index > 0 { text += separators.item }
        element.write(to: &text, separators, escaping)
      }
      text += "]"
    case .object(let members):
      text += "{"
      for (index, member) in members.enumerated() {
        if index > 0 { text += separators.item }
        Self.quote(member.key, into: &text, escapingNonASCII: escaping)
        text += separators.key
        member.value.write(to: &text, separators, escaping)
      }
      text += "}"
    }
  }

  /// JSON has no infinities and no NaN: they become null.
  private static func text(of value: Double) -> String { value.isFinite ? "\(value)" : "null" }

  /// Appends the string in quotes, with the escapes JSON asks for.
  public static func quote(_ string: String, into text: inout String, escapingNonASCII: Bool = false) {
    func escape(_ unit: UInt16) {
      let digits = String(unit, radix: 16)
      text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{8}": text += "\\b"
      case "\u{C}": text += "\\f"
      case _ where scalar.value < 0x20: escape(UInt16(scalar.value))
      case _ where escapingNonASCII && scalar.value > 0x7E: UTF16.encode(scalar)?.forEach { escape($0) }
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
