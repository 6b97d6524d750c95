extension Renderer {
  func evaluate(_ expression: Expression, _ scope: Scope) throws(TemplateError) -> TemplateValue {
    try spend(1)
    switch expression {
    case .none: return .none
    case .bool(let value): return .bool(value)
    case .integer(let value): return .integer(value)
    case .double(let value): return .double(value)
    case .string(let value): return .string(value)
    case .name(let symbol): return try value(of: symbol, scope)
    default: return try nested { () throws(TemplateError) in try evaluateCompound(expression, scope) }
    }
  }

  private func evaluateCompound(_ expression: Expression, _ scope: Scope) throws(TemplateError) -> TemplateValue {
    switch expression {
    case .list(let elements): return try sequence(.list, try evaluate(elements, scope))
    case .tuple(let elements): return try sequence(.tuple, try evaluate(elements, scope))
    case .object(let items): return try evaluate(items, scope)
    case .not(let operand): return .bool(!(try evaluate(operand, scope).isTrue))
    case .sign(let isNegative, let operand, let line):
      return try signed(try evaluate(operand, scope), isNegative: isNegative, line)
    case .and(let operands): return try firstOperand(operands, scope, truth: false)
    case .or(let operands): return try firstOperand(operands, scope, truth: true)
    case .comparison(let first, let comparisons): return try compare(first, comparisons, scope)
    case .arithmetic(let first, let operations): return try calculate(first, operations, scope)
    case .concatenation(let operands): return try concatenate(operands, scope)
    case .conditional(let test, let value, let otherwise):
      if try evaluate(test, scope).isTrue { return try evaluate(value, scope) }
      guard let otherwise else {
        return .undefined("the inline if-expression on line \(line) evaluated to false and no else section was defined.")
      }
      return try evaluate(otherwise, scope)
    case .postfix(let base, let chain): return try apply(chain, to: try evaluate(base, scope), scope)
    case .none, .bool, .integer, .double, .string, .name: return try evaluate(expression, scope)
    }
  }

  func evaluate(_ expressions: [Expression], _ scope: Scope) throws(TemplateError) -> [TemplateValue] {
    var values: [TemplateValue] = []
    values.reserveCapacity(expressions.count)
    for expression in expressions { values.append(try evaluate(expression, scope)) }
    return values
  }

  private func evaluate(_ items: [ObjectItem], _ scope: Scope) throws(TemplateError) -> TemplateValue {
    var pairs: [(key: TemplateValue, value: TemplateValue)] = []
    for item in items {
      let key = try key(try evaluate(item.key, scope))
      pairs.append((key, try evaluate(item.value, scope)))
    }
    return try object(pairs)
  }

  /// The first operand that is (or is not) true, or else the last: `or` (or `and`).
  private func firstOperand(
    _ operands: [Expression], _ scope: Scope, truth: Bool
  ) throws(TemplateError) -> TemplateValue {
    var value = TemplateValue.none
    for operand in operands {
      value = try evaluate(operand, scope)
      if value.isTrue == truth { break }
    }
    return value
  }

  private func compare(
    _ first: Expression, _ comparisons: [Comparison], _ scope: Scope
  ) throws(TemplateError) -> TemplateValue {
    var left = try evaluate(first, scope)
    for comparison in comparisons {
      let right = try evaluate(comparison.operand, scope)
      line = comparison.line
      guard try compare(left, comparison.operator, right) else { return .bool(false) }
      left = right
    }
    return .bool(true)
  }

  func compare(
    _ left: TemplateValue, _ comparison: Comparison.Operator, _ right: TemplateValue
  ) throws(TemplateError) -> Bool {
    switch comparison {
    case .equal: try areEqual(left, right)
    case .notEqual: try !areEqual(left, right)
    case .less: try isLess(left, right)
    case .lessOrEqual: try isLessOrEqual(left, right)
    case .greater: try isLess(right, left)
    case .greaterOrEqual: try isLessOrEqual(right, left)
    case .isIn: try contains(right, left)
    case .isNotIn: try !contains(right, left)
    }
  }

  /// Not simply the opposite of greater: a NaN is neither.
  private func isLessOrEqual(_ left: TemplateValue, _ right: TemplateValue) throws(TemplateError) -> Bool {
    if try isLess(left, right) { return true }
    return try areEqual(left, right)
  }

  private func concatenate(_ operands: [Expression], _ scope: Scope) throws(TemplateError) -> TemplateValue {
    var text = ""
    for operand in operands { try append(try string(try evaluate(operand, scope)), to: &text) }
    return .string(text)
  }

  /// Applies what follows a value, from left to right.
  func apply(_ chain: some Collection<Postfix>, to base: TemplateValue, _ scope: Scope) throws(TemplateError) -> TemplateValue {
    var value = base
    for postfix in chain {
      try spend(1)
      value = try apply(postfix, to: value, scope)
    }
    return value
  }

  private func apply(_ postfix: Postfix, to value: TemplateValue, _ scope: Scope) throws(TemplateError) -> TemplateValue {
    switch postfix.kind {
    case .attribute(let name):
      line = postfix.line
      return try attribute(name, of: value)
    case .item(let expression):
      let item = try evaluate(expression, scope)
      line = postfix.line
      return try self.item(item, of: value)
    case .slice(let start, let stop, let step):
      let bounds = try evaluate([start ?? .none, stop ?? .none, step ?? .none], scope)
      line = postfix.line
      return try slice(value, start: bounds[0], stop: bounds[1], step: bounds[2])
    case .call(let list):
      let arguments = try evaluate(list, scope)
      line = postfix.line
      return try call(value, arguments)
    case .filter(let filter, let list):
      let arguments = try evaluate(list, scope)
      line = postfix.line
      return try apply(filter, to: value, arguments)
    case .test(let test, let list, let isNegated):
      let arguments = try evaluate(list, scope)
      line = postfix.line
      return .bool(try check(test, value, arguments) != isNegated)
    }
  }

  func evaluate(_ list: ArgumentList, _ scope: Scope) throws(TemplateError) -> Arguments {
    var arguments = Arguments(positional: try evaluate(list.positional, scope))
    for argument in list.named { arguments.named.append((argument.name, try evaluate(argument.value, scope))) }
    return arguments
  }
}
