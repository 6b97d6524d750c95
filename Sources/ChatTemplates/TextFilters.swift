import SwiftletJSON

extension Renderer {
  func applyTextFilter(
    _ filter: Filter, to value: TemplateValue, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    if case .markup = value, filter != .tojson, filter != .string, filter != .safe {
      throw .unsupported(line: line, construct: "the filter '\(filter.rawValue)' on the result of 'safe'")
    }
    switch filter {
    case .tojson: return .string(try json(value, arguments))
    case .fromJSON:
      guard let text = value.text else { throw failure("'from_json' needs a string, found \(value.typeName)") }
      let parsed: JSONValue
      do throws(JSONError) {
        parsed = try JSONValue(parsing: text)
      } catch {
        throw failure("'from_json' of a text that is not JSON: \(error)")
      }
      return try self.value(parsed)
    case .string:
      if case .markup = value { return value }
      return .string(try string(value))
    case .safe: return .markup(try string(value))
    case .trim:
      let values = try bind(arguments, to: ["chars"], of: "trim")
      var characters: String?
      if let value = values[0], !value.isNone {
        guard let text = value.text else { throw failure("'trim' needs a string, found \(value.typeName)") }
        characters = text
      }
      return .string(try counted(try string(value).stripped(characters)))
    case .replace:
      let values = try bind(arguments, to: ["old", "new", "count"], required: 2, of: "replace")
      let count = values[2]?.integer
      if let value = values[2], !value.isNone, count == nil { throw failure("'replace' needs an integer count") }
      return .string(
        try replaced(
          try string(value), try string(values[0] ?? .none), by: try string(values[1] ?? .none), count: count))
    case .indent: return try indented(value, arguments)
    case .format:
      let format = try string(value)
      guard arguments.named.isEmpty else { throw .unsupported(line: line, construct: "'format' with names") }
      return .string(try formatted(percent: format, try sequence(.tuple, arguments.positional)))
    default:
      _ = try bind(arguments, to: [], of: filter.rawValue)
      let text = try string(value)
      try spend(bytes: text.utf8.count)
      switch filter {
      case .upper: return .string(try counted(text.pythonUppercased))
      case .lower: return .string(try counted(text.pythonLowercased))
      case .capitalize: return .string(try counted(text.pythonCapitalized))
      default: return .string(try counted(titled(text)))
      }
    }
  }

  /// The filter `title`, unlike Python's method: a word starts after white space, a hyphen or an opening bracket.
  private func titled(_ text: String) -> String {
    var result = ""
    var rest: [Unicode.Scalar] = []
    var isStart = true
    func finish() {
      var word = String.UnicodeScalarView()
      word.append(contentsOf: rest)
      result += String(word).pythonLowercased
      rest.removeAll()
    }
    for scalar in text.unicodeScalars {
      if scalar.isPythonSpace || ["-", "(", "{", "[", "<"].contains(scalar) {
        finish()
        result.unicodeScalars.append(scalar)
        isStart = true
      } else if isStart {
        result += scalar.properties.uppercaseMapping
        isStart = false
      } else {
        rest.append(scalar)
      }
    }
    finish()
    return result
  }

  private func indented(_ value: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    let values = try bind(arguments, to: ["width", "first", "blank"], of: "indent")
    guard let text = value.text else { throw failure("'indent' needs a string, found \(value.typeName)") }
    var indention = "    "
    if let width = values[0]?.text {
      indention = width
    } else if let width = values[0] {
      guard let width = width.integer else { throw failure("'indent' needs a width, found \(width.typeName)") }
      try checkLength(max(width, 0))
      indention = try counted(String(repeating: " ", count: max(width, 0)))
    }
    let indentsBlank = values[2]?.isTrue ?? false
    var result = values[1]?.isTrue ?? false ? indention : ""
    for (place, line) in try lines(of: text + "\n").enumerated() {
      if place > 0 {
        try append("\n", to: &result)
        if indentsBlank || !line.isEmpty { try append(indention, to: &result) }
      }
      try append(line, to: &result)
    }
    return .string(result)
  }

  func applyNumberFilter(
    _ filter: Filter, to value: TemplateValue, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    switch filter {
    case .int:
      let values = try bind(arguments, to: ["default", "base"], of: "int")
      try requireDefined(value)
      if let base = values[1], base.integer != 10 { throw .unsupported(line: line, construct: "'int' with a base") }
      if let number = value.integer { return .integer(number) }
      if let text = value.text {
        let digits = text.stripped()
        if let number = Int(digits.filter { $0 != "_" }), Self.hasPlainUnderscores(digits) { return .integer(number) }
      }
      guard let number = Self.number(value) else { return values[0] ?? .integer(0) }
      if number.isFinite, let integer = Int(exactly: number.rounded(.towardZero)) { return .integer(integer) }
      if number.isFinite || value.text == nil { throw failure("'int' of \(TemplateValue.text(of: number))") }
      return values[0] ?? .integer(0)
    case .float:
      let values = try bind(arguments, to: ["default"], of: "float")
      try requireDefined(value)
      return Self.number(value).map { .double($0) } ?? values[0] ?? .double(0)
    case .abs:
      _ = try bind(arguments, to: [], of: "abs")
      if let number = value.integer, number != .min { return .integer(abs(number)) }
      if case .double(let number) = value { return .double(number.magnitude) }
      try requireDefined(value)
      throw failure("'abs' needs a number, found \(value.typeName)")
    default: return try rounded(value, arguments)
    }
  }

  /// Python's `float(value)`; nil when it is no number.
  private static func number(_ value: TemplateValue) -> Double? {
    guard let text = value.text else { return value.double }
    let digits = text.stripped()
    guard hasPlainUnderscores(digits), !digits.utf8.contains(where: { $0 | 0x20 == UInt8(ascii: "x") || $0 == UInt8(ascii: "(") })
    else { return nil }
    return Double(digits.filter { $0 != "_" })
  }

  /// Python's numbers may have single underscores between their digits.
  private static func hasPlainUnderscores(_ text: String) -> Bool {
    guard text.utf8.contains(UInt8(ascii: "_")) else { return true }
    return text.utf8.split(separator: UInt8(ascii: "_"), omittingEmptySubsequences: false).allSatisfy { part in
      guard let first = part.first, let last = part.last else { return false }
      let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
      return digits.contains(last) && (digits.contains(first) || part.startIndex == text.utf8.startIndex)
    }
  }

  private func rounded(_ value: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    let values = try bind(arguments, to: ["precision", "method"], of: "round")
    guard let number = value.double else {
      try requireDefined(value)
      throw failure("'round' needs a number, found \(value.typeName)")
    }
    if let precision = values[0], precision.integer != 0 { throw .unsupported(line: line, construct: "'round' to decimals") }
    switch values[1]?.text ?? "common" {
    case "common": return value.integer.map { .integer($0) } ?? .double(number.rounded(.toNearestOrEven))
    case "ceil": return .double(number.rounded(.up))
    case "floor": return .double(number.rounded(.down))
    default: throw failure("'round' knows the methods 'common', 'ceil' and 'floor'")
    }
  }
}
