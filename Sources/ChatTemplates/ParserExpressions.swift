extension Parser {
  /// One expression, or several with commas between, which make a tuple.
  mutating func tuple(
    allowsConditional: Bool = true, isParenthesized: Bool = false, end: String? = nil
  ) throws(TemplateError) -> Expression {
    var elements: [Expression] = []
    var isTuple = false
    while true {
      if !elements.isEmpty { try expect(sign: ",") }
      if current.kind == .outputEnd || current.kind == .blockEnd || isSign(")") || end.map({ isWord($0) }) == true { break }
      elements.append(try expression(allowsConditional: allowsConditional))
      guard isSign(",") else { break }
      isTuple = true
    }
    if !isTuple {
      if let element = elements.first { return element }
      guard isParenthesized else { throw unexpected("an expression") }
    }
    return .tuple(elements)
  }

  mutating func expression(allowsConditional: Bool = true) throws(TemplateError) -> Expression {
    try nested { (parser) throws(TemplateError) in
      allowsConditional ? try parser.conditionalExpression() : try parser.disjunction()
    }
  }

  private mutating func conditionalExpression() throws(TemplateError) -> Expression {
    var value = try disjunction()
    var count = 0
    while skip(word: "if") {
      count += 1
      guard count <= RenderingLimits.syntaxDepth else { throw .limit(line: line, reason: "a chain of too many 'if'") }
      let test = try disjunction()
      let otherwise: Expression? =
        skip(word: "else")
        ? try nested { (parser) throws(TemplateError) in try parser.conditionalExpression() } : nil
      value = .conditional(test: test, value: value, otherwise: otherwise)
    }
    return value
  }

  private mutating func disjunction() throws(TemplateError) -> Expression {
    var operands = [try conjunction()]
    while skip(word: "or") { operands.append(try conjunction()) }
    return operands.count == 1 ? operands[0] : .or(operands)
  }

  private mutating func conjunction() throws(TemplateError) -> Expression {
    var operands = [try negation()]
    while skip(word: "and") { operands.append(try negation()) }
    return operands.count == 1 ? operands[0] : .and(operands)
  }

  private mutating func negation() throws(TemplateError) -> Expression {
    guard skip(word: "not") else { return try comparison() }
    return .not(try nested { (parser) throws(TemplateError) in try parser.negation() })
  }

  private mutating func comparison() throws(TemplateError) -> Expression {
    let first = try sum()
    var comparisons: [Comparison] = []
    while let (comparison, length) = comparisonOperator() {
      let line = line
      for _ in 0..<length { advance() }
      comparisons.append(Comparison(operator: comparison, operand: try sum(), line: line))
    }
    return comparisons.isEmpty ? first : .comparison(first, comparisons)
  }

  private func comparisonOperator() -> (Comparison.Operator, length: Int)? {
    switch current.kind {
    case .sign(let sign): Comparison.Operator(rawValue: sign).map { ($0, 1) }
    case .name("in"): (.isIn, 1)
    case .name("not") where next.kind == .name("in"): (.isNotIn, 2)
    default: nil
    }
  }

  private mutating func sum() throws(TemplateError) -> Expression {
    let first = try concatenation()
    var operations: [Operation] = []
    while let sign = arithmeticSign(among: ["+", "-"]) {
      let line = line
      advance()
      operations.append(Operation(operator: sign, operand: try concatenation(), line: line))
    }
    return operations.isEmpty ? first : .arithmetic(first, operations)
  }

  private mutating func concatenation() throws(TemplateError) -> Expression {
    var operands = [try product()]
    while skip(sign: "~") { operands.append(try product()) }
    return operands.count == 1 ? operands[0] : .concatenation(operands)
  }

  private mutating func product() throws(TemplateError) -> Expression {
    let first = try power()
    var operations: [Operation] = []
    while let sign = arithmeticSign(among: ["*", "/", "//", "%"]) {
      let line = line
      advance()
      operations.append(Operation(operator: sign, operand: try power(), line: line))
    }
    return operations.isEmpty ? first : .arithmetic(first, operations)
  }

  private mutating func power() throws(TemplateError) -> Expression {
    let first = try unary()
    var operations: [Operation] = []
    while let sign = arithmeticSign(among: ["**"]) {
      let line = line
      advance()
      operations.append(Operation(operator: sign, operand: try unary(), line: line))
    }
    return operations.isEmpty ? first : .arithmetic(first, operations)
  }

  private func arithmeticSign(among signs: [String]) -> Operation.Operator? {
    guard case .sign(let sign) = current.kind, signs.contains(sign) else { return nil }
    return Operation.Operator(rawValue: sign)
  }

  private mutating func unary(allowsFilters: Bool = true) throws(TemplateError) -> Expression {
    let line = line
    var value: Expression
    if isSign("-") || isSign("+") {
      let isNegative = isSign("-")
      advance()
      let operand = try nested { (parser) throws(TemplateError) in try parser.unary(allowsFilters: false) }
      value = .sign(isNegative: isNegative, operand, line: line)
    } else {
      value = try primary()
    }
    var chain: [Postfix] = []
    while let postfix = try accessOrCall(of: value, after: chain) { chain.append(postfix) }
    if allowsFilters {
      while let postfix = try filterOrTest() { chain.append(postfix) }
    }
    return chain.isEmpty ? value : .postfix(value, chain)
  }

  private mutating func primary() throws(TemplateError) -> Expression {
    let token = current
    switch token.kind {
    case .name(let name):
      advance()
      switch name {
      case "true", "True": return .bool(true)
      case "false", "False": return .bool(false)
      case "none", "None": return .none
      default: return .name(try load(name))
      }
    case .string(var text):
      advance()
      while case .string(let more) = current.kind {
        text += more
        advance()
      }
      return .string(text)
    case .integer(let value):
      advance()
      return .integer(value)
    case .double(let value):
      advance()
      return .double(value)
    case .sign("("):
      advance()
      let value = try tuple(isParenthesized: true)
      try expect(sign: ")")
      return value
    case .sign("["): return try listLiteral()
    case .sign("{"): return try objectLiteral()
    default: throw unexpected("an expression")
    }
  }

  private mutating func listLiteral() throws(TemplateError) -> Expression {
    var elements: [Expression] = []
    try expect(sign: "[")
    while !isSign("]") {
      if !elements.isEmpty { try expect(sign: ",") }
      if isSign("]") { break }
      elements.append(try expression())
    }
    try expect(sign: "]")
    return .list(elements)
  }

  private mutating func objectLiteral() throws(TemplateError) -> Expression {
    var items: [ObjectItem] = []
    try expect(sign: "{")
    while !isSign("}") {
      if !items.isEmpty { try expect(sign: ",") }
      if isSign("}") { break }
      let key = try expression()
      try expect(sign: ":")
      items.append(ObjectItem(key: key, value: try expression()))
    }
    try expect(sign: "}")
    return .object(items)
  }

  // MARK: What follows a value

  private mutating func accessOrCall(
    of value: Expression, after chain: [Postfix]
  ) throws(TemplateError) -> Postfix? {
    let line = line
    switch current.kind {
    case .sign("."):
      advance()
      switch current.kind {
      case .name(let name):
        advance()
        return Postfix(kind: .attribute(name), line: line)
      case .integer(let place):
        advance()
        return Postfix(kind: .item(.integer(place)), line: line)
      default: throw unexpected("a name or a number")
      }
    case .sign("["):
      advance()
      let kind = try subscriptKind()
      if isSign(",") { throw .unsupported(line: line, construct: "a subscript of several values") }
      try expect(sign: "]")
      return Postfix(kind: kind, line: line)
    case .sign("("):
      try refuseUnsupportedCall(of: value, after: chain, line)
      return Postfix(kind: .call(try argumentList()), line: line)
    default: return nil
    }
  }

  /// Refuses what Jinja can call and this module cannot, as far as the template alone tells.
  private func refuseUnsupportedCall(of value: Expression, after chain: [Postfix], _ line: Int) throws(TemplateError) {
    if chain.isEmpty, case .name(let symbol) = value, GlobalFunction.unsupported.contains(names[symbol]) {
      throw .unsupported(line: line, construct: "the function '\(names[symbol])'")
    }
    if case .attribute(let name)? = chain.last?.kind, Methods.isUnsupported(name) {
      throw .unsupported(line: line, construct: "the method '\(name)'")
    }
  }

  private mutating func subscriptKind() throws(TemplateError) -> Postfix.Kind {
    var start: Expression?
    if !isSign(":") {
      let item = try expression()
      guard isSign(":") else { return .item(item) }
      start = item
    }
    advance()
    var stop: Expression?
    if !isSign(":"), !isSign("]"), !isSign(",") { stop = try expression() }
    var step: Expression?
    if skip(sign: ":"), !isSign("]"), !isSign(",") { step = try expression() }
    return .slice(start: start, stop: stop, step: step)
  }

  private mutating func argumentList() throws(TemplateError) -> ArgumentList {
    var arguments = ArgumentList()
    try expect(sign: "(")
    var isFirst = true
    while !isSign(")") {
      if !isFirst {
        try expect(sign: ",")
        if isSign(")") { break }
      }
      isFirst = false
      if isSign("*") || isSign("**") { throw .unsupported(line: line, construct: "unpacking arguments with '*'") }
      if case .name(let name) = current.kind, next.kind == .sign("=") {
        advance()
        advance()
        if arguments.named.contains(where: { $0.name == name }) {
          throw .syntax(line: line, reason: "the argument '\(name)' is given twice")
        }
        guard arguments.named.count < RenderingLimits.argumentCount else {
          throw .limit(line: line, reason: "more than \(RenderingLimits.argumentCount) arguments with names")
        }
        arguments.named.append(NamedArgument(name: name, value: try expression()))
      } else {
        guard arguments.named.isEmpty else {
          throw .syntax(line: line, reason: "an argument without a name follows one with a name")
        }
        arguments.positional.append(try expression())
      }
    }
    try expect(sign: ")")
    return arguments
  }

  private mutating func filterOrTest() throws(TemplateError) -> Postfix? {
    let line = line
    switch current.kind {
    case .sign("|"):
      advance()
      return try filter(line)
    case .name("is"):
      advance()
      return try test(line)
    case .sign("("): return Postfix(kind: .call(try argumentList()), line: line)
    default: return nil
    }
  }

  /// The filters of `{% filter a|b %}` or `{% set x | a %}`.
  mutating func filterChain(startsWithName: Bool) throws(TemplateError) -> [Postfix] {
    var chain: [Postfix] = []
    var isStart = startsWithName
    while isStart || isSign("|") {
      if !isStart { advance() }
      isStart = false
      chain.append(try filter(line))
    }
    return chain
  }

  private mutating func dottedName() throws(TemplateError) -> String {
    var name = try expectName()
    while skip(sign: ".") { name += "." + (try expectName()) }
    return name
  }

  private mutating func filter(_ line: Int) throws(TemplateError) -> Postfix {
    let name = try dottedName()
    guard let filter = Filter(name: name) else { throw .unsupported(line: line, construct: "the filter '\(name)'") }
    let arguments = isSign("(") ? try argumentList() : ArgumentList()
    try refuseUnsupportedName(in: arguments, of: filter, line)
    return Postfix(kind: .filter(filter, arguments), line: line)
  }

  /// `map('upper')` and `select('odd')` take the name of a filter or test.
  private func refuseUnsupportedName(in arguments: ArgumentList, of filter: Filter, _ line: Int) throws(TemplateError) {
    let place: Int
    switch filter {
    case .map, .select, .reject: place = 0
    case .selectattr, .rejectattr: place = 1
    default: return
    }
    guard arguments.positional.count > place, case .string(let name) = arguments.positional[place] else { return }
    if filter == .map, Filter(name: name) == nil { throw .unsupported(line: line, construct: "the filter '\(name)'") }
    if filter != .map, ValueTest(name: name) == nil { throw .unsupported(line: line, construct: "the test '\(name)'") }
  }

  private mutating func test(_ line: Int) throws(TemplateError) -> Postfix {
    let isNegated = skip(word: "not")
    let name = try dottedName()
    guard let test = ValueTest(name: name) else { throw .unsupported(line: line, construct: "the test '\(name)'") }
    var arguments = ArgumentList()
    switch current.kind {
    case .sign("("): arguments = try argumentList()
    case .name("is"): throw .syntax(line: line, reason: "tests cannot follow one another with 'is'")
    case .name("else"), .name("or"), .name("and"): break
    case .name, .string, .integer, .double, .sign("["), .sign("{"):
      let value = try nested { (parser) throws(TemplateError) in try parser.primary() }
      var chain: [Postfix] = []
      while let postfix = try accessOrCall(of: value, after: chain) { chain.append(postfix) }
      arguments.positional = [chain.isEmpty ? value : .postfix(value, chain)]
    default: break
    }
    return Postfix(kind: .test(test, arguments, isNegated: isNegated), line: line)
  }
}
