/// A regular expression compiled for the matcher.
struct RegexProgram: Sendable {
  enum Instruction: Sendable {
    /// Consumes one scalar of the set.
    case scalar(set: Int)
    /// Consumes as many scalars of the set as it may, and gives back on failure unless possessive.
    case run(set: Int, minimum: Int, maximum: Int, isPossessive: Bool)
    /// Goes on at the first; at the second when that fails.
    case split(first: Int, second: Int)
    case jump(Int)
    /// The instructions from the next to `end` must match ahead, or (`width` scalars) behind.
    case look(end: Int, width: Int?, isNegated: Bool)
    /// The first way in which the instructions from the next to `end` match is the only one.
    case atomic(end: Int)
    case assertion(RegexAssertion)
    case match
  }

  private(set) var instructions: [Instruction] = []
  private var sets: [ScalarSet] = []
  /// The sets' ASCII parts, to be read without touching what else a set holds.
  private var asciiSets: [(low: UInt64, high: UInt64)] = []

  /// Calls of `emit`: nearly every one adds an instruction, but what matches nothing has none and still takes time.
  private var emissions = 0
  private static let maximumEmissions = 20_000

  /// - Throws: `RegexError` for a pattern that is malformed, too large, or uses what the parser does not know.
  init(_ pattern: String) throws(RegexError) {
    let node = try RegexParser.parse(pattern)
    try emit(node)
    instructions.append(.match)
  }

  private mutating func emit(_ node: RegexNode) throws(RegexError) {
    emissions += 1
    guard emissions <= Self.maximumEmissions else {
      throw RegexError(offset: 0, reason: "the pattern has more than \(Self.maximumEmissions) instructions")
    }
    switch node {
    case .empty: break
    case .scalar(let set): instructions.append(.scalar(set: index(of: set)))
    case .sequence(let nodes): for node in nodes { try emit(node) }
    case .choice(let nodes): try emitChoice(nodes)
    case .repetition(let node, let minimum, let maximum, let mode): try emitRepetition(node, minimum, maximum, mode)
    case .atomic(let node):
      try emitSubprogram(node) { .atomic(end: $0) }
    case .look(let node, let ahead, let negated):
      let width = ahead ? nil : node.fixedWidth
      try emitSubprogram(node) { .look(end: $0, width: width, isNegated: negated) }
    case .assertion(let assertion): instructions.append(.assertion(assertion))
    }
  }

  private mutating func index(of set: ScalarSet) -> Int {
    sets.append(set)
    asciiSets.append(set.ascii)
    return sets.count - 1
  }

  @inline(__always)
  func accepts(_ set: Int, _ value: UInt32) -> Bool {
    if value < 64 { return asciiSets[set].low >> UInt64(value) & 1 != 0 }
    if value < 128 { return asciiSets[set].high >> UInt64(value - 64) & 1 != 0 }
    return sets[set].evaluate(value)
  }

  /// What a look at a set costs in steps.
  func cost(_ set: Int) -> Int { sets[set].size }

  private mutating func emitSubprogram(_ node: RegexNode, _ instruction: (Int) -> Instruction) throws(RegexError) {
    let start = reserve()
    try emit(node)
    instructions.append(.match)
    instructions[start] = instruction(instructions.count)
  }

  private mutating func reserve() -> Int {
    instructions.append(.match)
    return instructions.count - 1
  }

  private mutating func emitChoice(_ nodes: [RegexNode]) throws(RegexError) {
    var jumps: [Int] = []
    for (index, node) in nodes.enumerated() {
      guard index < nodes.count - 1 else {
        try emit(node)
        break
      }
      let split = reserve()
      try emit(node)
      jumps.append(reserve())
      instructions[split] = .split(first: split + 1, second: instructions.count)
    }
    for jump in jumps { instructions[jump] = .jump(instructions.count) }
  }

  private mutating func emitRepetition(
    _ node: RegexNode, _ minimum: Int, _ maximum: Int?, _ mode: RepetitionMode
  ) throws(RegexError) {
    if case .scalar(let set) = node, mode != .lazy {
      let isPossessive = mode == .possessive
      instructions.append(.run(set: index(of: set), minimum: minimum, maximum: maximum ?? Int.max, isPossessive: isPossessive))
      return
    }
    if mode == .possessive {
      try emit(.atomic(.repetition(node, minimum: minimum, maximum: maximum, .greedy)))
      return
    }
    for _ in 0..<minimum { try emit(node) }
    guard let maximum else {
      let split = reserve()
      try emit(node)
      instructions.append(.jump(split))
      instructions[split] = self.split(split + 1, instructions.count, mode)
      return
    }
    var splits: [Int] = []
    for _ in minimum..<max(minimum, maximum) {
      splits.append(reserve())
      try emit(node)
    }
    for split in splits { instructions[split] = self.split(split + 1, instructions.count, mode) }
  }

  private func split(_ body: Int, _ exit: Int, _ mode: RepetitionMode) -> Instruction {
    mode == .lazy ? .split(first: exit, second: body) : .split(first: body, second: exit)
  }
}
