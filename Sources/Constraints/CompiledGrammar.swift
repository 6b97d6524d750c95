internal import Synchronization

/// A grammar made ready for a vocabulary: automata, and for every place the least number of tokens that ends the text from there.
///
/// That number is a safe upper bound found with real tokens: from every place that has one, some token leads to a place with a
/// smaller one. So a text that has as many tokens left can always be ended.
public final class CompiledGrammar: Sendable {
  /// Costs from here on mean that there is no end.
  static let never = 1 << 40

  /// A text of a regular language.
  struct Leaf: Sendable {
    let automaton: ByteAutomaton
    /// The least tokens from a state to an accepting one.
    let costs: [Int]
    let goesOn: [Bool]
  }

  /// A text of a regular language that was not used yet.
  struct Fresh: Sendable {
    let leaf: Leaf
    /// How many texts there are, where they are few.
    let textCount: Int
    /// The most bytes of a text; nil where there is no limit.
    let longest: Int?
    /// Whether there is always a byte that leads away from all used texts.
    let isFree: Bool

    /// Enough tokens for a text that is none of `used` others.
    func bound(used: Int) -> Int {
      if used == 0 { return leaf.costs.first ?? never }
      if used >= textCount { return never }
      if let longest { return longest }
      return isFree
        ? CompiledGrammar.sum(leaf.costs.first ?? never, min(used, never))
        : CompiledGrammar.product(leaf.automaton.stateCount, min(used, never) + 2)
    }
  }

  struct ObjectNode: Sendable {
    let rule: RuleSet.ObjectRule
    /// `[property][needed]`: tokens to end the object behind a member, with the next property and how many more members it needs.
    let costs: [[Int]]
    /// How many properties from an index on are required.
    let required: [Int]

    var count: Int { rule.properties.count }
    func cost(_ property: Int, needed: Int) -> Int {
      needed < costs[property].count ? costs[property][needed] : never
    }
  }

  enum Node: Sendable {
    case leaf(Leaf)
    case fresh(Fresh)
    case string(minimum: Int, maximum: Int?)
    /// With the costs of all parts behind each.
    case sequence([Int], behind: [Int])
    case choice([Int])
    case object(ObjectNode)
    case list(RuleSet.ListRule)
  }

  let trie: TokenTrie
  let nodes: [Node]
  let root: Int
  /// The least tokens of each rule.
  let costs: [Int]
  /// One character of a string.
  let character: Leaf
  /// What the states of leaves allow of the vocabulary.
  private let cache = Mutex<[LocalKey: LocalMask]>([:])
  /// The most that are kept; each takes up to some tens of kilobytes.
  private static let maximumMasks = 1024

  /// The least number of tokens of a whole text.
  public var leastTokens: Int { costs[root] }

  /// - Throws: `ConstraintError` when the grammar allows no text, or none that the vocabulary can write.
  public init(_ grammar: Grammar, trie: TokenTrie) throws(ConstraintError) {
    var set = RuleSet()
    do { root = try set.add(grammar: grammar) } catch { throw .tooLarge }
    guard Self.tableEntries(set.rules) <= Self.maximumTableEntries else { throw .tooLarge }
    guard let character = try? ByteAutomaton(JSONText.character) else { throw .tooLarge }
    self.trie = trie
    self.character = Leaf(character, trie: trie, byTokens: false)
    var nodes: [Node] = []
    nodes.reserveCapacity(set.rules.count)
    for rule in set.rules {
      switch rule {
      case .automaton(let automaton): nodes.append(.leaf(Leaf(automaton, trie: trie, byTokens: true)))
      case .fresh(let automaton): nodes.append(.fresh(Fresh(automaton, trie: trie)))
      case .string(let minimum, let maximum): nodes.append(.string(minimum: minimum, maximum: maximum))
      case .sequence(let parts): nodes.append(.sequence(parts, behind: []))
      case .choice(let parts): nodes.append(.choice(parts))
      case .object(let object): nodes.append(.object(ObjectNode(rule: object, costs: [], required: [])))
      case .list(let list): nodes.append(.list(list))
      }
    }
    let characterCost = self.character.costs.first ?? Self.never
    costs = Self.costs(nodes, characterCost: characterCost)
    self.nodes = Self.completed(nodes, costs: costs)
    guard costs[root] < Self.never else { throw .nothingAllowed }
  }

  // MARK: - Costs

  static func sum(_ values: Int...) -> Int { values.reduce(0) { min(never, $0 + $1) } }

  static func product(_ count: Int, _ value: Int) -> Int {
    if count == 0 || value == 0 { return 0 }
    let (result, overflows) = count.multipliedReportingOverflow(by: value)
    return overflows ? never : min(never, result)
  }

  /// The least fixed point: rules cost nothing less than what their cheapest finite text does.
  private static func costs(_ nodes: [Node], characterCost: Int) -> [Int] {
    var costs = [Int](repeating: never, count: nodes.count), isChanged = true
    while isChanged {
      isChanged = false
      for index in nodes.indices.reversed() {
        let cost: Int
        switch nodes[index] {
        case .leaf(let leaf): cost = leaf.costs.first ?? never
        case .fresh(let fresh): cost = fresh.bound(used: 0)
        case .string(let minimum, _): cost = sum(2, product(minimum, characterCost))
        case .sequence(let parts, _): cost = parts.reduce(0) { sum($0, costs[$1]) }
        case .choice(let parts): cost = parts.map { costs[$0] }.min() ?? never
        case .object(let object):
          let table = objectCosts(object.rule, nodes, costs)
          let whole = object.rule.minimum < table[0].count ? table[0][object.rule.minimum] : never
          // No separator stands before the first member.
          cost = whole == 0 || whole == never ? whole : whole - costs[object.rule.separator]
        case .list(let list):
          let whole = listCost(list, from: 0, used: 0, nodes, costs)
          cost = whole == 0 || whole == never ? whole : whole - costs[list.separator]
        }
        if cost < costs[index] {
          costs[index] = cost
          isChanged = true
        }
      }
    }
    return costs
  }

  /// More members than this cannot be asked for.
  private static let maximumMembers = 2000
  /// Of the tables of all objects together: `minProperties` beside many properties makes large ones.
  private static let maximumTableEntries = 2_000_000

  private static func tableEntries(_ rules: [RuleSet.Rule]) -> Int {
    rules.reduce(0) { sum, rule in
      guard case .object(let object) = rule else { return sum }
      return sum + (object.properties.count + 1) * (min(object.minimum, maximumMembers) + 1)
    }
  }

  private static func objectCosts(_ rule: RuleSet.ObjectRule, _ nodes: [Node], _ costs: [Int]) -> [[Int]] {
    let count = rule.properties.count, width = min(rule.minimum, maximumMembers) + 1
    var table = [[Int]](repeating: [Int](repeating: never, count: width), count: count + 1)
    for needed in 0..<width where needed <= rule.maximum ?? .max {
      table[count][needed] = furtherCost(rule, needed: needed, used: 0, nodes, costs)
    }
    for index in (0..<count).reversed() {
      let property = rule.properties[index]
      let member = sum(costs[rule.separator], costs[property.key], costs[property.value])
      for needed in 0..<width {
        let taken = sum(member, table[index + 1][max(needed - 1, 0)])
        table[index][needed] = property.isRequired ? taken : min(taken, table[index + 1][needed])
      }
    }
    if let maximum = rule.maximum, rule.properties.count(where: \.isRequired) > maximum {
      return [[Int]](repeating: [Int](repeating: never, count: width), count: count + 1)
    }
    return table
  }

  /// Of further members besides `used` others. Each counts as the last one, so that what is left never costs more than was thought.
  private static func furtherCost(
    _ rule: RuleSet.ObjectRule, needed: Int, used: Int, _ nodes: [Node], _ costs: [Int]
  ) -> Int {
    if needed == 0 { return 0 }
    let each =
      rule.further.map { key, value in
        guard case .fresh(let fresh) = nodes[key] else { return never }
        return sum(costs[rule.separator], fresh.bound(used: used + needed - 1), costs[rule.colon], costs[value])
      }.min() ?? never
    return product(needed, each)
  }

  /// Tokens to end a list that has so many elements.
  private static func listCost(_ list: RuleSet.ListRule, from count: Int, used: Int, _ nodes: [Node], _ costs: [Int]) -> Int {
    var cost = 0, index = count
    while index < list.minimum, index < list.prefix.count {
      cost = sum(cost, costs[list.separator], costs[list.prefix[index]])
      index += 1
    }
    let needed = min(list.minimum - index, never)
    if needed <= 0 { return cost }
    guard let element = list.element else { return never }
    var each = costs[element]
    if case .fresh(let fresh) = nodes[element] { each = fresh.bound(used: used + needed - 1) }
    return sum(cost, product(needed, sum(costs[list.separator], each)))
  }

  func listCost(_ list: RuleSet.ListRule, from count: Int, used: Int) -> Int {
    Self.listCost(list, from: count, used: used, nodes, costs)
  }

  /// Tokens to end an object behind a member, of which so many names of further members are used.
  func objectCost(_ object: ObjectNode, _ property: Int, needed: Int, used: Int) -> Int {
    // Further members come behind all others.
    used == 0 ? object.cost(property, needed: needed) : Self.furtherCost(object.rule, needed: needed, used: used, nodes, costs)
  }

  /// Fills in tables, and leaves out what has no end. Choices name no choices any more, so that none leads back to itself.
  private static func completed(_ nodes: [Node], costs: [Int]) -> [Node] {
    nodes.map { node in
      switch node {
      case .sequence(let parts, _):
        var behind = [Int](repeating: 0, count: parts.count)
        for index in parts.indices.dropLast().reversed() { behind[index] = sum(behind[index + 1], costs[parts[index + 1]]) }
        return .sequence(parts, behind: behind)
      case .choice(let parts):
        var flat: [Int] = [], queue = parts[...], seen = Set<Int>()
        while let part = queue.popFirst() {
          guard costs[part] < never, seen.insert(part).inserted else { continue }
          if case .choice(let inner) = nodes[part] { queue.append(contentsOf: inner) } else { flat.append(part) }
        }
        return .choice(flat)
      case .object(let object):
        var rule = object.rule
        rule.further.removeAll { costs[$0.key] >= never || costs[$0.value] >= never }
        var required = [Int](repeating: 0, count: rule.properties.count + 1)
        for index in rule.properties.indices.reversed() {
          required[index] = required[index + 1] + (rule.properties[index].isRequired ? 1 : 0)
        }
        return .object(ObjectNode(rule: rule, costs: objectCosts(rule, nodes, costs), required: required))
      case .list(var list):
        if let element = list.element, costs[element] >= never { list.element = nil }
        if let end = list.prefix.firstIndex(where: { costs[$0] >= never }) {
          list.prefix.removeSubrange(end...)
          list.element = nil
        }
        return .list(list)
      case .leaf, .fresh, .string: return node
      }
    }
  }

  // MARK: - Masks of leaves

  func local(_ key: LocalKey) -> LocalMask {
    if let known = cache.withLock({ $0[key] }) { return known }
    let mask = LocalMask(key, self)
    cache.withLock { cache in
      if cache.count >= Self.maximumMasks { cache.removeAll() }
      cache[key] = mask
    }
    return mask
  }
}

extension CompiledGrammar.Leaf {
  /// - Parameter byTokens: whether tokens of several bytes count, or single bytes only.
  init(_ automaton: ByteAutomaton, trie: TokenTrie, byTokens: Bool) {
    self.automaton = automaton
    let count = automaton.stateCount
    goesOn = (0..<Int32(count)).map { automaton.goesOn($0) }
    // From which states a token leads to a state.
    var sources = [[Int32]](repeating: [], count: count)
    for state in 0..<Int32(count) {
      var targets = Set<Int32>()
      for byte in UInt8.min...UInt8.max where trie.isByteToken[Int(byte)] {
        let target = automaton.next(state, byte)
        if target >= 0 { targets.insert(target) }
      }
      if byTokens { Self.addTargets(of: state, automaton, trie, to: &targets) }
      for target in targets { sources[Int(target)].append(state) }
    }
    var costs = [Int](repeating: CompiledGrammar.never, count: count)
    var level = (0..<Int32(count)).filter { automaton.accepting[Int($0)] }
    for state in level { costs[Int(state)] = 0 }
    var cost = 0
    while !level.isEmpty {
      cost += 1
      var next: [Int32] = []
      for target in level {
        for source in sources[Int(target)] where costs[Int(source)] == CompiledGrammar.never {
          costs[Int(source)] = cost
          next.append(source)
        }
      }
      level = next
    }
    self.costs = costs
  }

  /// Nodes of the vocabulary that are looked at from one state; states that allow more have short ways out by single bytes.
  private static let maximumNodes = 400

  private static func addTargets(of state: Int32, _ automaton: ByteAutomaton, _ trie: TokenTrie, to targets: inout Set<Int32>) {
    var states = [Int32](repeating: state, count: TokenTrie.maximumTokenBytes + 1), node = 1, looked = 0
    while node < trie.bytes.count, looked < maximumNodes {
      looked += 1
      let depth = Int(trie.depths[node]), next = automaton.next(states[depth - 1], trie.bytes[node])
      if next < 0 {
        node = Int(trie.ends[node])
        // Dead ends right below the root are many and cost nothing.
        if depth == 1 { looked -= 1 }
        continue
      }
      states[depth] = next
      if !trie.tokens(at: node).isEmpty { targets.insert(next) }
      node += 1
    }
  }
}

extension CompiledGrammar.Fresh {
  init(_ automaton: ByteAutomaton, trie: TokenTrie) {
    // Used texts are told apart byte by byte.
    leaf = CompiledGrammar.Leaf(automaton, trie: trie, byTokens: false)
    longest = automaton.longestLength
    textCount = automaton.textCount ?? .max
    let costs = leaf.costs
    isFree = costs.indices.allSatisfy { state in
      costs[state] != 1
        || (UInt8.min...UInt8.max).count { byte in
          let target = automaton.next(Int32(state), byte)
          return trie.isByteToken[Int(byte)] && target >= 0 && costs[Int(target)] == 1
        } >= 32
    }
  }
}

/// Why a grammar cannot be followed.
public enum ConstraintError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The schema contradicts itself, or the vocabulary lacks bytes.
  case nothingAllowed
  case tooLarge

  public var description: String {
    switch self {
    case .nothingAllowed:
      "the schema or grammar allows no value at all, or none that this vocabulary can write; look for parts that contradict each other"
    case .tooLarge:
      "the grammar is too large: an automaton would have more than \(ByteAutomaton.maximumStates) states, or minProperties asks for too "
        + "many members of objects with many properties"
    }
  }
}
