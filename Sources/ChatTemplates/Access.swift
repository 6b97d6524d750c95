extension Renderer {
  /// `value.name`: a method or attribute of the type first, then an element.
  func attribute(_ name: String, of value: TemplateValue) throws(TemplateError) -> TemplateValue {
    try requireDefined(value)
    if let found = try ownAttribute(name, of: value) { return found }
    if case .object(let object) = value, let element = try element(of: object, at: .string(name)) { return element }
    return missing(name, of: value)
  }

  /// `value[item]`: an element first, then a method or attribute of the type.
  func item(_ item: TemplateValue, of value: TemplateValue) throws(TemplateError) -> TemplateValue {
    try requireDefined(value)
    switch (value, item) {
    case (.object(let object), .string), (.object(let object), .integer), (.object(let object), .bool),
      (.object(let object), .double), (.object(let object), .none):
      if let element = try element(of: object, at: item) { return element }
    case (.object(let object), .sequence(let sequence)) where sequence.kind == .tuple:
      if let element = try element(of: object, at: item) { return element }
    case (.sequence(let sequence), _) where !sequence.isView:
      if let place = item.integer {
        guard let place = Self.place(place, count: sequence.elements.count) else {
          return .undefined("the \(value.typeName) has no element \(place)")
        }
        return sequence.elements[place]
      }
    case (.string(let text), _), (.markup(let text), _):
      if let place = item.integer {
        let scalars = text.unicodeScalars
        try spend(bytes: text.utf8.count)
        guard let place = Self.place(place, count: scalars.count) else {
          return .undefined("the string has no element \(place)")
        }
        return .string(String(scalars[scalars.index(scalars.startIndex, offsetBy: place)]))
      }
    default: break
    }
    guard let name = item.text else { return .undefined("the \(value.typeName) has no such element") }
    return try ownAttribute(name, of: value) ?? missing(name, of: value)
  }

  func element(of object: ValueObject, at key: TemplateValue) throws(TemplateError) -> TemplateValue? {
    try spend(key: key)
    return object[key]
  }

  private func missing(_ name: String, of value: TemplateValue) -> TemplateValue {
    .undefined("'\(value.typeName)' has no attribute '\(name)'")
  }

  /// Counts from the end when negative; nil outside.
  private static func place(_ place: Int, count: Int) -> Int? {
    let place = place < 0 ? place + count : place
    return place >= 0 && place < count ? place : nil
  }

  private func ownAttribute(_ name: String, of value: TemplateValue) throws(TemplateError) -> TemplateValue? {
    let methods: Set<String>
    var forbidden: Set<String> = []
    var unsupported: Set<String> = []
    switch value {
    case .string, .markup: (methods, unsupported) = (Methods.ofString, Methods.unsupportedOfString)
    case .object:
      (methods, forbidden, unsupported) = (Methods.ofObject, Methods.forbiddenOfObject, Methods.unsupportedOfObject)
    case .sequence(let sequence):
      guard !sequence.isView else { return nil }
      methods = Methods.ofSequence
      if sequence.kind == .list {
        forbidden = Methods.forbiddenOfList
        unsupported = Methods.unsupportedOfList
      }
    case .namespace(let namespace):
      try spend(namespace.attributes.count * (1 + name.utf8.count >> 4))
      return namespace.attribute(name)
    case .integer, .double, .bool: (methods, unsupported) = ([], Methods.unsupportedOfNumber)
    case .callable(.macro(let macro)): return name == "name" ? .string(macro.definition.name) : nil
    case .loop(let loop):
      if let attribute = try loop.attribute(name, self) { return attribute }
      methods = Methods.ofLoop
    default: return nil
    }
    if methods.contains(name) {
      try allocate(64)
      return .callable(.method(receiver: MethodReceiver(value), name: name))
    }
    if forbidden.contains(name) {
      return .undefined("'\(name)' would change the \(value.typeName), which chat templates may not do")
    }
    if unsupported.contains(name) {
      throw .unsupported(line: line, construct: "'\(name)' of a \(value.typeName)")
    }
    return nil
  }

  /// Python's `value[start:stop:step]`.
  func slice(
    _ value: TemplateValue, start: TemplateValue, stop: TemplateValue, step: TemplateValue
  ) throws(TemplateError) -> TemplateValue {
    func bound(_ value: TemplateValue) throws(TemplateError) -> Int? {
      if case .none = value { return nil }
      guard let bound = value.integer else { throw failure("a slice needs integers, found \(value.typeName)") }
      return bound
    }
    let (start, stop, step) = (try bound(start), try bound(stop), try bound(step))
    guard step != 0 else { throw failure("a slice with step 0") }
    switch value {
    case .string(let text), .markup(let text):
      try spend(bytes: text.utf8.count)
      let scalars = text.unicodeScalars
      let places = Self.places(start, stop, step ?? 1, count: scalars.count)
      if let first = places.first(where: { _ in true }), step ?? 1 == 1 {
        let begin = scalars.index(scalars.startIndex, offsetBy: first)
        let end = scalars.index(begin, offsetBy: places.underestimatedCount)
        return .string(try counted(String(scalars[begin..<end])))
      }
      try allocate(text.utf8.count * 4)
      let all = Array(scalars)
      var result = String.UnicodeScalarView()
      for place in places { result.append(all[place]) }
      return .string(try counted(String(result)))
    case .sequence(let sequence) where !sequence.isView:
      let places = Self.places(start, stop, step ?? 1, count: sequence.elements.count)
      return try self.sequence(sequence.kind, places.map { sequence.elements[$0] })
    default:
      try requireDefined(value)
      throw failure("a value of type \(value.typeName) cannot be sliced")
    }
  }

  /// The places that Python's slice of `count` elements takes.
  private static func places(_ start: Int?, _ stop: Int?, _ step: Int, count: Int) -> StrideTo<Int> {
    func clamped(_ bound: Int?, _ fallback: Int, _ range: ClosedRange<Int>) -> Int {
      guard let bound else { return fallback }
      return min(max(bound < 0 ? bound + count : bound, range.lowerBound), range.upperBound)
    }
    // A step beyond the count takes one element, like the count itself.
    let step = min(max(step, -count - 1), count + 1)
    return step > 0
      ? stride(from: clamped(start, 0, 0...count), to: clamped(stop, count, 0...count), by: step)
      : stride(from: clamped(start, count - 1, -1...(count - 1)), to: clamped(stop, -1, -1...(count - 1)), by: step)
  }

  /// What a loop over the value walks: elements, keys, characters.
  func elements(of value: TemplateValue) throws(TemplateError) -> [TemplateValue] {
    switch value {
    case .undefined: return []
    case .sequence(let sequence):
      try spend(sequence.elements.count >> 4)
      return sequence.elements
    case .object(let object):
      try allocate(object.entries.count * MemoryLayout<TemplateValue>.stride)
      return object.entries.map { $0.key }
    case .string(let text), .markup(let text):
      try allocate(text.utf8.count * MemoryLayout<TemplateValue>.stride)
      return text.unicodeScalars.map { .string(String($0)) }
    case .iterator(let iterator):
      var elements: [TemplateValue] = []
      while let element = try iterator.next(self) {
        try allocate(MemoryLayout<TemplateValue>.stride)
        elements.append(element)
      }
      return elements
    default: throw failure("a value of type \(value.typeName) cannot be looped over")
    }
  }

  /// Python's `len(value)`; nil for what has none.
  func length(of value: TemplateValue) throws(TemplateError) -> Int? {
    switch value {
    case .undefined: return 0
    case .string(let text), .markup(let text):
      try spend(bytes: text.utf8.count)
      return text.unicodeScalars.count
    case .sequence(let sequence): return sequence.elements.count
    case .object(let object): return object.entries.count
    case .loop(let loop): return try loop.length(self)
    default: return nil
    }
  }
}
