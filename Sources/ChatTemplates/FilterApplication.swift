extension Renderer {
  /// `value|filter(…)`, as jinja2's filters of these names work.
  func apply(_ filter: Filter, to value: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    if let text = value.text { try spend(bytes: text.utf8.count) }
    try spend(on: arguments)
    switch filter {
    case .capitalize, .lower, .upper, .title, .trim, .replace, .indent, .format, .string, .safe, .tojson, .fromJSON:
      return try applyTextFilter(filter, to: value, arguments)
    case .abs, .float, .int, .round: return try applyNumberFilter(filter, to: value, arguments)
    case .map, .select, .reject, .selectattr, .rejectattr, .items, .unique:
      return try applyLazyFilter(filter, to: value, arguments)
    case .dictsort, .first, .join, .last, .length, .list, .max, .min, .reverse, .sort, .sum:
      return try applySequenceFilter(filter, to: value, arguments)
    case .defaultValue:
      let values = try bind(arguments, to: ["default_value", "boolean"], of: "default")
      let isMissing = value.isUndefined || (values[1]?.isTrue ?? false) && !value.isTrue
      return isMissing ? values[0] ?? .string("") : value
    }
  }

  /// Follows an attribute such as `function.name` or `0`, the way filters take it.
  func element(at path: TemplateValue, of value: TemplateValue) throws(TemplateError) -> TemplateValue {
    guard let path = path.text else { return try item(path, of: value) }
    var value = value
    for part in path.split(separator: ".", omittingEmptySubsequences: false) {
      let isNumber = !part.isEmpty && part.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      value = try item(isNumber ? .integer(Int(part) ?? .max) : .string(String(part)), of: value)
    }
    return value
  }

  /// What sorting compares: text without its case, unless case matters.
  func sortingKey(
    _ value: TemplateValue, attribute: TemplateValue?, isCaseSensitive: Bool
  ) throws(TemplateError) -> TemplateValue {
    var key = value
    if let attribute, case .none = attribute {} else if let attribute { key = try element(at: attribute, of: value) }
    guard !isCaseSensitive, let text = key.text else { return key }
    return .string(try counted(text.pythonLowercased))
  }
}
