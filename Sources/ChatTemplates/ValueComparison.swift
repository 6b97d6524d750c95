extension String {
  /// Python's equality of strings: the same scalars. Swift's `==` would also call canonically equivalent strings equal.
  func hasSameScalars(as other: String) -> Bool {
    utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
  }
}

/// A key of an object: equal as Python's keys are, so that `1`, `1.0` and `true` are one.
struct ObjectKey: Hashable {
  let value: TemplateValue

  static func == (left: ObjectKey, right: ObjectKey) -> Bool {
    switch (left.value, right.value) {
    case (.string(let left), .string(let right)): return left.hasSameScalars(as: right)
    case (.none, .none): return true
    case (.sequence(let left), .sequence(let right)):
      return left.elements.count == right.elements.count
        && zip(left.elements, right.elements).allSatisfy { ObjectKey(value: $0) == ObjectKey(value: $1) }
    default:
      if let left = left.value.integer, let right = right.value.integer { return left == right }
      guard let left = left.value.double, let right = right.value.double else { return false }
      return left == right
    }
  }

  func hash(into hasher: inout Hasher) {
    switch value {
    case .string(var text): text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    case .sequence(let tuple): for element in tuple.elements { ObjectKey(value: element).hash(into: &hasher) }
    default: if let number = value.double { hasher.combine(number) }
    }
  }
}

extension Renderer {
  /// Whether the value may be an object's key; Python calls that hashable.
  func key(_ value: TemplateValue) throws(TemplateError) -> TemplateValue {
    switch value {
    case .markup(let text): return .string(text)
    case .string, .none, .bool, .integer, .double: return value
    case .sequence(let tuple) where tuple.kind == .tuple:
      var elements: [TemplateValue] = []
      for element in tuple.elements { elements.append(try key(element)) }
      return .tuple(elements)
    default: throw failure("a value of type \(value.typeName) cannot be a key")
    }
  }

  /// Python's `==`.
  func areEqual(_ left: TemplateValue, _ right: TemplateValue) throws(TemplateError) -> Bool {
    try spend(1)
    switch (left, right) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.string(let left), .string(let right)), (.markup(let left), .string(let right)),
      (.string(let left), .markup(let right)), (.markup(let left), .markup(let right)):
      try spend(bytes: min(left.utf8.count, right.utf8.count))
      return left.hasSameScalars(as: right)
    case (.sequence(let left), .sequence(let right)):
      guard left.kind == right.kind, left.elements.count == right.elements.count else { return false }
      for (left, right) in zip(left.elements, right.elements) where try !areEqual(left, right) { return false }
      return true
    case (.object(let left), .object(let right)):
      guard left.entries.count == right.entries.count else { return false }
      for entry in left.entries {
        guard let other = try element(of: right, at: entry.key), try areEqual(entry.value, other) else { return false }
      }
      return true
    case (.namespace(let left), .namespace(let right)): return left === right
    case (.iterator(let left), .iterator(let right)): return left === right
    case (.loop(let left), .loop(let right)): return left === right
    case (.callable(let left), .callable(let right)):
      switch (left, right) {
      case (.function(let left), .function(let right)): return left == right
      case (.macro(let left), .macro(let right)): return left === right
      default: return false
      }
    default:
      if let left = left.integer, let right = right.integer { return left == right }
      guard let left = left.double, let right = right.double else { return false }
      return left == right
    }
  }

  /// Python's `<`.
  func isLess(_ left: TemplateValue, _ right: TemplateValue) throws(TemplateError) -> Bool {
    try spend(1)
    if let left = left.integer, let right = right.integer { return left < right }
    if let left = left.double, let right = right.double { return left < right }
    switch (left, right) {
    case (.string(let left), .string(let right)):
      try spend(bytes: min(left.utf8.count, right.utf8.count))
      // The order of UTF-8 bytes is that of scalars.
      return left.utf8.lexicographicallyPrecedes(right.utf8)
    case (.sequence(let left), .sequence(let right))
    where left.kind == right.kind && (left.kind == .list || left.kind == .tuple):
      for (left, right) in zip(left.elements, right.elements) where try !areEqual(left, right) {
        return try isLess(left, right)
      }
      return left.elements.count < right.elements.count
    default:
      try requireDefined(left)
      try requireDefined(right)
      throw failure("cannot order values of the types \(left.typeName) and \(right.typeName)")
    }
  }

  /// Python's `item in container`.
  func contains(_ container: TemplateValue, _ item: TemplateValue) throws(TemplateError) -> Bool {
    switch container {
    case .string(let text), .markup(let text):
      guard let part = item.text else {
        try requireDefined(item)
        throw failure("'in' a string needs a string on the left, found \(item.typeName)")
      }
      try spend(bytes: text.utf8.count + part.utf8.count)
      return text.firstRange(ofUTF8: part) != nil
    case .object(let object):
      switch item {
      case .sequence, .object, .markup: return try element(of: object, at: try key(item)) != nil
      default: return try element(of: object, at: item) != nil
      }
    case .iterator(let iterator):
      while let element = try iterator.next(self) {
        if try areEqual(element, item) { return true }
      }
      return false
    default:
      for element in try elements(of: container) where try areEqual(element, item) { return true }
      return false
    }
  }

  /// Sorts like Python's `sorted`: stable, also when reversed.
  func sorted<Element>(
    _ elements: [Element], reverse: Bool, key: (Element) throws(TemplateError) -> TemplateValue
  ) throws(TemplateError) -> [Element] {
    var keyed: [(key: TemplateValue, element: Element)] = []
    for element in elements { keyed.append((try key(element), element)) }
    if reverse { keyed.reverse() }
    var width = 1
    while width < keyed.count {
      var merged: [(key: TemplateValue, element: Element)] = []
      merged.reserveCapacity(keyed.count)
      var start = 0
      while start < keyed.count {
        var left = start
        let middle = min(start + width, keyed.count)
        var right = middle
        let end = min(middle + width, keyed.count)
        while left < middle, right < end {
          if try isLess(keyed[right].key, keyed[left].key) {
            merged.append(keyed[right])
            right += 1
          } else {
            merged.append(keyed[left])
            left += 1
          }
        }
        merged += keyed[left..<middle]
        merged += keyed[right..<end]
        start = end
      }
      keyed = merged
      width *= 2
    }
    if reverse { keyed.reverse() }
    return keyed.map { $0.element }
  }
}
