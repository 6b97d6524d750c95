extension Renderer {
  /// `value is test(…)`.
  func check(_ test: ValueTest, _ value: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> Bool {
    let operand: TemplateValue
    switch test {
    case .divisibleby, .sameas, .isIn, .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual:
      operand = try bind(arguments, to: ["other"], required: 1, of: test.rawValue)[0] ?? .none
    default:
      _ = try bind(arguments, to: [], of: test.rawValue)
      operand = .none
    }
    switch test {
    case .defined: return !value.isUndefined
    case .undefined: return value.isUndefined
    case .none: return value.isNone
    case .boolean: if case .bool = value { return true } else { return false }
    case .isTrue: if case .bool(true) = value { return true } else { return false }
    case .isFalse: if case .bool(false) = value { return true } else { return false }
    case .integer: if case .integer = value { return true } else { return false }
    case .float: if case .double = value { return true } else { return false }
    case .number: return value.double != nil
    case .string: return value.text != nil
    case .mapping: if case .object = value { return true } else { return false }
    case .callable:
      // A call of an undefined value fails, but there is something to call.
      if case .callable = value { return true } else { return value.isUndefined || value.isLoop }
    case .sequence:
      switch value {
      case .undefined, .string, .markup, .object: return true
      case .sequence(let sequence): return !sequence.isView
      default: return false
      }
    case .iterable:
      switch value {
      case .undefined, .string, .markup, .object, .sequence, .iterator, .loop: return true
      default: return false
      }
    case .lower, .upper:
      let text = try string(value)
      try spend(bytes: text.utf8.count)
      return test == .lower
        ? text.hasOnly(\.isLowercase, against: \.isUppercase) : text.hasOnly(\.isUppercase, against: \.isLowercase)
    case .odd: return try remainder(value, by: .integer(2)).isEqual(1)
    case .even: return try remainder(value, by: .integer(2)).isEqual(0)
    case .divisibleby: return try remainder(value, by: operand).isEqual(0)
    case .sameas: return try areSame(value, operand)
    case .isIn: return try contains(operand, value)
    case .equal: return try compare(value, .equal, operand)
    case .notEqual: return try compare(value, .notEqual, operand)
    case .less: return try compare(value, .less, operand)
    case .lessOrEqual: return try compare(value, .lessOrEqual, operand)
    case .greater: return try compare(value, .greater, operand)
    case .greaterOrEqual: return try compare(value, .greaterOrEqual, operand)
    }
  }

  private func remainder(_ value: TemplateValue, by divisor: TemplateValue) throws(TemplateError) -> TemplateValue {
    try calculate(value, .remainder, divisor)
  }

  /// Python's `is`. For numbers and strings it depends on Python's insides; here it is equality within one type.
  private func areSame(_ left: TemplateValue, _ right: TemplateValue) throws(TemplateError) -> Bool {
    switch (left, right) {
    case (.object(let left), .object(let right)): return left === right
    case (.sequence, _), (_, .sequence): throw .unsupported(line: line, construct: "the test 'sameas' of lists")
    default: return left.typeName == right.typeName ? try areEqual(left, right) : false
    }
  }
}

extension TemplateValue {
  var isNone: Bool { if case .none = self { true } else { false } }
  var isLoop: Bool { if case .loop = self { true } else { false } }
  fileprivate func isEqual(_ number: Double) -> Bool { double == number }
}
