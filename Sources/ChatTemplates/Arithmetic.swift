extension Renderer {
  func calculate(
    _ first: Expression, _ operations: [Operation], _ scope: Scope
  ) throws(TemplateError) -> TemplateValue {
    var value = try evaluate(first, scope)
    for operation in operations {
      let right = try evaluate(operation.operand, scope)
      line = operation.line
      value = try calculate(value, operation.operator, right)
    }
    return value
  }

  func calculate(
    _ left: TemplateValue, _ sign: Operation.Operator, _ right: TemplateValue
  ) throws(TemplateError) -> TemplateValue {
    if let left = left.integer, let right = right.integer { return try calculate(left, sign, right) }
    if let left = left.double, let right = right.double { return try calculate(left, sign, right) }
    switch (sign, left, right) {
    case (.add, .string(let left), .string(let right)):
      var text = left
      try checkLength(left.utf8.count + right.utf8.count)
      try allocate(left.utf8.count + right.utf8.count)
      text += right
      return .string(text)
    case (.add, .markup(let left), .string(let right)): return .markup(try counted(left + escaped(right)))
    case (.add, .string(let left), .markup(let right)): return .markup(try counted(escaped(left) + right))
    case (.add, .markup(let left), .markup(let right)): return .markup(try counted(left + right))
    case (.add, .sequence(let left), .sequence(let right))
    where left.kind == right.kind && (left.kind == .list || left.kind == .tuple):
      return try sequence(left.kind, left.elements + right.elements)
    case (.multiply, .string(let text), _): if let count = right.integer { return try repeated(text, count) }
    case (.multiply, _, .string(let text)): if let count = left.integer { return try repeated(text, count) }
    case (.multiply, .sequence(let sequence), _):
      if let count = right.integer { return try repeated(sequence, count) }
    case (.multiply, _, .sequence(let sequence)):
      if let count = left.integer { return try repeated(sequence, count) }
    case (.remainder, .string(let format), _): return .string(try formatted(percent: format, right))
    default: break
    }
    try requireDefined(left)
    try requireDefined(right)
    if case .markup = left { throw .unsupported(line: line, construct: "'\(sign.rawValue)' on the result of 'safe'") }
    throw failure("cannot calculate \(left.typeName) \(sign.rawValue) \(right.typeName)")
  }

  private func calculate(_ left: Int, _ sign: Operation.Operator, _ right: Int) throws(TemplateError) -> TemplateValue {
    let result: (partialValue: Int, overflow: Bool)
    switch sign {
    case .add: result = left.addingReportingOverflow(right)
    case .subtract: result = left.subtractingReportingOverflow(right)
    case .multiply: result = left.multipliedReportingOverflow(by: right)
    case .divide:
      guard right != 0 else { throw failure("division by zero") }
      return .double(Double(left) / Double(right))
    case .floorDivide, .remainder:
      guard right != 0 else { throw failure("division by zero") }
      let (quotient, overflow) = left.dividedReportingOverflow(by: right)
      let remainder = left.remainderReportingOverflow(dividingBy: right).partialValue
      // Python rounds down, Swift towards zero.
      let roundsDown = remainder != 0 && (remainder < 0) != (right < 0)
      result =
        sign == .remainder
        ? (roundsDown ? remainder + right : remainder, false) : (roundsDown ? quotient - 1 : quotient, overflow)
    case .power: return try power(left, right)
    }
    guard !result.overflow else { throw failure("\(left) \(sign.rawValue) \(right) does not fit 64 bits") }
    return .integer(result.partialValue)
  }

  private func power(_ base: Int, _ exponent: Int) throws(TemplateError) -> TemplateValue {
    guard exponent >= 0 else { throw .unsupported(line: line, construct: "'**' with a negative exponent") }
    var result = 1
    // Beyond 64 only 0, 1 and -1 have powers that fit.
    let count = base.magnitude <= 1 ? min(exponent, 2 + exponent % 2) : exponent
    for _ in 0..<min(count, 64) {
      let (product, overflow) = result.multipliedReportingOverflow(by: base)
      guard !overflow else { throw failure("\(base) ** \(exponent) does not fit 64 bits") }
      result = product
    }
    return .integer(result)
  }

  private func calculate(_ left: Double, _ sign: Operation.Operator, _ right: Double) throws(TemplateError) -> TemplateValue {
    switch sign {
    case .add: return .double(left + right)
    case .subtract: return .double(left - right)
    case .multiply: return .double(left * right)
    case .divide, .floorDivide, .remainder:
      guard right != 0 else { throw failure("division by zero") }
      if sign == .divide { return .double(left / right) }
      var remainder = left.truncatingRemainder(dividingBy: right)
      if remainder != 0, (remainder < 0) != (right < 0) { remainder += right }
      return .double(sign == .remainder ? remainder : ((left - remainder) / right).rounded())
    case .power: throw .unsupported(line: line, construct: "'**' of fractions")
    }
  }

  func signed(_ value: TemplateValue, isNegative: Bool, _ line: Int) throws(TemplateError) -> TemplateValue {
    self.line = line
    if let number = value.integer {
      guard !isNegative || number != .min else { throw failure("-(\(number)) does not fit 64 bits") }
      return .integer(isNegative ? -number : number)
    }
    if case .double(let number) = value { return .double(isNegative ? -number : number) }
    try requireDefined(value)
    throw failure("a sign before a value of type \(value.typeName)")
  }

  private func repeated(_ text: String, _ count: Int) throws(TemplateError) -> TemplateValue {
    let (bytes, overflow) = text.utf8.count.multipliedReportingOverflow(by: max(count, 0))
    try checkLength(overflow ? .max : bytes)
    try allocate(bytes)
    return .string(String(repeating: text, count: max(count, 0)))
  }

  private func repeated(_ sequence: ValueSequence, _ count: Int) throws(TemplateError) -> TemplateValue {
    guard sequence.kind == .list || sequence.kind == .tuple else { throw failure("a \(sequence.kind) cannot be repeated") }
    let (total, overflow) = sequence.elements.count.multipliedReportingOverflow(by: max(count, 0))
    guard !overflow, total <= RenderingLimits.steps else { throw .limit(line: line, reason: "a list of \(count) repeats") }
    try spend(total)
    try allocate(total * MemoryLayout<TemplateValue>.stride)
    let elements = Array(repeatElement(sequence.elements, count: max(count, 0)).joined())
    return .sequence(ValueSequence(sequence.kind, elements))
  }

  /// A text as the filter `escape` writes it.
  private func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "'": result += "&#39;"
      case "\"": result += "&#34;"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
