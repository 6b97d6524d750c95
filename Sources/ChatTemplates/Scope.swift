/// The names assigned in one place: the template, one turn of a loop, one call of a macro, one block.
final class Scope {
  private let parent: Scope?
  private var slots: [(symbol: Int, value: TemplateValue)] = []

  init(parent: Scope?) { self.parent = parent }

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
