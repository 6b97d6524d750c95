/// The names assigned in one place: the template, one turn of a loop, one call of a macro, one block.
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
  func hides(_ symbol: Int) -> Bool {
    var scope: Scope? = self
    while let current = scope {
      if current.hiddenNames.contains(symbol) { return true }
      scope = current.parent
    }
    return false
  }

  /// The value from here or the nearest scope around.
  func value(of symbol: Int) -> TemplateValue? {
    var scope: Scope? = self
    while let current = scope {
      for slot in current.slots where slot.symbol == symbol { return slot.value }
      scope = current.parent
    }
    return nil
  }

  func assign(_ value: TemplateValue, to symbol: Int) {
    for place in slots.indices where slots[place].symbol == symbol {
      slots[place].value = value
      return
    }
    slots.append((symbol, value))
  }

  func clear() { slots.removeAll() }
}
