/// What lists and objects do next.
extension Matcher {
  // MARK: - Lists

  func canGoOn(_ rule: RuleSet.ListRule, _ frame: Frame) -> Bool {
    if frame.depth >= Self.maximumDepth, frame.position >= rule.minimum { return false }
    if let maximum = rule.maximum, frame.position >= maximum { return false }
    return Int(frame.position) < rule.prefix.count || rule.element != nil
  }

  /// What the next element and what must follow it cost.
  func element(_ rule: RuleSet.ListRule, _ frame: Frame) -> Int {
    guard let element = Int(frame.position) < rule.prefix.count ? rule.prefix[Int(frame.position)] : rule.element else {
      return CompiledGrammar.never
    }
    var cost = grammar.costs[element]
    if case .fresh(let fresh) = grammar.nodes[element] {
      cost = frame.used < 0 ? fresh.bound(used: usedCount(frame)) : self.cost(fresh, 0, frame.used)
    }
    return CompiledGrammar.sum(cost, behind(rule, frame))
  }

  /// What must follow the next element.
  private func behind(_ rule: RuleSet.ListRule, _ frame: Frame) -> Int {
    grammar.listCost(rule, from: Int(frame.position) + 1, used: usedCount(frame) + 1)
  }

  /// Begins an element.
  mutating func choose(_ rule: RuleSet.ListRule, _ frame: Frame, into list: inout [Int32]) {
    guard canGoOn(rule, frame), element(rule, frame) < CompiledGrammar.never else { return }
    guard let element = Int(frame.position) < rule.prefix.count ? rule.prefix[Int(frame.position)] : rule.element else { return }
    let rest = CompiledGrammar.sum(behind(rule, frame), frame.rest)
    var parent = frame
    parent.phase = Phase.between
    // Counting ends where it makes no difference any more.
    let threshold = rule.maximum ?? max(rule.minimum, rule.prefix.count)
    parent.position = Int32(clamping: min(Int(frame.position) + 1, threshold))
    enter(element, parent: push(parent), depth: frame.depth, rest: rest, into: &list)
  }

  // MARK: - Objects

  mutating func leave(_ object: CompiledGrammar.ObjectNode, _ frame: Frame, into list: inout [Int32]) {
    var frame = frame
    let rule = object.rule
    switch frame.phase {
    case Phase.choose: choose(object, frame, into: &list)
    case Phase.value:
      let index = Int(frame.position)
      frame.phase = Phase.between
      frame.position += 1
      enter(rule.properties[index].value, parent: push(frame), depth: frame.depth, rest: rest(object, frame), into: &list)
    case Phase.colon:
      let value = grammar.costs[rule.further[Int(frame.position) - object.count].value]
      frame.phase = Phase.furtherValue
      let rest = CompiledGrammar.sum(value, rest(object, behindFurther(object, frame)))
      enter(rule.colon, parent: push(frame), depth: frame.depth, rest: rest, into: &list)
    case Phase.furtherValue:
      let value = rule.further[Int(frame.position) - object.count].value, after = behindFurther(object, frame)
      enter(value, parent: push(after), depth: frame.depth, rest: rest(object, after), into: &list)
    default:
      let isEnd = frame.needed == 0 && object.required[Int(frame.position)] == 0
      if isEnd { leave(frame.parent, into: &list) }
      if isEnd, frame.depth >= Self.maximumDepth { return }
      frame.phase = Phase.choose
      let least = members(object, frame).map(\.cost).min() ?? CompiledGrammar.never
      if least < CompiledGrammar.never {
        enter(
          rule.separator, parent: push(frame), depth: frame.depth, rest: CompiledGrammar.sum(least, frame.rest), into: &list)
      }
    }
  }

  private func behindFurther(_ object: CompiledGrammar.ObjectNode, _ frame: Frame) -> Frame {
    var frame = frame
    frame.phase = Phase.between
    frame.position = Int32(object.count)
    return frame
  }

  /// What is needed behind a member.
  private func rest(_ object: CompiledGrammar.ObjectNode, _ frame: Frame, moreUsed: Int = 0) -> Int {
    CompiledGrammar.sum(
      grammar.objectCost(object, Int(frame.position), needed: Int(frame.needed), used: usedCount(frame) + moreUsed), frame.rest)
  }

  /// The members that may come next: an index, behind those of the properties the further ones, with the cost of the member and of what
  /// must follow it, without what follows the object.
  private func members(_ object: CompiledGrammar.ObjectNode, _ frame: Frame) -> [(index: Int, cost: Int)] {
    if frame.left == 0 { return [] }
    var result: [(index: Int, cost: Int)] = []
    var own = frame
    own.rest = 0
    own.needed = max(0, frame.needed - 1)
    var index = Int(frame.position)
    while index < object.count {
      let property = object.rule.properties[index]
      own.position = Int32(index) + 1
      let cost = CompiledGrammar.sum(grammar.costs[property.key], grammar.costs[property.value], rest(object, own))
      if cost < CompiledGrammar.never, object.required[index + 1] < frame.left { result.append((index, cost)) }
      if property.isRequired { break }
      index += 1
    }
    if index == object.count, frame.used >= 0 {
      own.position = Int32(object.count)
      for (offset, member) in object.rule.further.enumerated() {
        guard case .fresh(let fresh) = grammar.nodes[member.key] else { continue }
        // One more is used behind it.
        let name = cost(fresh, 0, frame.used)
        var after = own
        after.used = frame.used
        let cost = CompiledGrammar.sum(
          name, grammar.costs[object.rule.colon], grammar.costs[member.value], rest(object, after, moreUsed: 1))
        if cost < CompiledGrammar.never { result.append((object.count + offset, cost)) }
      }
    }
    if frame.depth >= Self.maximumDepth, let least = result.min(by: { $0.cost < $1.cost }) { return [least] }
    return result
  }

  /// Begins a member.
  mutating func choose(_ object: CompiledGrammar.ObjectNode, _ frame: Frame, into list: inout [Int32]) {
    if frame.depth >= Self.maximumDepth, frame.needed == 0, object.required[Int(frame.position)] == 0 { return }
    for (index, cost) in members(object, frame) {
      var parent = frame
      parent.needed = max(0, frame.needed - 1)
      if frame.left != .max { parent.left = frame.left - 1 }
      parent.position = Int32(index)
      let isFurther = index >= object.count
      parent.phase = isFurther ? Phase.colon : Phase.value
      let key = isFurther ? object.rule.further[index - object.count].key : object.rule.properties[index].key
      // What comes behind the name.
      var name = grammar.costs[key]
      if case .fresh(let fresh) = grammar.nodes[key] { name = self.cost(fresh, 0, frame.used) }
      enter(key, parent: push(parent), depth: frame.depth, rest: CompiledGrammar.sum(cost - name, frame.rest), into: &list)
    }
  }
}
