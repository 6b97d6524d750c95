/// A token of the small language, with its line.
struct ProgramToken: Equatable {
  enum Kind: Equatable {
    case name(String)
    case integer(Int)
    /// An operator, a bracket, a comma or a colon.
    case symbol(String)
    case newline
    case indent
    case dedent
    case end
  }
  var kind: Kind
  var line: Int
}

extension ProgramToken {
  private static let symbols = [
    "**", "//", "==", "!=", "<=", ">=", "+=", "-=", "*=", "%=", "<", ">", "=", "+", "-", "*", "%", "(", ")", "[", "]", ",", ":",
    ".",
  ]

  /// The tokens of a source, blocks by their indentation as in Python.
  static func tokens(of source: String) throws(ProgramError) -> [ProgramToken] {
    var tokens: [ProgramToken] = [], indents = [0], depth = 0, number = 0
    for text in source.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      number += 1
      var rest = Array(text.utf8)[...]
      if depth == 0 {
        let width = try indentation(&rest, line: number)
        if rest.isEmpty || rest.first == UInt8(ascii: "#") { continue }
        if width > indents[indents.count - 1] {
          indents.append(width)
          tokens.append(ProgramToken(kind: .indent, line: number))
        }
        while width < indents[indents.count - 1] {
          indents.removeLast()
          tokens.append(ProgramToken(kind: .dedent, line: number))
        }
        guard width == indents[indents.count - 1] else { throw ProgramError(line: number, reason: "indented unlike any block") }
      }
      while let byte = rest.first, byte != UInt8(ascii: "#") {
        if byte == 0x20 || byte == 0x09 {
          rest.removeFirst()
          continue
        }
        let kind = try next(&rest, line: number)
        if kind == .symbol("(") || kind == .symbol("[") { depth += 1 }
        if kind == .symbol(")") || kind == .symbol("]") { depth = max(0, depth - 1) }
        tokens.append(ProgramToken(kind: kind, line: number))
      }
      if depth == 0 { tokens.append(ProgramToken(kind: .newline, line: number)) }
    }
    for _ in indents.dropFirst() { tokens.append(ProgramToken(kind: .dedent, line: number)) }
    tokens.append(ProgramToken(kind: .end, line: number))
    return tokens
  }

  private static func indentation(_ rest: inout ArraySlice<UInt8>, line: Int) throws(ProgramError) -> Int {
    let spaces = rest.prefix { $0 == 0x20 || $0 == 0x09 }
    guard !spaces.contains(0x09) || spaces.allSatisfy({ $0 == 0x09 }) else {
      throw ProgramError(line: line, reason: "tabs and spaces mixed")
    }
    rest = rest.dropFirst(spaces.count)
    return spaces.contains(0x09) ? spaces.count * 8 : spaces.count
  }

  private static func next(_ rest: inout ArraySlice<UInt8>, line: Int) throws(ProgramError) -> Kind {
    func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) || byte == UInt8(ascii: "_") }
    func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    func take(_ isPart: (UInt8) -> Bool) -> String {
      let part = rest.prefix(while: isPart)
      rest = rest.dropFirst(part.count)
      return String(decoding: part, as: UTF8.self)
    }
    guard let byte = rest.first else { return .newline }
    if isLetter(byte) { return .name(take { isLetter($0) || isDigit($0) }) }
    if isDigit(byte) {
      let text = take(isDigit)
      guard let value = Int(text), rest.first.map({ !isLetter($0) && $0 != UInt8(ascii: ".") }) ?? true else {
        throw ProgramError(line: line, reason: "a number that is no integer of 64 bits")
      }
      return .integer(value)
    }
    for symbol in symbols where rest.starts(with: symbol.utf8) {
      rest = rest.dropFirst(symbol.utf8.count)
      // `//=` is read as `//` and `=`, which no statement has but this one.
      return .symbol(symbol)
    }
    let found = (0x21..<0x7F).contains(byte) ? "'\(UnicodeScalar(byte))'" : "byte \(byte)"
    throw ProgramError(line: line, reason: "\(found) is not part of the language")
  }
}
