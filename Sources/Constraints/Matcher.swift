/// Follows a text through a grammar, token by token.
///
/// A configuration is a stack of frames with a leaf on top; there are several where the text can be read in several ways. Frames are
/// kept in one list and found again by their content, so that equal stacks have equal numbers.
public struct Matcher: Sendable {
  /// Objects and arrays inside of each other, from which on only the shortest way is open.
  static let maximumDepth = 64
  /// Ways to read a text that are followed at once; the cheapest are kept.
  private static let maximumConfigurations = 512
  /// The number of the empty stack: the text is complete.
  static let done: Int32 = 0

  struct Frame: Hashable {
    var rule: Int32
    var phase: Int32 = 0
    /// Leaves: the state. Others: how many parts are done.
    var position: Int32 = 0
    /// Strings: characters; objects: members that must come.
    var needed: Int32 = 0
    /// Strings, objects: what may come; .max for any number.
    var left: Int32 = .max
    /// Objects and lists: the set of used texts; below 0 when one of them ends inside of a token that is only tried, and only their
    /// number is known (-1 for none). Fresh leaves: what is left of those that begin like the text.
    var used: Int32 = 0
    /// Fresh leaves: where the text begins; -1 inside of a token that is only tried.
    var start: Int32 = 0
    var parent: Int32
    var depth: Int32
    /// The tokens that end the text behind this rule.
    var rest: Int
  }

  private struct Ended: Hashable {
    var set: Int32
    var start: Int32
  }

  /// What an object or list does next.
  enum Phase {
    static let choose: Int32 = 0
    static let value: Int32 = 1
    static let between: Int32 = 2
    static let colon: Int32 = 3
    static let furtherValue: Int32 = 4
  }

  public let grammar: CompiledGrammar
  var frames: [Frame]
  private var numbers: [Frame: Int32] = [:]
  private(set) var used = UsedTexts()
  /// Sets with a text that the last byte has ended, by the set before and where the text begins: one that can be read in several ways is
  /// one.
  private var ended: [Ended: Int32] = [:]
  private var configurations: [Int32] = []
  private var text: [UInt8] = []
  /// Whether tokens are only tried.
  private var isTrying = false

  public init(_ grammar: CompiledGrammar) {
    self.grammar = grammar
    // The bottom of every stack.
    frames = [Frame(rule: -1, parent: 0, depth: 0, rest: 0)]
    var start: [Int32] = []
    enter(grammar.root, parent: Self.done, depth: 0, rest: 0, into: &start)
    configurations = start
  }

  /// Whether the text may end here.
  public var isComplete: Bool { configurations.contains(Self.done) }
  /// Whether the text must end here.
  public var isFinished: Bool { configurations == [Self.done] }

  // MARK: - Tokens

  /// Adds the tokens behind which at most `limit` tokens are needed.
  public mutating func allow(within limit: Int, into mask: inout TokenMask) {
    isTrying = true
    let count = frames.count
    for configuration in configurations where configuration != Self.done {
      allow(configuration, within: limit, into: &mask)
    }
    forget(from: count)
    isTrying = false
  }

  /// Whether a token is among those that `allow` adds.
  public mutating func allows(_ token: Int32, bytes: ArraySlice<UInt8>, within limit: Int) -> Bool {
    if bytes.isEmpty || bytes.count > TokenTrie.maximumTokenBytes { return false }
    isTrying = true
    let count = frames.count
    var current = configurations
    for byte in bytes {
      current = step(current, byte)
      if current.isEmpty { break }
    }
    let isAllowed = !current.isEmpty && cost(current) <= limit
    forget(from: count)
    isTrying = false
    return isAllowed
  }

  /// Goes on with the bytes of a token. False, and nothing is changed, when the grammar does not allow them.
  public mutating func accept(_ bytes: some Sequence<UInt8>) -> Bool {
    let length = text.count
    var current = configurations
    for byte in bytes {
      text.append(byte)
      ended.removeAll(keepingCapacity: true)
      current = step(current, byte)
      if current.isEmpty {
        text.removeSubrange(length...)
        return false
      }
    }
    configurations = current
    return true
  }

  private mutating func forget(from count: Int) {
    for frame in frames[count...] { numbers[frame] = nil }
    frames.removeSubrange(count...)
  }

  private mutating func allow(_ configuration: Int32, within limit: Int, into mask: inout TokenMask) {
    let frame = frames[Int(configuration)]
    var key = LocalKey(rule: frame.rule, state: frame.position), extra = frame.rest
    if case .string = grammar.nodes[Int(frame.rule)] {
      key.needed = min(frame.needed, LocalKey.horizon)
      key.left = min(frame.left, LocalKey.horizon)
      extra += CompiledGrammar.product(Int(frame.needed - key.needed), grammar.character.costs.first ?? 0)
    }
    let local = grammar.local(key)
    var excluded = Set<Int>()
    if frame.used != 0 {
      // A mask of its own, since a token may be allowed by another configuration.
      var own = TokenMask(count: grammar.trie.vocabularySize)
      add(local, within: limit - extra, into: &own)
      excluded = exclude(frame, within: limit, from: &own)
      mask.formUnion(own)
    } else {
      add(local, within: limit - extra, into: &mask)
    }
    if local.exits.isEmpty { return }
    var behind: [Int32] = []
    leaveLeaf(frame, into: &behind)
    if behind.isEmpty { return }
    let isEnough = cost(behind) <= limit
    for exit in local.exits where !excluded.contains(Int(exit)) {
      if isEnough { for token in grammar.trie.tokens(at: Int(exit)) { mask.insert(token) } }
      if grammar.trie.hasChildren(Int(exit)) { walk(Int(exit), behind, within: limit, into: &mask) }
    }
  }

  private func add(_ local: LocalMask, within limit: Int, into mask: inout TokenMask) {
    for (cost, tokens) in local.groups where cost <= limit {
      switch tokens {
      case .few(let list): for token in list { mask.insert(token) }
      case .many(let other): mask.formUnion(other)
      }
    }
  }

  /// Takes out tokens that make a text out of which no unused one can come in time, and finds the nodes where used ones end.
  private func exclude(_ frame: Frame, within limit: Int, from mask: inout TokenMask) -> Set<Int> {
    guard case .fresh(let fresh) = grammar.nodes[Int(frame.rule)] else { return [] }
    var excluded = Set<Int>(), places = [(set: frame.used, node: 0, state: frame.position)]
    while let place = places.popLast() {
      for edge in used.edges(place.set) {
        guard let node = grammar.trie.child(of: place.node, edge.byte) else { continue }
        let state = fresh.leaf.automaton.next(place.state, edge.byte)
        if state < 0 { continue }
        if used.hasEmpty(edge.node) { excluded.insert(node) }
        if CompiledGrammar.sum(cost(fresh, state, edge.node), frame.rest) > limit || !fresh.leaf.goesOn[Int(state)] {
          for token in grammar.trie.tokens(at: node) { mask.remove(token) }
        }
        places.append((edge.node, node, state))
      }
    }
    return excluded
  }

  /// Adds the tokens below a node of the trie.
  private mutating func walk(_ node: Int, _ current: [Int32], within limit: Int, into mask: inout TokenMask) {
    let trie = grammar.trie
    var child = node + 1
    while child < Int(trie.ends[node]) {
      let next = step(current, trie.bytes[child])
      if !next.isEmpty {
        let tokens = trie.tokens(at: child)
        if !tokens.isEmpty, cost(next) <= limit { for token in tokens { mask.insert(token) } }
        if trie.hasChildren(child) { walk(child, next, within: limit, into: &mask) }
      }
      child = Int(trie.ends[child])
    }
  }

  // MARK: - Costs

  private func cost(_ configurations: [Int32]) -> Int {
    var best = CompiledGrammar.never
    for configuration in configurations { best = min(best, cost(of: configuration)) }
    return best
  }

  private func cost(of configuration: Int32) -> Int {
    if configuration == Self.done { return 0 }
    let frame = frames[Int(configuration)]
    switch grammar.nodes[Int(frame.rule)] {
    case .leaf(let leaf): return CompiledGrammar.sum(leaf.costs[Int(frame.position)], frame.rest)
    case .fresh(let fresh): return CompiledGrammar.sum(cost(fresh, frame.position, frame.used), frame.rest)
    case .string:
      let state = StringState(state: frame.position, needed: frame.needed, left: frame.left)
      return CompiledGrammar.sum(state.cost(grammar.character), frame.rest)
    case .sequence, .choice, .object, .list: return CompiledGrammar.never
    }
  }

  /// The least bytes to a text that is not in a set.
  func cost(_ fresh: CompiledGrammar.Fresh, _ state: Int32, _ set: Int32) -> Int {
    let leaf = fresh.leaf
    if set == UsedTexts.none { return leaf.costs[Int(state)] }
    if leaf.automaton.accepting[Int(state)], !used.hasEmpty(set) { return 0 }
    var best = CompiledGrammar.never, shared = used.edges(set)
    for byte in UInt8.min...UInt8.max {
      if shared.first?.byte == byte {
        _ = shared.popFirst()
        continue
      }
      let next = grammar.trie.isByteToken[Int(byte)] ? leaf.automaton.next(state, byte) : -1
      if next >= 0 { best = min(best, leaf.costs[Int(next)] + 1) }
    }
    for edge in used.edges(set) where grammar.trie.isByteToken[Int(edge.byte)] {
      let next = leaf.automaton.next(state, edge.byte)
      // It costs no less than without used texts.
      if next < 0 || leaf.costs[Int(next)] + 1 >= best { continue }
      best = min(best, cost(fresh, next, edge.node) + 1)
    }
    return best
  }

  func usedCount(_ frame: Frame) -> Int { frame.used < 0 ? -1 - Int(frame.used) : used.count(frame.used) }

  // MARK: - Steps

  mutating func push(_ frame: Frame) -> Int32 {
    if let known = numbers[frame] { return known }
    let number = Int32(frames.count)
    frames.append(frame)
    numbers[frame] = number
    return number
  }

  /// Of the type: as a method it would hold a copy of all this while its argument changes it.
  private static func insert(_ configuration: Int32, into list: inout [Int32]) {
    if !list.contains(configuration) { list.append(configuration) }
  }

  private mutating func step(_ current: [Int32], _ byte: UInt8) -> [Int32] {
    var next: [Int32] = []
    for configuration in current where configuration != Self.done {
      var frame = frames[Int(configuration)]
      switch grammar.nodes[Int(frame.rule)] {
      case .leaf(let leaf):
        frame.position = leaf.automaton.next(frame.position, byte)
        if frame.position < 0 { continue }
        if leaf.goesOn[Int(frame.position)] { Self.insert(push(frame), into: &next) }
        if leaf.automaton.accepting[Int(frame.position)] { leave(frame.parent, into: &next) }
      case .fresh(let fresh):
        frame.position = fresh.leaf.automaton.next(frame.position, byte)
        if frame.position < 0 { continue }
        frame.used = used.rest(frame.used, behind: byte)
        if fresh.leaf.goesOn[Int(frame.position)], cost(fresh, frame.position, frame.used) < CompiledGrammar.never {
          Self.insert(push(frame), into: &next)
        }
        if fresh.leaf.automaton.accepting[Int(frame.position)], !used.hasEmpty(frame.used) { leaveLeaf(frame, into: &next) }
      case .string:
        let state = StringState(state: frame.position, needed: frame.needed, left: frame.left)
        guard let after = state.next(byte, grammar.character) else { continue }
        if after.isClosed {
          leave(frame.parent, into: &next)
        } else {
          (frame.position, frame.needed, frame.left) = (after.state, after.needed, after.left)
          Self.insert(push(frame), into: &next)
        }
      case .sequence, .choice, .object, .list: continue
      }
    }
    if next.count > Self.maximumConfigurations {
      let costs = next.map { cost(of: $0) }
      let order = next.indices.sorted { (costs[$0], next[$0]) < (costs[$1], next[$1]) }
      next = order.prefix(Self.maximumConfigurations).map { next[$0] }
    }
    return next
  }

  /// Goes on behind a leaf that has ended; a fresh one notes its text as used.
  private mutating func leaveLeaf(_ frame: Frame, into list: inout [Int32]) {
    guard case .fresh = grammar.nodes[Int(frame.rule)] else { return leave(frame.parent, into: &list) }
    // A text that also begins inside of the token is not known to be unused.
    if frame.start < 0 { return }
    var parent = frames[Int(frame.parent)]
    if isTrying {
      parent.used = Int32(-2 - usedCount(parent))
    } else {
      let key = Ended(set: parent.used, start: frame.start)
      if let known = ended[key] {
        parent.used = known
      } else {
        parent.used = used.adding(text[Int(frame.start)...], to: parent.used)
        ended[key] = parent.used
      }
    }
    leave(push(parent), into: &list)
  }

  mutating func enter(_ rule: Int, parent: Int32, depth: Int32, rest: Int, into list: inout [Int32]) {
    switch grammar.nodes[rule] {
    case .leaf(let leaf):
      if leaf.automaton.isEmpty { return }
      if leaf.goesOn[0] {
        Self.insert(push(Frame(rule: Int32(rule), parent: parent, depth: depth, rest: rest)), into: &list)
      }
      if leaf.automaton.accepting[0] { leave(parent, into: &list) }
    case .fresh(let fresh):
      var frame = Frame(rule: Int32(rule), used: frames[Int(parent)].used, parent: parent, depth: depth, rest: rest)
      frame.start = isTrying ? -1 : Int32(text.count)
      if frame.used < 0 || cost(fresh, 0, frame.used) >= CompiledGrammar.never { return }
      Self.insert(push(frame), into: &list)
    case .string(let minimum, let maximum):
      let frame = Frame(
        rule: Int32(rule), needed: Int32(clamping: minimum), left: maximum.map { Int32(clamping: $0) } ?? .max, parent: parent,
        depth: depth, rest: rest)
      Self.insert(push(frame), into: &list)
    case .sequence(let parts, let behind):
      if parts.isEmpty { return leave(parent, into: &list) }
      if parts.count == 1 { return enter(parts[0], parent: parent, depth: depth, rest: rest, into: &list) }
      let frame = push(Frame(rule: Int32(rule), parent: parent, depth: depth, rest: rest))
      enter(parts[0], parent: frame, depth: depth, rest: CompiledGrammar.sum(behind[0], rest), into: &list)
    case .choice(let parts):
      if depth >= Self.maximumDepth, let least = parts.min(by: { grammar.costs[$0] < grammar.costs[$1] }) {
        return enter(least, parent: parent, depth: depth, rest: rest, into: &list)
      }
      for part in parts { enter(part, parent: parent, depth: depth, rest: rest, into: &list) }
    case .object(let object):
      let frame = Frame(
        rule: Int32(rule), needed: Int32(clamping: object.rule.minimum),
        left: object.rule.maximum.map { Int32(clamping: $0) } ?? .max,
        parent: parent, depth: depth + 1, rest: rest)
      if frame.needed == 0, object.required[0] == 0 { leave(parent, into: &list) }
      choose(object, frame, into: &list)
    case .list(let elements):
      let frame = Frame(rule: Int32(rule), parent: parent, depth: depth + 1, rest: rest)
      if elements.minimum == 0 { leave(parent, into: &list) }
      choose(elements, frame, into: &list)
    }
  }

  /// Goes on behind a rule that has ended.
  mutating func leave(_ parent: Int32, into list: inout [Int32]) {
    if parent == Self.done { return Self.insert(Self.done, into: &list) }
    var frame = frames[Int(parent)]
    switch grammar.nodes[Int(frame.rule)] {
    case .sequence(let parts, let behind):
      frame.position += 1
      let index = Int(frame.position)
      let isLast = index == parts.count - 1
      enter(
        parts[index], parent: isLast ? frame.parent : push(frame), depth: frame.depth,
        rest: CompiledGrammar.sum(behind[index], frame.rest), into: &list)
    case .object(let object): leave(object, frame, into: &list)
    case .list(let rule):
      if frame.phase == Phase.choose { return choose(rule, frame, into: &list) }
      if frame.position >= rule.minimum { leave(frame.parent, into: &list) }
      if canGoOn(rule, frame) {
        frame.phase = Phase.choose
        let element = element(rule, frame)
        let rest = CompiledGrammar.sum(element, frame.rest)
        if element < CompiledGrammar.never {
          enter(rule.separator, parent: push(frame), depth: frame.depth, rest: rest, into: &list)
        }
      }
    case .leaf, .fresh, .string, .choice: return
    }
  }
}
