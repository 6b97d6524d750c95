/// The escapes of a string literal, which are Python's.
enum StringEscapes {
  /// - Parameter body: what stands between the quotes.
  static func decoded(_ body: [Unicode.Scalar], line: Int) throws(TemplateError) -> String {
    var text = String.UnicodeScalarView()
    var place = 0
    while place < body.count {
      let scalar = body[place]
      place += 1
      guard scalar == "\\", place < body.count else {
        text.append(scalar)
        continue
      }
      let escape = body[place]
      place += 1
      switch escape {
      case "\n": break
      case "\\", "'", "\"": text.append(escape)
      case "a": text.append("\u{7}")
      case "b": text.append("\u{8}")
      case "f": text.append("\u{C}")
      case "n": text.append("\n")
      case "r": text.append("\r")
      case "t": text.append("\t")
      case "v": text.append("\u{B}")
      case "x", "u", "U":
        let width = escape == "x" ? 2 : escape == "u" ? 4 : 8
        guard let value = number(body, &place, radix: 16, width...width) else {
          throw .syntax(line: line, reason: "'\\\(escape)' needs \(width) hexadecimal digits")
        }
        try append(value, to: &text, line)
      case "0"..."7":
        place -= 1
        try append(number(body, &place, radix: 8, 1...3) ?? 0, to: &text, line)
      case "N": throw .unsupported(line: line, construct: "the escape '\\N'")
      default:
        guard escape.isASCII else { throw .unsupported(line: line, construct: "the escape '\\\(escape)'") }
        text.append("\\")
        text.append(escape)
      }
    }
    return String(text)
  }

  private static func number(
    _ body: [Unicode.Scalar], _ place: inout Int, radix: Int, _ width: ClosedRange<Int>
  ) -> UInt32? {
    var value: UInt32 = 0
    var count = 0
    while count < width.upperBound, place < body.count, body[place].isASCII,
      let digit = Character(body[place]).hexDigitValue, digit < radix
    {
      value = value << (radix == 16 ? 4 : 3) | UInt32(digit)
      place += 1
      count += 1
    }
    return width.contains(count) ? value : nil
  }

  private static func append(_ value: UInt32, to text: inout String.UnicodeScalarView, _ line: Int) throws(TemplateError) {
    guard let scalar = Unicode.Scalar(value) else {
      throw .unsupported(line: line, construct: "the code point \(String(value, radix: 16)) in a string")
    }
    text.append(scalar)
  }
}
