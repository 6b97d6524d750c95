/// A state of a leaf, as far as tokens tell states apart.
struct LocalKey: Hashable {
  var rule: Int32
  var state: Int32
  /// Of strings that are counted: characters that must come and that may come, up to one more than a token can hold.
  var needed: Int32 = 0
  var left: Int32 = 0

  static let horizon = Int32(TokenTrie.maximumTokenBytes + 1)
}

/// What a state of a leaf allows of the vocabulary, found by walking the leaf's automaton over the trie of all tokens.
final class LocalMask: Sendable {
  /// Tokens that end inside the leaf (or where it ends), by what ending the leaf costs behind them; the cheapest first.
  let groups: [(cost: Int, tokens: Tokens)]
  /// Nodes of the trie where the leaf may end.
  let exits: [Int32]

  enum Tokens: Sendable {
    case few([Int32])
    case many(TokenMask)
  }

  init(_ key: LocalKey, _ grammar: CompiledGrammar) {
    let trie = grammar.trie
    var byCost: [Int: [Int32]] = [:], exits: [Int32] = []
    func note(_ node: Int, _ cost: Int, _ isEnd: Bool) {
      if isEnd { exits.append(Int32(node)) }
      if cost >= CompiledGrammar.never { return }
      byCost[cost, default: []] += trie.tokens(at: node)
    }
    // The state at each depth of the path to a node.
    switch grammar.nodes[Int(key.rule)] {
    case .leaf(let leaf): Self.walk(leaf, from: key.state, trie, note)
    case .fresh(let fresh): Self.walk(fresh.leaf, from: key.state, trie, note)
    case .string:
      let start = StringState(state: key.state, needed: key.needed, left: key.left)
      var states = [StringState](repeating: start, count: TokenTrie.maximumTokenBytes + 1), node = 1
      while node < trie.bytes.count {
        let depth = Int(trie.depths[node])
        guard let next = states[depth - 1].next(trie.bytes[node], grammar.character) else {
          node = Int(trie.ends[node])
          continue
        }
        states[depth] = next
        note(node, next.isClosed ? CompiledGrammar.never : next.cost(grammar.character), next.isClosed)
        node += 1
      }
    case .sequence, .choice, .object, .list: break
    }
    groups = byCost.sorted { $0.key < $1.key }.map { cost, tokens in
      if tokens.count < trie.vocabularySize / 64 { return (cost, .few(tokens)) }
      var mask = TokenMask(count: trie.vocabularySize)
      for token in tokens { mask.insert(token) }
      return (cost, .many(mask))
    }
    self.exits = exits
  }

  private static func walk(
    _ leaf: CompiledGrammar.Leaf, from state: Int32, _ trie: TokenTrie, _ note: (Int, Int, Bool) -> Void
  ) {
    var states = [Int32](repeating: state, count: TokenTrie.maximumTokenBytes + 1), node = 1
    while node < trie.bytes.count {
      let depth = Int(trie.depths[node]), next = leaf.automaton.next(states[depth - 1], trie.bytes[node])
      if next < 0 {
        node = Int(trie.ends[node])
        continue
      }
      states[depth] = next
      note(node, leaf.goesOn[Int(next)] ? leaf.costs[Int(next)] : CompiledGrammar.never, leaf.automaton.accepting[Int(next)])
      node += 1
    }
  }
}

/// Where a string of counted length is.
struct StringState: Hashable {
  /// 0 before the opening quote, 1 behind the closing one, 2 between characters, then the states inside of a character.
  var state: Int32
  /// Characters that must and that may come, without the one in progress.
  var needed: Int32
  var left: Int32

  static let open: Int32 = 0
  static let closed: Int32 = 1
  static let between: Int32 = 2

  var isClosed: Bool { state == Self.closed }

  @inline(__always)
  func next(_ byte: UInt8, _ character: CompiledGrammar.Leaf) -> StringState? {
    var result = self
    let quote = UInt8(ascii: "\"")
    switch state {
    case Self.open:
      if byte != quote { return nil }
      result.state = Self.between
      return result
    case Self.closed: return nil
    case Self.between where byte == quote:
      if needed > 0 { return nil }
      result.state = Self.closed
      return result
    case Self.between:
      if left == 0 { return nil }
      result.needed = max(0, needed - 1)
      if left != .max { result.left = left - 1 }
    default: break
    }
    let next = character.automaton.next(state - Self.between, byte)
    if next < 0 { return nil }
    result.state = character.automaton.accepting[Int(next)] ? Self.between : Self.between + next
    return result
  }

  /// The least tokens to the closing quote.
  func cost(_ character: CompiledGrammar.Leaf) -> Int {
    let characters = CompiledGrammar.product(Int(needed), character.costs.first ?? CompiledGrammar.never)
    switch state {
    case Self.open: return CompiledGrammar.sum(2, characters)
    case Self.closed: return 0
    case Self.between: return CompiledGrammar.sum(1, characters)
    default: return CompiledGrammar.sum(1, characters, character.costs[Int(state - Self.between)])
    }
  }
}
