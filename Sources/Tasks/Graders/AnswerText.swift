/// Answers as plain text.
enum AnswerText {
  /// Decimal digits of all scripts as ASCII, other forms of minus, comma and full stop as the usual ones.
  static func plain(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\u{2212}", "\u{FF0D}", "\u{2013}": result.append("-")
      case "\u{FF0C}", "\u{3001}": result.append(",")
      case "\u{FF0E}", "\u{3002}": result.append(".")
      case "\u{FF0F}", "\u{2044}": result.append("/")
      case "\u{00D7}", "\u{22C5}", "\u{FF0A}": result.append("*")
      case "\u{00F7}": result.append("/")
      case "\u{FF08}": result.append("(")
      case "\u{FF09}": result.append(")")
      case "\u{00A0}", "\u{3000}", "\u{202F}", "\u{2009}": result.append(" ")
      default:
        if !scalar.isASCII, scalar.properties.numericType == .decimal, let value = scalar.properties.numericValue,
          let digit = Unicode.Scalar(UInt32(0x30 + value))
        {
          result.append(digit)
        } else {
          result.append(scalar)
        }
      }
    }
    return String(result)
  }

  /// Lower case, one space between words, without quotes, bold and code marks around it and without a full stop at its end.
  static func normalized(_ text: String) -> String {
    let words = plain(text).lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")
    var result = words[...]
    let marks: Set<Character> = ["\"", "'", "`", "*", "“", "”", "‘", "’", "$"]
    var changed = true
    while changed {
      changed = false
      while let last = result.last, last == "." || last == " " {
        result.removeLast()
        changed = true
      }
      while let first = result.first, let last = result.last, marks.contains(first), marks.contains(last),
        !result.dropFirst().isEmpty
      {
        result = result.dropFirst().dropLast()
        changed = true
      }
    }
    return String(result)
  }

  static func boolean(_ text: String) -> Bool? {
    switch normalized(text) {
    case "true", "yes", "1", "对", "是", "真", "正确": true
    case "false", "no", "0", "错", "否", "假", "错误", "不是": false
    default: nil
    }
  }

  /// A letter from A to J that stands alone at the beginning.
  static func choice(_ text: String) -> String? {
    var rest = plain(text).drop { $0.isWhitespace || "([*\"'`$".contains($0) }
    guard let letter = rest.popFirst(), let value = letter.asciiValue else { return nil }
    let upper = value & ~0x20
    guard (UInt8(ascii: "A")...UInt8(ascii: "J")).contains(upper) else { return nil }
    // "a prime" is no choice, "A. 5" and "A) a prime" are.
    if let next = rest.first, !".):]*\"'`$,".contains(next) {
      guard next.isWhitespace, rest.allSatisfy(\.isWhitespace) else { return nil }
    }
    return String(UnicodeScalar(upper))
  }

  /// Elements between commas, or between spaces where there are none, without brackets around them and quotes around each.
  static func list(_ text: String) -> [String]? {
    var inner = normalized(text)[...]
    for (open, close) in [("[", "]"), ("(", ")"), ("{", "}")]
    where inner.hasPrefix(open) && inner.hasSuffix(close) && inner.count > 1 {
      inner = inner.dropFirst().dropLast()
    }
    let parts =
      inner.contains("," as Character)
      ? inner.split(separator: ",", omittingEmptySubsequences: false) : inner.split(separator: " ")
    let elements = parts.map { normalized(String($0)) }.map { NumberText.canonicalPlain($0[...]) ?? $0 }
    return elements.isEmpty || elements.contains("") ? nil : elements
  }
}
