extension Renderer {
  func applySequenceFilter(
    _ filter: Filter, to value: TemplateValue, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    switch filter {
    case .length:
      _ = try bind(arguments, to: [], of: "length")
      guard let length = try length(of: value) else { throw failure("a value of type \(value.typeName) has no length") }
      return .integer(length)
    case .list:
      _ = try bind(arguments, to: [], of: "list")
      return try list(try elements(of: value))
    case .first:
      _ = try bind(arguments, to: [], of: "first")
      let first: TemplateValue?
      if case .iterator(let iterator) = value {
        first = try iterator.next(self)
      } else {
        first = try elements(of: value).first
      }
      return first ?? .undefined("No first item, sequence was empty.")
    case .last:
      _ = try bind(arguments, to: [], of: "last")
      if case .iterator = value { throw failure("'last' needs a list, found \(value.typeName)") }
      return try elements(of: value).last ?? .undefined("No last item, sequence was empty.")
    case .reverse:
      _ = try bind(arguments, to: [], of: "reverse")
      if let text = value.text { return .string(try counted(String(String.UnicodeScalarView(text.unicodeScalars.reversed())))) }
      return try iterator(over: Array(try elements(of: value).reversed()))
    case .join: return try joined(value, arguments)
    case .sum: return try summed(value, arguments)
    case .min, .max: return try extremum(value, arguments, isMaximum: filter == .max)
    case .dictsort: return try sortedItems(value, arguments)
    default:
      let values = try bind(arguments, to: ["reverse", "case_sensitive", "attribute"], of: "sort")
      let isCaseSensitive = values[1]?.isTrue ?? false
      let sorted = try sorted(try elements(of: value), reverse: values[0]?.isTrue ?? false) {
        (element) throws(TemplateError) in
        // Python compares lists here, in which equal elements, undefined ones too, need no order.
        guard let attributes = values[2], !attributes.isNone else {
          return try list([try sortingKey(element, attribute: nil, isCaseSensitive: isCaseSensitive)])
        }
        var keys: [TemplateValue] = []
        let parts = attributes.text?.split(separator: ",", omittingEmptySubsequences: false)
        for part in parts?.map({ .string(String($0)) }) ?? [attributes] {
          keys.append(try sortingKey(element, attribute: part, isCaseSensitive: isCaseSensitive))
        }
        return try list(keys)
      }
      return try list(sorted)
    }
  }

  private func joined(_ value: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    let values = try bind(arguments, to: ["d", "attribute"], of: "join")
    let separator = try string(values[0] ?? .string(""))
    var text = ""
    for (place, element) in try elements(of: value).enumerated() {
      if place > 0 { try append(separator, to: &text) }
      var element = element
      if let attribute = values[1], !attribute.isNone { element = try self.element(at: attribute, of: element) }
      try append(try string(element), to: &text)
    }
    return .string(text)
  }

  private func summed(_ value: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    let values = try bind(arguments, to: ["attribute", "start"], of: "sum")
    var sum = values[1] ?? .integer(0)
    for element in try elements(of: value) {
      var element = element
      if let attribute = values[0], !attribute.isNone { element = try self.element(at: attribute, of: element) }
      sum = try calculate(sum, .add, element)
    }
    return sum
  }

  private func extremum(_ value: TemplateValue, _ arguments: Arguments, isMaximum: Bool) throws(TemplateError) -> TemplateValue {
    let name = isMaximum ? "max" : "min"
    let values = try bind(arguments, to: ["case_sensitive", "attribute"], of: name)
    var best: (key: TemplateValue, element: TemplateValue)?
    for element in try elements(of: value) {
      let key = try sortingKey(element, attribute: values[1], isCaseSensitive: values[0]?.isTrue ?? false)
      guard let current = best else {
        best = (key, element)
        continue
      }
      if try isMaximum ? isLess(current.key, key) : isLess(key, current.key) { best = (key, element) }
    }
    return best?.element ?? .undefined("No aggregated item, sequence was empty.")
  }

  private func sortedItems(_ value: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    let values = try bind(arguments, to: ["case_sensitive", "by", "reverse"], of: "dictsort")
    guard case .object(let object) = value else {
      try requireDefined(value)
      throw failure("'dictsort' needs an object, found \(value.typeName)")
    }
    let by = values[1]?.text ?? "key"
    guard by == "key" || by == "value" else { throw failure("'dictsort' sorts by 'key' or 'value'") }
    let isCaseSensitive = values[0]?.isTrue ?? false
    let entries = try sorted(object.entries, reverse: values[2]?.isTrue ?? false) { (entry) throws(TemplateError) in
      try sortingKey(by == "key" ? entry.key : entry.value, attribute: nil, isCaseSensitive: isCaseSensitive)
    }
    var items: [TemplateValue] = []
    for entry in entries { items.append(try sequence(.tuple, [entry.key, entry.value])) }
    return try list(items)
  }

  private func iterator(over elements: [TemplateValue]) throws(TemplateError) -> TemplateValue {
    var place = 0
    return try iterator(depth: ValueSequence(.list, elements).depth) { (_) throws(TemplateError) in
      guard place < elements.count else { return nil }
      place += 1
      return elements[place - 1]
    }
  }
}
