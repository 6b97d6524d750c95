/// Splits a template into tokens as jinja2's lexer does with `trim_blocks` and `lstrip_blocks`, which chat templates
/// are written for: the newline after a block tag or comment goes, and so does white space before one on its line.
struct Lexer {
  private let source: [Unicode.Scalar]
  private var position = 0
  private var line = 1
  private var tokens: [Token] = []

  static func tokens(of text: String) throws(TemplateError) -> [Token] {
    var lexer = try Lexer(text)
    try lexer.readTemplate()
    return lexer.tokens
  }

  private init(_ text: String) throws(TemplateError) {
    var source: [Unicode.Scalar] = []
    var previous: Unicode.Scalar = " "
    for scalar in text.unicodeScalars {
      // \r\n, \r and \n are all one newline.
      if scalar == "\r" {
        source.append("\n")
      } else if scalar != "\n" || previous != "\r" {
        source.append(scalar)
      }
      previous = scalar
      guard source.count <= RenderingLimits.sourceLength else {
        throw .limit(line: 1, reason: "a template of more than \(RenderingLimits.sourceLength) characters")
      }
    }
    if source.last == "\n" { source.removeLast() }
    self.source = source
  }

  // MARK: Outside the tags

  private mutating func readTemplate() throws(TemplateError) {
    while position < source.count {
      let start = position
      var opening = start
      while opening < source.count, !isOpening(at: opening) { opening += 1 }
      if opening == source.count {
        emitText(start..<opening)
        position = opening
        break
      }
      let kind = source[opening + 1]
      if kind == "%", let body = endOfWord("raw", at: opening) {
        readText(start, before: opening, isOutput: false)
        position = body
        countLines(opening..<position)
        try readRaw()
        continue
      }
      readText(start, before: opening, isOutput: kind == "{")
      position = opening + 2
      if scalar(position) == "-" || scalar(position) == "+" { position += 1 }
      switch kind {
      case "%": try readTag(closing: "%")
      case "{": try readTag(closing: "}")
      default: try readComment()
      }
    }
    emit(.end)
  }

  private func scalar(_ place: Int) -> Unicode.Scalar? { place < source.count ? source[place] : nil }

  private func isOpening(at place: Int) -> Bool {
    guard source[place] == "{", let next = scalar(place + 1) else { return false }
    return next == "%" || next == "{" || next == "#"
  }

  private mutating func emit(_ kind: Token.Kind) { tokens.append(Token(kind: kind, line: line)) }

  private mutating func countLines(_ range: Range<Int>) {
    for place in range where source[place] == "\n" { line += 1 }
  }

  private mutating func emitText(_ range: Range<Int>) {
    guard !range.isEmpty else { return }
    var text = String.UnicodeScalarView()
    text.append(contentsOf: source[range])
    emit(.text(String(text)))
  }

  /// Emits the text up to a tag, with the white space before the tag taken off as its sign and kind ask for.
  private mutating func readText(_ start: Int, before opening: Int, isOutput: Bool) {
    var end = opening
    let sign = scalar(opening + 2)
    if sign == "-" {
      while end > start, source[end - 1].isPythonSpace { end -= 1 }
    } else if sign != "+", !isOutput {
      var lineStart = opening
      while lineStart > start, source[lineStart - 1] != "\n" { lineStart -= 1 }
      let startsLine = lineStart > start || start == 0 || source[start - 1] == "\n"
      if startsLine, source[lineStart..<opening].allSatisfy({ $0.isPythonSpace }) { end = lineStart }
    }
    emitText(start..<end)
    countLines(start..<opening)
  }

  /// The place after `{% word %}`, when that is what stands here: for `raw` and `endraw`, which the lexer handles.
  private func endOfWord(_ word: String, at opening: Int) -> Int? {
    var place = opening + 2
    if scalar(place) == "-" || scalar(place) == "+" { place += 1 }
    while let space = scalar(place), space.isPythonSpace { place += 1 }
    for letter in word.unicodeScalars {
      guard scalar(place) == letter else { return nil }
      place += 1
    }
    while let space = scalar(place), space.isPythonSpace { place += 1 }
    if word == "raw" {
      // Unlike elsewhere, the newline after `{% raw %}` stays.
      if scalar(place) == "%", scalar(place + 1) == "}" { return place + 2 }
      guard scalar(place) == "-", scalar(place + 1) == "%", scalar(place + 2) == "}" else { return nil }
      return afterSpaces(place + 3)
    }
    return endOfTag("%", at: place)
  }

  private func afterSpaces(_ start: Int) -> Int {
    var place = start
    while let space = scalar(place), space.isPythonSpace { place += 1 }
    return place
  }

  /// The place after a tag's end (`%}`, `-%}`, `+%}`, `}}`, `-}}`, `#}` and so on) and the white space that it takes along.
  private func endOfTag(_ closing: Unicode.Scalar, at place: Int) -> Int? {
    func isEnd(_ place: Int) -> Bool { scalar(place) == closing && scalar(place + 1) == "}" }
    if isEnd(place) {
      let takesNewline = closing != "}" && scalar(place + 2) == "\n"
      return place + (takesNewline ? 3 : 2)
    }
    guard isEnd(place + 1) else { return nil }
    if scalar(place) == "-" { return afterSpaces(place + 3) }
    return scalar(place) == "+" && closing != "}" ? place + 3 : nil
  }

  private mutating func readRaw() throws(TemplateError) {
    let start = position
    if start == source.count { return }
    for opening in start..<source.count where source[opening] == "{" && scalar(opening + 1) == "%" {
      guard let end = endOfWord("endraw", at: opening) else { continue }
      readText(start, before: opening, isOutput: false)
      countLines(opening..<end)
      position = end
      return
    }
    throw .syntax(line: line, reason: "'{% raw %}' without '{% endraw %}'")
  }

  private mutating func readComment() throws(TemplateError) {
    let start = position
    if start == source.count { return }
    for place in start..<source.count {
      guard let end = endOfTag("#", at: place) else { continue }
      position = end
      countLines(start..<end)
      return
    }
    throw .syntax(line: line, reason: "a comment without '#}'")
  }

  // MARK: Inside a tag

  private mutating func readTag(closing: Unicode.Scalar) throws(TemplateError) {
    emit(closing == "%" ? .blockBegin : .outputBegin)
    var brackets: [Unicode.Scalar] = []
    while position < source.count {
      if brackets.isEmpty, let end = endOfTag(closing, at: position) {
        emit(closing == "%" ? .blockEnd : .outputEnd)
        countLines(position..<end)
        position = end
        return
      }
      let scalar = source[position]
      if scalar.isPythonSpace {
        if scalar == "\n" { line += 1 }
        position += 1
      } else if ("0"..."9").contains(scalar) {
        try readNumber()
      } else if scalar == "_" || scalar.properties.isXIDStart {
        try readName()
      } else if scalar == "'" || scalar == "\"" {
        try readString()
      } else {
        try readSign(&brackets)
      }
    }
  }

  private mutating func readName() throws(TemplateError) {
    var name = String.UnicodeScalarView()
    let limit = position + RenderingLimits.nameLength
    while let scalar = scalar(position), scalar == "_" || scalar.properties.isXIDContinue {
      guard position < limit else {
        throw .limit(line: line, reason: "a name of more than \(RenderingLimits.nameLength) characters")
      }
      name.append(scalar)
      position += 1
    }
    emit(.name(String(name)))
  }

  private mutating func readSign(_ brackets: inout [Unicode.Scalar]) throws(TemplateError) {
    let scalar = source[position]
    if let next = self.scalar(position + 1), ["//", "**", "==", "!=", ">=", "<="].contains("\(scalar)\(next)") {
      emit(.sign("\(scalar)\(next)"))
      position += 2
      return
    }
    switch scalar {
    case "(": brackets.append(")")
    case "[": brackets.append("]")
    case "{": brackets.append("}")
    case ")", "]", "}":
      guard let expected = brackets.popLast() else { throw .syntax(line: line, reason: "unexpected '\(scalar)'") }
      guard expected == scalar else {
        throw .syntax(line: line, reason: "unexpected '\(scalar)', expected '\(expected)'")
      }
    case "+", "-", "/", "*", "%", "~", ">", "<", "=", ".", ":", "|", ",", ";": break
    default: throw .syntax(line: line, reason: "unexpected character \(TemplateValue.quoted(String(scalar)))")
    }
    emit(.sign(String(scalar)))
    position += 1
  }

  private mutating func readString() throws(TemplateError) {
    let quote = source[position]
    var body: [Unicode.Scalar] = []
    var place = position + 1
    while let scalar = scalar(place), scalar != quote {
      body.append(scalar)
      place += 1
      if scalar == "\\", let escaped = self.scalar(place) {
        body.append(escaped)
        place += 1
      }
    }
    guard place < source.count else { throw .syntax(line: line, reason: "a string without its closing quote") }
    emit(.string(try StringEscapes.decoded(body, line: line)))
    countLines(position..<place)
    position = place + 1
  }

  private mutating func readNumber() throws(TemplateError) {
    let start = position
    let followsDot = start > 0 && source[start - 1] == "."
    if !followsDot, let end = endOfDouble(start) {
      position = end
      let text = digits(start..<end)
      guard let value = Double(text) else { throw .syntax(line: line, reason: "the number '\(text)'") }
      emit(.double(value))
      return
    }
    var radix = 10
    var end = start
    if source[start] == "0", let mark = scalar(start + 1)?.properties.lowercaseMapping,
      let other = ["b": 2, "o": 8, "x": 16][mark]
    {
      let last = endOfDigits(start + 2, radix: other, startsWithUnderscore: true)
      if last > start + 2 { (radix, end) = (other, last) }
    }
    if radix == 10 {
      end = source[start] == "0" ? start + 1 : endOfDigits(start, radix: 10)
      while source[start] == "0", let next = scalar(end) {
        let skip = next == "_" && scalar(end + 1) == "0" ? 2 : next == "0" ? 1 : 0
        if skip == 0 { break }
        end += skip
      }
    }
    position = end
    let text = digits(radix == 10 ? start..<end : (start + 2)..<end)
    guard let value = Int(text, radix: radix) else {
      throw .unsupported(line: line, construct: "the number \(text), which does not fit 64 bits,")
    }
    emit(.integer(value))
  }

  private func digits(_ range: Range<Int>) -> String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: source[range].lazy.filter { $0 != "_" })
    return String(text)
  }

  /// The place after a run of digits with single underscores between them; the start when there is none.
  private func endOfDigits(_ start: Int, radix: Int = 10, startsWithUnderscore: Bool = false) -> Int {
    func isDigit(_ place: Int) -> Bool {
      guard let scalar = scalar(place), scalar.isASCII, let digit = Character(scalar).hexDigitValue else { return false }
      return digit < radix
    }
    var place = start
    while true {
      if isDigit(place) {
        place += 1
      } else if place > start || startsWithUnderscore, scalar(place) == "_", isDigit(place + 1) {
        place += 2
      } else {
        return place
      }
    }
  }

  /// The place after a number with a fraction or an exponent; nil when there is neither.
  private func endOfDouble(_ start: Int) -> Int? {
    var end = endOfDigits(start)
    var isDouble = false
    if scalar(end) == "." {
      let fraction = endOfDigits(end + 1)
      if fraction > end + 1 {
        end = fraction
        isDouble = true
      }
    }
    if scalar(end) == "e" || scalar(end) == "E" {
      let signed = scalar(end + 1) == "+" || scalar(end + 1) == "-" ? end + 2 : end + 1
      let exponent = endOfDigits(signed)
      if exponent > signed {
        end = exponent
        isDouble = true
      }
    }
    return isDouble ? end : nil
  }
}
