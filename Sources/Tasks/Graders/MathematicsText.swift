/// Answers in LaTeX.
enum MathematicsText {
  /// The text without what changes how it looks and not what it says, by the steps of the MATH data set's `is_equiv` (Hendrycks et
  /// al. 2021), and as a number where it is one.
  static func canonical(_ answer: String) -> String? {
    var text = AnswerText.plain(answer)
    if let boxed = AnswerExtraction.lastBoxed(text) { text = boxed }
    text = String(text[...].trimmed { $0.isWhitespace })
    if text.isEmpty { return nil }
    if text.hasSuffix(".") { text.removeLast() }
    for (old, new) in [
      ("\n", ""), ("\\!", ""), ("\\,", ""), ("\\;", ""), ("\\ ", " "), ("\\\\", "\\"), ("tfrac", "frac"), ("dfrac", "frac"),
      ("\\left", ""), ("\\right", ""), ("^{\\circ}", ""), ("^\\circ", ""), ("\\$", ""), ("$", ""), ("\\%", ""), ("%", ""),
      ("{,}", ","), ("\\(", ""), ("\\)", ""), ("\\[", ""), ("\\]", ""), ("\\cdot", "*"), ("\\times", "*"), ("\\div", "/"),
    ] {
      text = text.replacing(old, with: new)
    }
    text = withoutUnits(text)
    if let equals = text.firstIndex(of: "="), text[..<equals].trimmed(\.isWhitespace).count <= 2 {
      text = String(text[text.index(after: equals)...])
    }
    text = bracedArguments(text, of: "\\sqrt", count: 1)
    text = bracedArguments(text, of: "\\frac", count: 2)
    if let number = NumberText.canonicalPlain(text[...]) { return number }
    text = text.filter { !$0.isWhitespace }
    for word in ["\\text{", "\\textbf{", "\\mathrm{", "\\mathbf{"] where text.hasPrefix(word) && text.hasSuffix("}") {
      text = String(text.dropFirst(word.count).dropLast())
    }
    if text.hasPrefix(".") { text = "0" + text }
    text = text.replacing("(.", with: "(0.").replacing("{.", with: "{0.")
    return text.isEmpty ? nil : text
  }

  /// Without `\text{ units}` at the end.
  private static func withoutUnits(_ text: String) -> String {
    for word in ["\\text{ ", "\\mbox{", "\\text{\\ "] {
      guard let range = text.ranges(of: word).last, range.lowerBound > text.startIndex, text.hasSuffix("}") else { continue }
      return String(text[..<range.lowerBound])
    }
    return text
  }

  /// `\frac12` as `\frac{1}{2}`, `\sqrt3` as `\sqrt{3}`.
  private static func bracedArguments(_ text: String, of command: String, count: Int) -> String {
    var result = "", rest = text[...]
    while let range = rest.firstRange(of: command) {
      result += rest[..<range.upperBound]
      rest = rest[range.upperBound...]
      for _ in 0..<count {
        rest = rest.drop { $0 == " " }
        guard let next = rest.first, next.isASCII, next.isLetter || next.isNumber else { break }
        result += "{\(next)}"
        rest.removeFirst()
      }
    }
    return result + rest
  }
}
