/// A recursive-descent parser whose depth is bounded, and so the depth of what it makes.
struct ProgramParser {
  private static let deepest = 60
  private let tokens: [ProgramToken]
  private var position = 0
  private var depth = 0

  init(_ source: String) throws(ProgramError) { tokens = try ProgramToken.tokens(of: source) }

  mutating func program() throws(ProgramError) -> [ProgramStatement] {
    var statements: [ProgramStatement] = []
    while current != .end { statements.append(try statement()) }
    return statements
  }

  private var current: ProgramToken.Kind { tokens[position].kind }
  private var line: Int { tokens[position].line }

  private func error(_ expected: String) -> ProgramError { ProgramError(line: line, reason: "expected \(expected)") }

  private mutating func take(_ symbol: String) -> Bool {
    guard current == .symbol(symbol) else { return false }
    position += 1
    return true
  }

  private mutating func take(word: String) -> Bool {
    guard current == .name(word) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ symbol: String) throws(ProgramError) {
    guard take(symbol) else { throw error("'\(symbol)'") }
  }

  private mutating func name() throws(ProgramError) -> String {
    guard case .name(let name) = current, !Self.words.contains(name) else { throw error("a name") }
    position += 1
    return name
  }

  /// Words that are no names, also those that Python has and this language does not.
  private static let words: Set<String> = [
    "and", "or", "not", "if", "elif", "else", "while", "for", "in", "def", "return", "break", "continue", "pass", "True", "False",
    "None", "as", "assert", "async", "await", "class", "del", "except", "finally", "from", "global", "import", "is", "lambda",
    "nonlocal", "raise", "try", "with", "yield",
  ]

  private mutating func deeper<Result>(_ body: (inout Self) throws(ProgramError) -> Result) throws(ProgramError) -> Result {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.deepest else { throw ProgramError(line: line, reason: "nested more than \(Self.deepest) deep") }
    return try body(&self)
  }

  private mutating func block() throws(ProgramError) -> [ProgramStatement] {
    try expect(":")
    if current != .newline { return [try simpleStatement()] }
    position += 1
    guard current == .indent else { throw error("an indented block") }
    position += 1
    return try deeper { (parser) throws(ProgramError) in
      var statements: [ProgramStatement] = []
      while parser.current != .dedent, parser.current != .end { statements.append(try parser.statement()) }
      if parser.current == .dedent { parser.position += 1 }
      return statements
    }
  }

  private mutating func statement() throws(ProgramError) -> ProgramStatement {
    let line = line
    guard case .name(let word) = current else { throw error("a statement") }
    switch word {
    case "if":
      position += 1
      var cases = [(condition: try expression(), body: try block())]
      while take(word: "elif") { cases.append((try expression(), try block())) }
      let otherwise = take(word: "else") ? try block() : []
      return ProgramStatement(kind: .choose(cases, otherwise: otherwise), line: line)
    case "while":
      position += 1
      return ProgramStatement(kind: .loop(try expression(), try block()), line: line)
    case "for":
      position += 1
      let variable = try name()
      guard take(word: "in") else { throw error("'in'") }
      if case .call("range", let bounds) = try peekedRange() {
        return ProgramStatement(kind: .count(variable, bounds, try block()), line: line)
      }
      return ProgramStatement(kind: .iterate(variable, try expression(), try block()), line: line)
    case "def":
      guard depth == 0 else { throw error("def outside of blocks") }
      position += 1
      let function = try name()
      guard !ProgramInterpreter.builtIn.contains(function) else { throw error("a name that no built-in function has") }
      try expect("(")
      var parameters: [String] = []
      while !take(")") {
        parameters.append(try name())
        if current != .symbol(")") { try expect(",") }
      }
      return ProgramStatement(kind: .define(function, parameters: parameters, try block()), line: line)
    default: return try simpleStatement()
    }
  }

  /// `range(…)` where it stands after `in`; nil for another expression, of which nothing is read.
  private mutating func peekedRange() throws(ProgramError) -> ProgramExpression? {
    guard current == .name("range") else { return nil }
    let line = line
    let call = try expression()
    guard case .call("range", let bounds) = call, (1...3).contains(bounds.count) else {
      throw ProgramError(line: line, reason: "expected range of one to three numbers")
    }
    return call
  }

  private mutating func simpleStatement() throws(ProgramError) -> ProgramStatement {
    let line = line
    let kind = try simpleKind()
    guard current == .newline || current == .end else { throw error("the end of the line") }
    if current == .newline { position += 1 }
    return ProgramStatement(kind: kind, line: line)
  }

  private mutating func simpleKind() throws(ProgramError) -> ProgramStatement.Kind {
    if take(word: "pass") { return .nothing }
    if take(word: "break") { return .leave }
    if take(word: "continue") { return .next }
    if take(word: "return") {
      return .giveBack(current == .newline || current == .end ? nil : try expression())
    }
    let target = try expression()
    if case .call("print", let values) = target { return .print(values) }
    if take(".") {
      guard case .variable(let list) = target, take(word: "append") else { throw error("append") }
      try expect("(")
      let value = try expression()
      try expect(")")
      return .append(list, value)
    }
    if case .variable(let first) = target, current == .symbol(",") { return try severalNames(first) }
    for symbol in ["=", "+=", "-=", "*=", "%=", "//"] where take(symbol) {
      if symbol == "//" { try expect("=") }
      let value = try expression()
      let operation = symbol == "=" ? nil : symbol == "//" ? symbol : String(symbol.dropLast())
      switch target {
      case .variable(let name):
        // A list becomes longer by `+=`, where `+` makes another.
        let update = symbol == "+=" ? symbol : operation
        return .assign([name], [update.map { .binary($0, target, value) } ?? value])
      case .element(.variable(let name), let index):
        return .assignElement(name, index: index, operation: operation, value)
      default: throw error("a name or an element before '\(symbol)'")
      }
    }
    return .evaluate(target)
  }

  /// `a, b = b, a`, behind its first name.
  private mutating func severalNames(_ first: String) throws(ProgramError) -> ProgramStatement.Kind {
    var names = [first]
    while take(",") { names.append(try name()) }
    try expect("=")
    var values = [try expression()]
    while take(",") { values.append(try expression()) }
    guard names.count == values.count else { throw error("as many values as names") }
    return .assign(names, values)
  }

  // MARK: Expressions

  private static let ranks: [String: Int] = [
    "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3, "+": 4, "-": 4, "*": 5, "//": 5, "%": 5, "**": 7,
  ]

  /// The rank of the operator that comes next; `or` 1, `and` 2, `not` above them, signs 6.
  private var nextRank: (rank: Int, symbol: String)? {
    switch current {
    case .name("or"): return (1, "or")
    case .name("and"): return (2, "and")
    case .symbol("//"):
      // `//=` is an assignment.
      if position + 1 < tokens.count, tokens[position + 1].kind == .symbol("=") { return nil }
      return (5, "//")
    case .symbol(let symbol): return Self.ranks[symbol].map { ($0, symbol) }
    default: return nil
    }
  }

  private mutating func expression() throws(ProgramError) -> ProgramExpression { try expression(above: 0).value }

  /// Operators of a higher rank than this. A chain of operators makes a deep tree too, so it is bounded as well.
  private mutating func expression(above rank: Int) throws(ProgramError) -> (value: ProgramExpression, depth: Int) {
    try deeper { (parser) throws(ProgramError) in
      var (left, leftDepth) = try parser.operand(above: rank)
      while let (next, symbol) = parser.nextRank, next > rank {
        parser.position += 1
        // ** binds to the right, all others to the left.
        let (right, rightDepth) = try parser.expression(above: symbol == "**" ? next - 2 : next)
        leftDepth = max(leftDepth, rightDepth) + 1
        guard leftDepth <= Self.deepest else {
          throw ProgramError(line: parser.line, reason: "an expression of more than \(Self.deepest) levels")
        }
        switch symbol {
        case "or": left = .or(left, right)
        case "and": left = .and(left, right)
        default: left = .binary(symbol, left, right)
        }
        if next == 3, parser.nextRank?.rank == 3 { throw parser.error("one comparison; join several by 'and'") }
      }
      return (left, leftDepth)
    }
  }

  private mutating func operand(above rank: Int) throws(ProgramError) -> (value: ProgramExpression, depth: Int) {
    if rank <= 2, take(word: "not") {
      let (value, depth) = try expression(above: 2)
      return (.not(value), depth + 1)
    }
    if take("-") {
      let (value, depth) = try expression(above: 6)
      if case .integer(let number) = value { return (.integer(-number), depth) }
      return (.negative(value), depth + 1)
    }
    var (value, depth) = try atom()
    while take("[") {
      let (index, indexDepth) = try expression(above: 0)
      try expect("]")
      depth = max(depth, indexDepth) + 1
      guard depth <= Self.deepest else { throw error("fewer brackets") }
      value = .element(value, index)
    }
    return (value, depth)
  }

  private mutating func atom() throws(ProgramError) -> (value: ProgramExpression, depth: Int) {
    switch current {
    case .integer(let value):
      position += 1
      return (.integer(value), 1)
    case .name("True"), .name("False"):
      defer { position += 1 }
      return (.boolean(current == .name("True")), 1)
    case .name:
      let name = try name()
      guard take("(") else { return (.variable(name), 1) }
      let (arguments, depth) = try list(until: ")")
      return (.call(name, arguments), depth + 1)
    case .symbol("("):
      position += 1
      let result = try expression(above: 0)
      try expect(")")
      return result
    case .symbol("["):
      position += 1
      let (elements, depth) = try list(until: "]")
      return (.list(elements), depth + 1)
    default: throw error("a value")
    }
  }

  private mutating func list(until close: String) throws(ProgramError) -> ([ProgramExpression], depth: Int) {
    var elements: [ProgramExpression] = [], depth = 0
    while !take(close) {
      let (element, elementDepth) = try expression(above: 0)
      elements.append(element)
      depth = max(depth, elementDepth)
      if current != .symbol(close) { try expect(",") }
    }
    return (elements, depth)
  }
}
