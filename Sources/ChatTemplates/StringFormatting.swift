extension Renderer {
  /// Python's `format % values`, without widths and precisions.
  func formatted(percent format: String, _ value: TemplateValue) throws(TemplateError) -> String {
    var values = [value]
    if case .sequence(let sequence) = value, sequence.kind == .tuple { values = sequence.elements }
    var used = 0
    var text = ""
    var scalars = format.unicodeScalars.makeIterator()
    try spend(bytes: format.utf8.count)
    while let scalar = scalars.next() {
      guard scalar == "%" else {
        try append(String(scalar), to: &text)
        continue
      }
      guard let kind = scalars.next() else { throw failure("a format that ends in '%'") }
      if kind == "%" {
        try append("%", to: &text)
        continue
      }
      guard ["s", "d", "i", "r"].contains(kind) else { throw .unsupported(line: line, construct: "the format '%\(kind)'") }
      guard used < values.count else { throw failure("a format with more places than values") }
      let value = values[used]
      used += 1
      switch kind {
      case "s": try append(try string(value), to: &text)
      case "r": try append(try representation(value), to: &text)
      default:
        guard let number = value.double, let integer = value.integer ?? Int(exactly: number.rounded(.towardZero)) else {
          throw failure("the format '%\(kind)' needs a number, found \(value.typeName)")
        }
        try append(String(integer), to: &text)
      }
    }
    // Python lets values with a subscript go unused, since a format may have names.
    let takesNames =
      switch value {
      case .object, .undefined: true
      case .sequence(let sequence): !sequence.isView && sequence.kind != .tuple
      default: false
      }
    guard used == values.count || takesNames else { throw failure("a format with fewer places than values") }
    return text
  }

  /// Python's `format.format(…)`, with places `{}`, `{0}` and `{name}`.
  func formatted(braces format: String, _ arguments: Arguments) throws(TemplateError) -> String {
    var text = ""
    var nextPlace = 0
    var rest = Array(format.unicodeScalars)[...]
    while let scalar = rest.popFirst() {
      if scalar == "{" || scalar == "}", rest.first == scalar {
        rest.removeFirst()
        try append(String(scalar), to: &text)
        continue
      }
      guard scalar == "{" else {
        guard scalar != "}" else { throw failure("a format with a single '}'") }
        try append(String(scalar), to: &text)
        continue
      }
      guard let end = rest.firstIndex(of: "}") else { throw failure("a format with a '{' that is not closed") }
      var field = String.UnicodeScalarView()
      field.append(contentsOf: rest[..<end])
      rest = rest[(end + 1)...]
      try append(try string(try value(of: String(field), arguments, &nextPlace)), to: &text)
    }
    return text
  }

  private func value(
    of field: String, _ arguments: Arguments, _ nextPlace: inout Int
  ) throws(TemplateError) -> TemplateValue {
    if field.isEmpty || Int(field) != nil {
      let place = Int(field) ?? nextPlace
      nextPlace += 1
      guard arguments.positional.indices.contains(place) else { throw failure("a format with more places than values") }
      return arguments.positional[place]
    }
    guard field.unicodeScalars.allSatisfy({ $0 == "_" || $0.properties.isXIDContinue }) else {
      throw .unsupported(line: line, construct: "the format field '{\(field)}'")
    }
    guard let argument = arguments.named.first(where: { $0.name == field }) else {
      throw failure("a format without the value '\(field)'")
    }
    return argument.value
  }
}
