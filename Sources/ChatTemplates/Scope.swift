/// The names assigned in one place: the template, one turn of a loop, one call of a macro, one block.
///
/// Names are looked for one after the other, which is fast for the few that templates have. What a search costs goes to
/// `compared`, for the renderer to count.
final class Scope {
  private let parent: Scope?
  private var slots: [(symbol: Int, value: TemplateValue)] = []

  /// Names that this place assigns before it reads them: unless assigned yet, they are undefined here and inside.
  private let hiddenNames: [Int]

  init(parent: Scope?, hiddenNames: [Int]) {
    self.parent = parent
    self.hiddenNames = hiddenNames
  }

  /// Whether the template's variable of this name is hidden by an assignment to come.
  func hides(_ symbol: Int, _ compared: inout Int) -> Bool {
    var scope: Scope? = self
    while let current = scope {
      compared += current.hiddenNames.count + 1
      if current.hiddenNames.contains(symbol) { return true }
      scope = current.parent
    }
    return false
  }

  /// The value from here or the nearest scope around.
  func value(of symbol: Int, _ compared: inout Int) -> TemplateValue? {
    var scope: Scope? = self
    while let current = scope {
      compared += current.slots.count + 1
      for slot in current.slots where slot.symbol == symbol { return slot.value }
      scope = current.parent
    }
    return nil
  }

  func assign(_ value: TemplateValue, to symbol: Int, _ compared: inout Int) {
    compared += slots.count
    for place in slots.indices where slots[place].symbol == symbol {
      slots[place].value = value
      return
    }
    slots.append((symbol, value))
  }

  func clear() { slots.removeAll() }
}
