/// A running `for` loop: what `loop.index` and its like tell. Elements are filtered one by one, as the loop comes to them,
/// because a filter may depend on what the body did.
final class LoopState {
  /// What `for … if test` keeps; nil without a test and after the loop.
  var filter: ((Renderer, TemplateValue) throws(TemplateError) -> Bool)?
  private(set) var index0 = -1
  let depth: Int
  private var source: [TemplateValue]
  private var place = 0
  private var ahead: TemplateValue?
  private var previous: TemplateValue?
  private var current: TemplateValue?
  private var knownLength: Int?
  private var lastChanged: [TemplateValue]?

  /// - Parameter value: what is looped over, whose elements `source` has.
  init(_ source: [TemplateValue], of value: TemplateValue) {
    self.source = source
    depth = if case .sequence(let sequence) = value { sequence.depth } else { ValueSequence(.list, source).depth }
  }

  func advance(_ renderer: Renderer) throws(TemplateError) -> TemplateValue? {
    let element = try peek(renderer)
    guard let element else { return nil }
    ahead = nil
    index0 += 1
    previous = current
    current = element
    return element
  }

  private func peek(_ renderer: Renderer) throws(TemplateError) -> TemplateValue? {
    if let ahead { return ahead }
    while place < source.count {
      let element = source[place]
      place += 1
      try renderer.spend(1)
      if try filter?(renderer, element) ?? true {
        ahead = element
        return element
      }
    }
    return nil
  }

  func length(_ renderer: Renderer) throws(TemplateError) -> Int {
    if let knownLength { return knownLength }
    var length = source.count
    if let filter {
      var rest: [TemplateValue] = []
      for element in source[place...] where try filter(renderer, element) { rest.append(element) }
      length = rest.count + index0 + 1 + (ahead == nil ? 0 : 1)
      source = rest
      place = 0
      self.filter = nil
    }
    knownLength = length
    return length
  }

  /// `loop.name`; nil when there is no such thing.
  func attribute(_ name: String, _ renderer: Renderer) throws(TemplateError) -> TemplateValue? {
    switch name {
    case "index": return .integer(index0 + 1)
    case "index0": return .integer(index0)
    case "revindex": return .integer(try length(renderer) - index0)
    case "revindex0": return .integer(try length(renderer) - index0 - 1)
    case "first": return .bool(index0 == 0)
    case "last": return .bool(try peek(renderer) == nil)
    case "length": return .integer(try length(renderer))
    // Loops that call themselves are not supported.
    case "depth": return .integer(1)
    case "depth0": return .integer(0)
    case "previtem": return index0 == 0 ? .undefined("there is no previous item") : previous
    case "nextitem": return try peek(renderer) ?? .undefined("there is no next item")
    default: return nil
    }
  }

  func call(_ name: String, _ values: [TemplateValue], _ renderer: Renderer) throws(TemplateError) -> TemplateValue {
    if name == "cycle" {
      guard !values.isEmpty else { throw renderer.failure("'loop.cycle' without values") }
      return values[max(index0, 0) % values.count]
    }
    let new = try renderer.sequence(.tuple, values)
    if let lastChanged, try renderer.areEqual(try renderer.sequence(.tuple, lastChanged), new) { return .bool(false) }
    lastChanged = values
    return .bool(true)
  }
}
