extension Renderer {
  func callMethod(_ name: String, of object: ValueObject, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    guard arguments.named.isEmpty else { throw failure("'\(name)' takes no named arguments") }
    if name == "get" {
      let values = try bind(arguments, to: ["key", "default"], required: 1, of: "get")
      return try element(of: object, at: try key(values[0] ?? .none)) ?? values[1] ?? .none
    }
    guard arguments.positional.isEmpty else { throw failure("'\(name)' takes no arguments") }
    switch name {
    case "keys": return try sequence(.keys, object.entries.map { $0.key })
    case "values": return try sequence(.values, object.entries.map { $0.value })
    default: return try sequence(.items, try items(of: object))
    }
  }

  func items(of object: ValueObject) throws(TemplateError) -> [TemplateValue] {
    var items: [TemplateValue] = []
    for entry in object.entries { items.append(try sequence(.tuple, [entry.key, entry.value])) }
    return items
  }

  func callMethod(_ name: String, of sequence: ValueSequence, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    let values = try bind(arguments, to: ["value"], required: 1, of: name)
    let wanted = values[0] ?? .none
    var count = 0
    for (place, element) in sequence.elements.enumerated() where try areEqual(element, wanted) {
      if name == "index" { return .integer(place) }
      count += 1
    }
    guard name == "count" else { throw failure("'index' of a value that is not in the list") }
    return .integer(count)
  }
}
