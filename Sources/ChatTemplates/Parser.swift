/// Reads tokens into statements by Jinja's grammar. Expressions are in an extension.
struct Parser {
  private let tokens: [Token]
  private var position = 0
  private var depth = 0
  private var symbols: [String: Int] = [:]
  private(set) var names: [String] = []
  /// How many blocks were read.
  private(set) var frameCount = 0
  /// One for each macro or call block around the place being read.
  private var macros: [SpecialNames] = []
  /// Whether `break` would leave a loop here; a macro inside a loop starts anew.
  private var isInLoop = false
  /// How many `for` statements are around, whatever lies between.
  private var loopDepth = 0

  init(source: String) throws(TemplateError) {
    tokens = try Lexer.tokens(of: source)
  }

  mutating func template() throws(TemplateError) -> Block {
    let frame = newFrame()
    return Block(frame: frame, statements: try statements(until: []).body)
  }

  private mutating func newFrame() -> Int {
    frameCount += 1
    return frameCount - 1
  }

  // MARK: Tokens

  var current: Token { tokens[min(position, tokens.count - 1)] }
  var next: Token { tokens[min(position + 1, tokens.count - 1)] }
  var line: Int { current.line }

  mutating func advance() { position += 1 }

  func unexpected(_ expected: String) -> TemplateError {
    .syntax(line: line, reason: "expected \(expected), found \(current.name)")
  }

  func isSign(_ sign: String) -> Bool { current.kind == .sign(sign) }
  func isWord(_ word: String) -> Bool { current.kind == .name(word) }

  mutating func skip(sign: String) -> Bool {
    guard isSign(sign) else { return false }
    advance()
    return true
  }

  mutating func skip(word: String) -> Bool {
    guard isWord(word) else { return false }
    advance()
    return true
  }

  mutating func expect(sign: String) throws(TemplateError) {
    guard skip(sign: sign) else { throw unexpected("'\(sign)'") }
  }

  mutating func expect(_ kind: Token.Kind) throws(TemplateError) {
    guard current.kind == kind else { throw unexpected(Token(kind: kind, line: line).name) }
    advance()
  }

  mutating func expectName() throws(TemplateError) -> String {
    guard case .name(let name) = current.kind else { throw unexpected("a name") }
    advance()
    return name
  }

  /// Guards the stack: whatever nests goes through here.
  mutating func nested<Result>(
    _ read: (inout Parser) throws(TemplateError) -> Result
  ) throws(TemplateError) -> Result {
    depth += 1
    defer { depth -= 1 }
    guard depth <= RenderingLimits.syntaxDepth else {
      throw .limit(line: line, reason: "a template nested more than \(RenderingLimits.syntaxDepth) levels deep")
    }
    return try read(&self)
  }

  // MARK: Names

  mutating func symbol(_ name: String) throws(TemplateError) -> Int {
    if let symbol = symbols[name] { return symbol }
    guard names.count < RenderingLimits.nameCount else {
      throw .limit(line: line, reason: "more than \(RenderingLimits.nameCount) different names")
    }
    symbols[name] = names.count
    names.append(name)
    return names.count - 1
  }

  /// A name that is read: one that a macro gets for free is noted in all the macros around.
  mutating func load(_ name: String) throws(TemplateError) -> Int {
    let symbol = try symbol(name)
    for place in macros.indices {
      switch name {
      case "caller": macros[place].caller = symbol
      case "varargs": macros[place].arguments = symbol
      case "kwargs": macros[place].namedArguments = symbol
      default: break
      }
    }
    return symbol
  }

  // MARK: Statements

  /// Statements up to one of the words in a block tag, which is read past, or to the template's end.
  private mutating func statements(
    until ends: [String]
  ) throws(TemplateError) -> (body: [Statement], end: String?) {
    var body: [Statement] = []
    while true {
      switch current.kind {
      case .end:
        guard ends.isEmpty else { throw unexpected(ends.map { "'{% \($0) %}'" }.joined(separator: " or ")) }
        return (body, nil)
      case .text(let text):
        body.append(.text(text))
        advance()
      case .outputBegin:
        let line = line
        advance()
        body.append(.output(try tuple(), line: line))
        try expect(.outputEnd)
      case .blockBegin:
        advance()
        if case .name(let name) = current.kind, ends.contains(name) {
          advance()
          return (body, name)
        }
        body.append(try nested { (parser) throws(TemplateError) in try parser.statement() })
        try expect(.blockEnd)
      default: throw unexpected("text or a tag")
      }
    }
  }

  /// The rest of a tag and what follows it up to one of the words.
  private mutating func body(until ends: [String]) throws(TemplateError) -> (body: [Statement], end: String?) {
    _ = skip(sign: ":")
    try expect(.blockEnd)
    return try statements(until: ends)
  }

  private mutating func block(until end: String) throws(TemplateError) -> Block {
    let frame = newFrame()
    return Block(frame: frame, statements: try body(until: [end]).body)
  }

  private mutating func statement() throws(TemplateError) -> Statement {
    let line = line
    let word = try expectName()
    switch word {
    case "if": return try conditional()
    case "for": return try loop(line)
    case "set": return try assignment(line)
    case "macro": return try macro()
    case "call": return try callBlock(line)
    case "filter":
      let filters = try filterChain(startsWithName: true)
      return .filter(filters, body: try block(until: "endfilter"), line: line)
    case "with": return try with(line)
    case "generation":
      // jinja2 makes a macro of it, so `break` does not reach through.
      return .generation(try macroBody(until: "endgeneration").body)
    case "break", "continue":
      guard isInLoop else { throw .syntax(line: line, reason: "'{% \(word) %}' outside a loop") }
      return word == "break" ? .breakLoop : .continueLoop
    default:
      if UnsupportedStatements.names.contains(word) { throw .unsupported(line: line, construct: "the statement '\(word)'") }
      throw .syntax(line: line, reason: "unknown statement '\(word)'")
    }
  }

  private mutating func conditional() throws(TemplateError) -> Statement {
    var branches: [ConditionalBranch] = []
    while true {
      let line = line
      let test = try tuple(allowsConditional: false)
      let (body, end) = try body(until: ["elif", "else", "endif"])
      branches.append(ConditionalBranch(test: test, body: body, line: line))
      if end == "elif" { continue }
      let otherwise = end == "else" ? try self.body(until: ["endif"]).body : []
      return .conditional(branches, otherwise: otherwise)
    }
  }

  private mutating func loop(_ line: Int) throws(TemplateError) -> Statement {
    loopDepth += 1
    defer { loopDepth -= 1 }
    let target = try assignmentTarget(allowsAttribute: false, end: "in")
    guard skip(word: "in") else { throw unexpected("'in'") }
    let iterable = try tuple(allowsConditional: false, end: "recursive")
    let test = skip(word: "if") ? try expression() : nil
    if isWord("recursive") { throw .unsupported(line: self.line, construct: "a recursive loop") }
    let wasInLoop = isInLoop
    isInLoop = true
    let (frame, testFrame) = (newFrame(), newFrame())
    let (body, end) = try body(until: ["endfor", "else"])
    isInLoop = wasInLoop
    let otherwise = end == "else" ? try block(until: "endfor") : Block(frame: newFrame(), statements: [])
    return .loop(
      LoopStatement(
        loopSymbol: try symbol("loop"), target: target, iterable: iterable, test: test, testFrame: testFrame,
        body: Block(frame: frame, statements: body), otherwise: otherwise, line: line))
  }

  private mutating func assignment(_ line: Int) throws(TemplateError) -> Statement {
    let target = try assignmentTarget(allowsAttribute: true)
    if skip(sign: "=") { return .assign(target, try tuple(), line: line) }
    let filters = try filterChain(startsWithName: false)
    return .assignBlock(target, filters: filters, body: try block(until: "endset"), line: line)
  }

  private mutating func with(_ line: Int) throws(TemplateError) -> Statement {
    var assignments: [(target: AssignmentTarget, value: Expression)] = []
    while current.kind != .blockEnd, !isSign(":") {
      if !assignments.isEmpty { try expect(sign: ",") }
      // Only here may a loop's `loop` get another meaning.
      let depth = loopDepth
      loopDepth = 0
      let target = try assignmentTarget(allowsAttribute: false)
      loopDepth = depth
      try expect(sign: "=")
      assignments.append((target, try expression()))
    }
    return .with(assignments, body: try block(until: "endwith"), line: line)
  }

  // MARK: Macros

  private mutating func macro() throws(TemplateError) -> Statement {
    let name = try expectName()
    let symbol = try symbol(name)
    let parameters = try signature()
    let (body, special) = try macroBody(until: "endmacro")
    return .macro(symbol: symbol, MacroDefinition(name: name, parameters: parameters, body: body, special: special))
  }

  private mutating func callBlock(_ line: Int) throws(TemplateError) -> Statement {
    let parameters = isSign("(") ? try signature() : []
    let call = try expression()
    guard case .postfix(_, let chain) = call, case .call? = chain.last?.kind else {
      throw .syntax(line: line, reason: "'{% call %}' needs a call of a macro")
    }
    let (body, special) = try macroBody(until: "endcall")
    return .call(call, caller: MacroDefinition(name: "caller", parameters: parameters, body: body, special: special), line: line)
  }

  private mutating func macroBody(
    until end: String
  ) throws(TemplateError) -> (body: Block, special: SpecialNames) {
    let wasInLoop = isInLoop
    isInLoop = false
    macros.append(SpecialNames())
    let body = try block(until: end)
    isInLoop = wasInLoop
    return (body, macros.popLast() ?? SpecialNames())
  }

  private mutating func signature() throws(TemplateError) -> [MacroParameter] {
    var parameters: [MacroParameter] = []
    try expect(sign: "(")
    while !isSign(")") {
      if !parameters.isEmpty { try expect(sign: ",") }
      guard parameters.count < RenderingLimits.argumentCount else {
        throw .limit(line: line, reason: "more than \(RenderingLimits.argumentCount) parameters")
      }
      let name = try expectName()
      let defaultValue = skip(sign: "=") ? try expression() : nil
      guard name != "caller" || defaultValue != nil else {
        throw .syntax(line: line, reason: "the parameter 'caller' needs a default")
      }
      guard defaultValue != nil || parameters.last?.defaultValue == nil else {
        throw .syntax(line: line, reason: "the parameter '\(name)' without a default follows one with a default")
      }
      parameters.append(MacroParameter(symbol: try symbol(name), name: name, defaultValue: defaultValue))
    }
    try expect(sign: ")")
    return parameters
  }

  // MARK: Targets

  private mutating func assignmentTarget(
    allowsAttribute: Bool, end: String? = nil
  ) throws(TemplateError) -> AssignmentTarget {
    var targets: [AssignmentTarget] = []
    var isTuple = false
    while true {
      if !targets.isEmpty { try expect(sign: ",") }
      if isTuple, isSign(")") || current.kind == .blockEnd || end.map({ isWord($0) }) == true { break }
      targets.append(try singleTarget(allowsAttribute))
      guard isSign(",") else { break }
      isTuple = true
    }
    return isTuple ? .tuple(targets) : targets[0]
  }

  private mutating func singleTarget(_ allowsAttribute: Bool) throws(TemplateError) -> AssignmentTarget {
    if isSign("(") {
      advance()
      let target = try nested { (parser) throws(TemplateError) in
        try parser.assignmentTarget(allowsAttribute: false)
      }
      try expect(sign: ")")
      return target
    }
    let line = line
    let name = try expectName()
    if ["true", "false", "True", "False", "none", "None"].contains(name) {
      throw .syntax(line: line, reason: "cannot assign to '\(name)'")
    }
    if name == "loop", loopDepth > 0, !isSign(".") {
      throw .syntax(line: line, reason: "cannot assign to 'loop' in a loop")
    }
    if allowsAttribute, skip(sign: ".") { return .attribute(namespace: try symbol(name), name: try expectName()) }
    return .name(try symbol(name))
  }
}
