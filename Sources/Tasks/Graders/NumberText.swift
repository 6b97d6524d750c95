/// Numbers as people write them, compared exactly.
enum NumberText {
  /// Longer ones, such as 1e999, are no answers.
  private static let mostDigits = 400
  /// Words behind a number that make it another one.
  private static let multiples = ["hundred", "thousand", "million", "billion", "dozen", "百", "千", "万", "亿"]
  /// Units whose name begins with a thousand: 5 千米 are five kilometres, as 5 km are.
  private static let kiloUnits = ["千米", "千克", "千瓦", "千焦", "千卡", "千赫", "千伏"]

  /// The number as a reduced fraction or a plain decimal; the same text for the same number. nil when the text is no single number.
  ///
  /// Read are signs, separators of thousands, decimals, exponents, fractions (`3/4`, `\frac{3}{4}`), `$…$`, a currency before it,
  /// and a per cent sign, a degree sign (`^\circ`) or one word after it, which count nothing.
  static func canonical(_ text: String) -> String? {
    var rest = AnswerText.plain(text)[...].trimmed { $0.isWhitespace || "*`\"'".contains($0) }
    if rest.hasSuffix(".") { rest.removeLast() }
    rest = rest.trimmed { $0.isWhitespace || $0 == "$" || $0 == "¥" || $0 == "€" || $0 == "£" || $0 == "￥" }
    for (prefix, suffix) in [("\\(", "\\)"), ("\\[", "\\]"), ("\\boxed{", "}")]
    where rest.hasPrefix(prefix) && rest.hasSuffix(suffix) {
      rest = rest.dropFirst(prefix.count).dropLast(suffix.count)
    }
    // "x = 5": an unknown of one letter.
    if let equals = rest.firstIndex(of: "="), rest[..<equals].trimmed(\.isWhitespace).count == 1,
      rest[..<equals].trimmed(\.isWhitespace).allSatisfy(\.isLetter)
    {
      rest = rest[rest.index(after: equals)...]
    }
    rest = rest.trimmed(\.isWhitespace)
    for sign in ["\\%", "^\\circ", "^{\\circ}"] where rest.hasSuffix(sign) { rest = rest.dropLast(sign.count) }
    // An exponent's letter stands before digits, so it is no part of a unit.
    let length = rest.reversed().prefix { $0.isLetter || $0.isWhitespace || $0 == "%" || $0 == "°" }.count
    guard length <= 32 else { return nil }
    let unit = rest.suffix(length).lowercased()
    // "5 or six" is no number.
    let name = unit[...].trimmed(\.isWhitespace), isKilo = kiloUnits.contains { name.hasPrefix($0) }
    guard unit.split(whereSeparator: \.isWhitespace).count <= 1, isKilo || !multiples.contains(where: unit.contains) else {
      return nil
    }
    return canonicalPlain(rest.dropLast(length).trimmed(\.isWhitespace))
  }

  /// The last number of a sentence, as it is written there.
  static func last(in text: String) -> String? {
    let plain = AnswerText.plain(text)
    let parts = plain.split { !($0.isASCII && ($0.isNumber || "-.,/".contains($0))) }
    guard let part = parts.last(where: { $0.contains { $0.isNumber } }) else { return nil }
    // A fraction in LaTeX ends with a number that is only its denominator.
    if let start = ["\\frac{", "\\dfrac{", "\\tfrac{"].compactMap({ plain.ranges(of: $0).last?.lowerBound }).max(),
      start < part.startIndex, let end = plain[part.endIndex...].first == "}" ? plain.index(after: part.endIndex) : nil
    {
      let sign = start > plain.startIndex && plain[plain.index(before: start)] == "-" ? "-" : ""
      let fraction = sign + plain[start..<end]
      if canonicalPlain(fraction[...]) != nil { return fraction }
    }
    return String(part.trimmed { ".,/".contains($0) })
  }

  /// A number without anything around it.
  static func canonicalPlain(_ text: Substring) -> String? {
    let text = text.trimmed(\.isWhitespace)
    guard text.utf8.count <= mostDigits * 2, let first = text.first, first.isASCII else { return nil }
    for command in ["\\frac{", "\\dfrac{", "\\tfrac{", "-\\frac{", "-\\dfrac{", "-\\tfrac{"] where text.hasPrefix(command) {
      let parts = text.dropFirst(command.count).split(separator: "}{", omittingEmptySubsequences: false)
      guard parts.count == 2, parts[1].hasSuffix("}") else { return nil }
      return quotient(parts[0], parts[1].dropLast(), isNegative: first == "-")
    }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count == 2 ? quotient(parts[0], parts[1], isNegative: false) : Decimal(text)?.canonical
  }

  private static func quotient(_ numerator: Substring, _ denominator: Substring, isNegative: Bool) -> String? {
    guard let above = Decimal(numerator.trimmed(\.isWhitespace))?.integer,
      let below = Decimal(denominator.trimmed(\.isWhitespace))?.integer, let value = Rational(above, below)
    else { return nil }
    return isNegative ? value.negated()?.description : value.description
  }

  /// Digits and a power of ten.
  private struct Decimal {
    private var isNegative = false
    private var digits: [UInt8] = []
    private var exponent = 0

    init?(_ text: Substring) {
      var rest = Array(text.utf8)[...]
      if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") {
        isNegative = rest.removeFirst() == UInt8(ascii: "-")
      }
      if rest.first == UInt8(ascii: "$") { rest.removeFirst() }
      let end = rest.firstIndex { $0 == UInt8(ascii: "e") || $0 == UInt8(ascii: "E") } ?? rest.endIndex
      let mantissa = rest[..<end]
      if end < rest.endIndex {
        guard let power = Int(String(decoding: rest[(end + 1)...], as: UTF8.self)),
          (-mostDigits...mostDigits).contains(power)
        else { return nil }
        exponent = power
      }
      let point = mantissa.firstIndex(of: UInt8(ascii: ".")) ?? mantissa.endIndex
      guard let whole = Self.whole(mantissa[..<point]) else { return nil }
      let fraction = mantissa[point...].dropFirst()
      guard fraction.allSatisfy(Self.isDigit), !(whole.isEmpty && fraction.isEmpty), whole.count + fraction.count <= mostDigits
      else { return nil }
      digits = whole + fraction
      exponent -= fraction.count
      while digits.count > 1, digits.last == UInt8(ascii: "0") {
        digits.removeLast()
        exponent += 1
      }
      digits.removeFirst(digits.prefix { $0 == UInt8(ascii: "0") }.count)
      if digits.isEmpty { (digits, exponent, isNegative) = ([UInt8(ascii: "0")], 0, false) }
      guard digits.count + abs(exponent) <= mostDigits else { return nil }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    /// Digits, in groups of three behind commas, spaces, `{,}` or `\,`, or in one.
    private static func whole(_ text: ArraySlice<UInt8>) -> [UInt8]? {
      var groups: [[UInt8]] = [[]]
      let plain = String(decoding: text, as: UTF8.self)
        .replacing("{,}", with: ",").replacing("\\,", with: ",").replacing("\\!", with: "")
      for byte in plain.utf8 {
        if isDigit(byte) {
          groups[groups.count - 1].append(byte)
        } else if byte == UInt8(ascii: ",") || byte == UInt8(ascii: " ") || byte == UInt8(ascii: "_") {
          groups.append([])
        } else {
          return nil
        }
      }
      if groups.count == 1 { return groups[0] }
      let isGrouped = (1...3).contains(groups[0].count) && groups.dropFirst().allSatisfy { $0.count == 3 }
      return isGrouped ? groups.flatMap { $0 } : nil
    }

    /// The number where it is an integer that fits.
    var integer: Int? {
      guard exponent >= 0, digits.count + exponent <= 18 else { return nil }
      return Int((isNegative ? "-" : "") + String(decoding: digits, as: UTF8.self) + String(repeating: "0", count: exponent))
    }

    var canonical: String {
      let sign = isNegative ? "-" : ""
      if let integer { return "\(integer)" }
      let text = String(decoding: digits, as: UTF8.self)
      if exponent >= 0 { return sign + text + String(repeating: "0", count: exponent) }
      if digits.count <= 18, exponent >= -17, let above = Int(sign + text),
        let value = Rational(above, (0..<(-exponent)).reduce(1) { power, _ in power * 10 })
      {
        return value.description
      }
      return "\(sign)\(text)e\(exponent)"
    }
  }
}

extension Substring {
  /// Without such characters at its ends.
  func trimmed(_ isDropped: (Character) -> Bool) -> Substring {
    var result = drop(while: isDropped)
    while let last = result.last, isDropped(last) { result.removeLast() }
    return result
  }
}
