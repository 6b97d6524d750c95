extension Renderer {
  /// The filters that return generators: they work when their result is walked.
  func applyLazyFilter(
    _ filter: Filter, to value: TemplateValue, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    switch filter {
    case .items:
      _ = try bind(arguments, to: [], of: "items")
      if value.isUndefined { return try iterator(over: value, []) { (_, element) throws(TemplateError) in element } }
      guard case .object(let object) = value else { throw failure("'items' needs an object, found \(value.typeName)") }
      return try iterator(over: try sequence(.items, try items(of: object)), []) { (_, element) throws(TemplateError) in
        element
      }
    case .unique: return try unique(value, arguments)
    case .map: return try mapped(value, arguments)
    default: return try selected(filter, value, arguments)
    }
  }

  /// Walks the source, lets `transform` change each element or drop it.
  private func iterator(
    over source: TemplateValue, _ arguments: [TemplateValue], skipsFalse: Bool = true,
    _ transform: @escaping (Renderer, TemplateValue) throws(TemplateError) -> TemplateValue?
  ) throws(TemplateError) -> TemplateValue {
    let depth = max(source.depth, arguments.reduce(0) { max($0, $1.depth) })
    if case .iterator(let iterator) = source {
      return try self.iterator(depth: depth) { (renderer) throws(TemplateError) in
        while let element = try iterator.next(renderer) {
          if let result = try transform(renderer, element) { return result }
        }
        return nil
      }
    }
    var walked: [TemplateValue]?
    var place = 0
    return try self.iterator(depth: depth) { (renderer) throws(TemplateError) in
      if walked == nil { walked = skipsFalse && !source.isTrue ? [] : try renderer.elements(of: source) }
      while let elements = walked, place < elements.count {
        try renderer.spend(1)
        place += 1
        if let result = try transform(renderer, elements[place - 1]) { return result }
      }
      return nil
    }
  }

  private func mapped(_ value: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    if arguments.positional.isEmpty, let attribute = arguments.named.first(where: { $0.name == "attribute" })?.value {
      let values = try bind(arguments, to: ["attribute", "default"], of: "map")
      return try iterator(over: value, values.compactMap { $0 }) { (renderer, element) throws(TemplateError) in
        let result = try renderer.element(at: attribute, of: element)
        if result.isUndefined, let defaultValue = values[1], !defaultValue.isNone { return defaultValue }
        return result
      }
    }
    guard let name = arguments.positional.first?.text else { throw failure("'map' needs a filter or an attribute") }
    guard let filter = Filter(name: name) else {
      throw .unsupported(line: line, construct: "the filter '\(name)'")
    }
    let rest = Arguments(positional: Array(arguments.positional.dropFirst()), named: arguments.named)
    return try iterator(over: value, rest.positional + rest.named.map { $0.value }) {
      (renderer, element) throws(TemplateError) in
      try renderer.apply(filter, to: element, rest)
    }
  }

  private func selected(
    _ filter: Filter, _ value: TemplateValue, _ arguments: Arguments
  ) throws(TemplateError) -> TemplateValue {
    let isRejecting = filter == .reject || filter == .rejectattr
    var rest = arguments
    var attribute: TemplateValue?
    if filter == .selectattr || filter == .rejectattr {
      guard !rest.positional.isEmpty else { throw failure("'\(filter.rawValue)' needs an attribute") }
      attribute = rest.positional.removeFirst()
    }
    var test: ValueTest?
    if !rest.positional.isEmpty {
      let name = try string(rest.positional.removeFirst())
      guard let found = ValueTest(name: name) else { throw .unsupported(line: line, construct: "the test '\(name)'") }
      test = found
    }
    let testArguments = rest
    return try iterator(over: value, arguments.positional) { (renderer, element) throws(TemplateError) in
      var tested = element
      if let attribute { tested = try renderer.element(at: attribute, of: element) }
      let isChosen = if let test { try renderer.check(test, tested, testArguments) } else { tested.isTrue }
      return isChosen == isRejecting ? nil : element
    }
  }

  private func unique(_ value: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    let values = try bind(arguments, to: ["case_sensitive", "attribute"], of: "unique")
    let isCaseSensitive = values[0]?.isTrue ?? false
    var seen: Set<ObjectKey> = []
    return try iterator(over: value, [], skipsFalse: false) { (renderer, element) throws(TemplateError) in
      let key = try renderer.sortingKey(element, attribute: values[1], isCaseSensitive: isCaseSensitive)
      try renderer.spend(key: key)
      return seen.insert(ObjectKey(value: key.isUndefined ? key : try renderer.key(key))).inserted ? element : nil
    }
  }
}
