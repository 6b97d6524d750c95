/// A value while a template is rendered: Python's types, as far as chat templates meet them.
enum TemplateValue {
  /// A name, attribute or element that is not there; the text says which, for the error when something is done with it.
  case undefined(String)
  case none
  case bool(Bool)
  case integer(Int)
  case double(Double)
  case string(String)
  /// The result of the filter `safe`: a string to which `+` adds only escaped text.
  case markup(String)
  case sequence(ValueSequence)
  case object(ValueObject)
  case namespace(ValueNamespace)
  case iterator(ValueIterator)
  case callable(ValueCallable)
  case loop(LoopState)
}

/// An immutable run of values: a list or what behaves like one.
struct ValueSequence {
  enum Kind {
    case list, tuple, range
    /// The views that an object's `keys()`, `values()` and `items()` return.
    case keys, values, items
  }

  let kind: Kind
  let elements: [TemplateValue]
  let depth: Int

  init(_ kind: Kind, _ elements: [TemplateValue]) {
    self.kind = kind
    self.elements = elements
    var depth = 0
    for element in elements { depth = max(depth, element.depth) }
    self.depth = depth + 1
  }

  var isView: Bool { kind == .keys || kind == .values || kind == .items }
}

/// A Python dict that keeps its order. The sandbox forbids changing one, so it is immutable.
final class ValueObject {
  let entries: [(key: TemplateValue, value: TemplateValue)]
  /// Where the keys are; empty for a small object, whose entries are looked through.
  private let index: [ObjectKey: Int]
  let depth: Int
  private static let smallCount = 8

  /// Of two equal keys the later value counts, at the earlier place.
  init(_ pairs: [(key: TemplateValue, value: TemplateValue)]) {
    var entries: [(key: TemplateValue, value: TemplateValue)] = []
    entries.reserveCapacity(pairs.count)
    var index: [ObjectKey: Int] = [:]
    var depth = 0
    for (key, value) in pairs {
      depth = max(depth, value.depth)
      let wanted = ObjectKey(value: key)
      if let place = Self.place(of: wanted, entries, index) {
        entries[place].value = value
        continue
      }
      entries.append((key, value))
      if entries.count == Self.smallCount + 1 {
        for (place, entry) in entries.enumerated() { index[ObjectKey(value: entry.key)] = place }
      } else if entries.count > Self.smallCount {
        index[wanted] = entries.count - 1
      }
    }
    self.entries = entries
    self.index = index
    self.depth = depth + 1
  }

  subscript(key: TemplateValue) -> TemplateValue? {
    Self.place(of: ObjectKey(value: key), entries, index).map { entries[$0].value }
  }

  private static func place(
    of key: ObjectKey, _ entries: [(key: TemplateValue, value: TemplateValue)], _ index: [ObjectKey: Int]
  ) -> Int? {
    entries.count > smallCount ? index[key] : entries.firstIndex { ObjectKey(value: $0.key) == key }
  }

  subscript(key: String) -> TemplateValue? { self[.string(key)] }
}

/// What `namespace()` makes: the only thing that a template can change after it was made.
final class ValueNamespace {
  var attributes: [(name: String, value: TemplateValue)] = []

  func attribute(_ name: String) -> TemplateValue? {
    attributes.first { $0.name.hasSameScalars(as: name) }?.value
  }

  func set(_ name: String, _ value: TemplateValue) {
    if let place = attributes.firstIndex(where: { $0.name.hasSameScalars(as: name) }) {
      attributes[place].value = value
    } else {
      attributes.append((name, value))
    }
  }
}

/// A Python generator: what filters such as `map` return. It can be walked once.
final class ValueIterator {
  private var advance: (Renderer) throws(TemplateError) -> TemplateValue?
  private var isFinished = false
  let depth: Int

  init(depth: Int, _ advance: @escaping (Renderer) throws(TemplateError) -> TemplateValue?) {
    self.depth = depth
    self.advance = advance
  }

  func next(_ renderer: Renderer) throws(TemplateError) -> TemplateValue? {
    guard !isFinished else { return nil }
    let element = try advance(renderer)
    if element == nil { finish() }
    return element
  }

  private func finish() {
    isFinished = true
    advance = { (_) throws(TemplateError) in nil }
  }
}

/// What can be called.
enum ValueCallable {
  case function(GlobalFunction)
  case macro(MacroValue)
  /// A method of a builtin type with the value it belongs to, which is in a box because an enum cannot hold itself.
  case method(receiver: MethodReceiver, name: String)
}

final class MethodReceiver {
  let value: TemplateValue
  init(_ value: TemplateValue) { self.value = value }
}

/// A macro with the scope it was defined in.
final class MacroValue {
  let definition: MacroDefinition
  let scope: Scope

  init(_ definition: MacroDefinition, scope: Scope) {
    self.definition = definition
    self.scope = scope
  }
}

extension TemplateValue {
  /// How deep this value is nested. Namespaces, macros and the lists of a running loop end the count: the renderer keeps
  /// them until its end and takes them apart one by one.
  var depth: Int {
    switch self {
    case .sequence(let sequence): sequence.depth
    case .object(let object): object.depth
    case .iterator(let iterator): iterator.depth
    case .callable(.method(let receiver, _)): receiver.value.depth
    case .loop(let loop): loop.depth
    default: 0
    }
  }

  static func list(_ elements: [TemplateValue]) -> TemplateValue { .sequence(ValueSequence(.list, elements)) }
  static func tuple(_ elements: [TemplateValue]) -> TemplateValue { .sequence(ValueSequence(.tuple, elements)) }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }

  /// Python's name of the type, for error messages.
  var typeName: String {
    switch self {
    case .undefined: "Undefined"
    case .none: "None"
    case .bool: "bool"
    case .integer: "int"
    case .double: "float"
    case .string, .markup: "str"
    case .sequence(let sequence):
      switch sequence.kind {
      case .list: "list"
      case .tuple: "tuple"
      case .range: "range"
      case .keys: "dict_keys"
      case .values: "dict_values"
      case .items: "dict_items"
      }
    case .object: "dict"
    case .namespace: "Namespace"
    case .iterator: "generator"
    case .callable: "function"
    case .loop: "LoopContext"
    }
  }

  /// Python's truth value.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .double(let value): value != 0
    case .string(let value), .markup(let value): !value.isEmpty
    case .sequence(let sequence): !sequence.elements.isEmpty
    case .object(let object): !object.entries.isEmpty
    case .namespace, .iterator, .callable, .loop: true
    }
  }

  /// The value as Python's numbers see it: a bool is 0 or 1.
  var integer: Int? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): value
    default: nil
    }
  }

  var double: Double? {
    switch self {
    case .double(let value): value
    default: integer.map { Double($0) }
    }
  }
}
