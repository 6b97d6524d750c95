/// A deterministic finite automaton over bytes, with the fewest states, of which each leads to an accepting one.
struct ByteAutomaton: Sendable, Hashable {
  /// The most states an automaton may have.
  static let maximumStates = 6000
  private static let maximumRounds = 100

  /// The class of each byte; bytes of one class lead to the same states everywhere.
  private(set) var classes: [UInt8]
  private(set) var classCount: Int
  /// `[state * classCount + class]`; -1 where no text goes on.
  private(set) var transitions: [Int32]
  private(set) var accepting: [Bool]
  /// What it took to make: the states that it, and those it was made of, had before equal ones were joined.
  let effort: Int

  /// State 0 is the first; an automaton of the empty language has no state.
  var stateCount: Int { accepting.count }
  var isEmpty: Bool { accepting.isEmpty }

  /// - Throws: `TooLarge` when the automaton would have more than `maximumStates`.
  init(_ expression: ByteExpression) throws(TooLarge) {
    var graph = Graph()
    let start = graph.addState(), end = graph.addState()
    try graph.add(expression, from: start, to: end)
    self = try graph.determinized(start: start, end: end).minimized()
  }

  struct TooLarge: Error {}

  private init(classes: [UInt8], classCount: Int, transitions: [Int32], accepting: [Bool], effort: Int) {
    self.classes = classes
    self.classCount = classCount
    self.transitions = transitions
    self.accepting = accepting
    self.effort = effort
  }

  /// Whether both accept the same texts, however they were made.
  static func == (first: ByteAutomaton, second: ByteAutomaton) -> Bool {
    first.classes == second.classes && first.transitions == second.transitions && first.accepting == second.accepting
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(classes)
    hasher.combine(transitions)
    hasher.combine(accepting)
  }

  @inline(__always)
  func next(_ state: Int32, _ byte: UInt8) -> Int32 {
    transitions[Int(state) * classCount + Int(classes[Int(byte)])]
  }

  /// Whether any text goes on from a state.
  func goesOn(_ state: Int32) -> Bool {
    (0..<classCount).contains { transitions[Int(state) * classCount + $0] >= 0 }
  }

  func accepts(_ bytes: some Sequence<UInt8>) -> Bool {
    if isEmpty { return false }
    var state: Int32 = 0
    for byte in bytes {
      state = next(state, byte)
      if state < 0 { return false }
    }
    return accepting[Int(state)]
  }

  /// The states, each behind those that it leads to; nil when texts have no limit.
  private var backwards: [Int]? {
    // 0 new, 1 on the way, 2 done.
    var marks = [UInt8](repeating: 0, count: stateCount), order: [Int] = []
    var stack: [(state: Int, next: Int)] = isEmpty ? [] : [(0, 0)]
    while let (state, next) = stack.last {
      marks[state] = 1
      if next == classCount {
        marks[state] = 2
        order.append(state)
        stack.removeLast()
        continue
      }
      stack[stack.count - 1].next += 1
      let target = Int(transitions[state * classCount + next])
      if target < 0 || marks[target] == 2 { continue }
      if marks[target] == 1 { return nil }
      stack.append((target, 0))
    }
    return order
  }

  /// The most bytes of a text of the language; nil when there is no limit.
  var longestLength: Int? {
    guard let order = backwards else { return nil }
    var longest = [Int](repeating: 0, count: stateCount)
    for state in order {
      for target in transitions[state * classCount..<(state + 1) * classCount] where target >= 0 {
        longest[state] = max(longest[state], longest[Int(target)] + 1)
      }
    }
    return longest.first ?? 0
  }

  /// How many texts there are, counted up to a million; nil when there is no limit.
  var textCount: Int? {
    guard let order = backwards else { return nil }
    var sizes = [Int](repeating: 0, count: classCount), counts = [Int](repeating: 0, count: stateCount)
    for byte in classes { sizes[Int(byte)] += 1 }
    for state in order {
      var count = accepting[state] ? 1 : 0
      for index in 0..<classCount {
        let target = transitions[state * classCount + index]
        if target >= 0 { count = min(count + sizes[index] * counts[Int(target)], 1_000_000) }
      }
      counts[state] = count
    }
    return counts.first ?? 0
  }

  /// What both, or the first but not the second, or either accept, by `isAccepted` of two memberships.
  func combined(with other: ByteAutomaton, isAccepted: (Bool, Bool) -> Bool) throws(TooLarge) -> ByteAutomaton {
    // The classes of both, numbered by their pairs.
    var pairClasses: [Int: UInt8] = [:], classes = [UInt8](repeating: 0, count: 256), pairs: [(Int, Int)] = []
    for byte in 0..<256 {
      let first = Int(self.classes[byte]), second = Int(other.classes[byte]), pair = first << 8 | second
      if pairClasses[pair] == nil {
        pairClasses[pair] = UInt8(pairs.count)
        pairs.append((first, second))
      }
      classes[byte] = pairClasses[pair] ?? 0
    }
    var numbers: [UInt64: Int32] = [:], states: [(Int32, Int32)] = [], transitions: [Int32] = [], accepting: [Bool] = []
    func number(_ first: Int32, _ second: Int32) -> Int32 {
      if first < 0, second < 0 { return -1 }
      let key = UInt64(UInt32(bitPattern: first)) << 32 | UInt64(UInt32(bitPattern: second))
      if let known = numbers[key] { return known }
      numbers[key] = Int32(states.count)
      states.append((first, second))
      accepting.append(isAccepted(first >= 0 && self.accepting[Int(first)], second >= 0 && other.accepting[Int(second)]))
      return Int32(states.count - 1)
    }
    _ = number(isEmpty ? -1 : 0, other.isEmpty ? -1 : 0)
    var done = 0
    while done < states.count {
      if states.count > 20 * Self.maximumStates { throw TooLarge() }
      let (first, second) = states[done]
      done += 1
      for (a, b) in pairs {
        transitions.append(
          number(
            first < 0 ? -1 : self.transitions[Int(first) * classCount + a],
            second < 0 ? -1 : other.transitions[Int(second) * other.classCount + b]))
      }
    }
    return try ByteAutomaton(
      classes: classes, classCount: pairs.count, transitions: transitions, accepting: accepting,
      effort: effort + other.effort + states.count
    ).minimized()
  }

  func intersection(_ other: ByteAutomaton) throws(TooLarge) -> ByteAutomaton { try combined(with: other) { $0 && $1 } }
  func subtracting(_ other: ByteAutomaton) throws(TooLarge) -> ByteAutomaton { try combined(with: other) { $0 && !$1 } }
  func union(_ other: ByteAutomaton) throws(TooLarge) -> ByteAutomaton { try combined(with: other) { $0 || $1 } }

  /// The same texts behind a byte.
  func prefixed(with byte: UInt8) throws(TooLarge) -> ByteAutomaton {
    if isEmpty { return self }
    // A new first state; all others move up by one.
    var first = [Int32](repeating: -1, count: classCount + 1), moved: [Int32] = []
    first[classCount] = 1
    moved += first
    for state in 0..<stateCount {
      for index in 0..<classCount {
        let target = transitions[state * classCount + index]
        moved.append(target < 0 ? -1 : target + 1)
      }
      let target = next(Int32(state), byte)
      moved.append(target < 0 ? -1 : target + 1)
    }
    var classes = classes
    classes[Int(byte)] = UInt8(classCount)
    return try ByteAutomaton(
      classes: classes, classCount: classCount + 1, transitions: moved, accepting: [false] + accepting,
      effort: effort + stateCount
    ).minimized()
  }

  /// The strings themselves, of JSON strings in their one way (`JSONText.canonical`): without quotes and escapes.
  func unquoted() throws(TooLarge) -> ByteAutomaton {
    let quote = UInt8(ascii: "\""), start = isEmpty ? -1 : next(0, quote)
    if start < 0 { return try ByteAutomaton(.nothing) }
    // A byte, as it is written there.
    let written = (0..<256).map { byte in
      byte < 0x80 ? Array(JSONText.literal(String(UnicodeScalar(UInt8(byte)))).utf8.dropFirst().dropLast()) : [UInt8(byte)]
    }
    // The first state is the one behind the quote: both change places.
    func moved(_ state: Int32) -> Int32 { state == start ? 0 : state == 0 ? start : state }
    var transitions: [Int32] = []
    transitions.reserveCapacity(stateCount * 256)
    for state in 0..<Int32(stateCount) {
      for bytes in written {
        let target = bytes.reduce(moved(state)) { $0 < 0 ? -1 : next($0, $1) }
        transitions.append(target < 0 ? -1 : moved(target))
      }
    }
    let accepting = (0..<Int32(stateCount)).map { state in
      let target = next(moved(state), quote)
      return target >= 0 && self.accepting[Int(target)]
    }
    return try ByteAutomaton(
      classes: (0..<256).map { UInt8($0) }, classCount: 256, transitions: transitions, accepting: accepting,
      effort: effort + stateCount
    ).withFewestClasses().minimized()
  }

  /// Of decimal numbers, with a sign or without, those that a natural number divides.
  func filteringMultiples(of divisor: Int) throws(TooLarge) -> ByteAutomaton {
    var classes = [UInt8](repeating: 11, count: 256)
    for digit in 0..<10 { classes[Int(UInt8(ascii: "0")) + digit] = UInt8(digit) }
    classes[Int(UInt8(ascii: "-"))] = 10
    var transitions: [Int32] = []
    for remainder in 0..<divisor {
      for digit in 0..<10 { transitions.append(Int32((remainder * 10 + digit) % divisor)) }
      transitions.append(remainder == 0 ? 0 : -1)
      transitions.append(-1)
    }
    let multiples = ByteAutomaton(
      classes: classes, classCount: 12, transitions: transitions, accepting: (0..<divisor).map { $0 == 0 }, effort: divisor)
    return try intersection(multiples)
  }

  /// Drops states from which nothing is accepted, joins equal ones (Moore 1956), and numbers the rest from the start.
  private func minimized() throws(TooLarge) -> ByteAutomaton {
    let none = ByteAutomaton(
      classes: [UInt8](repeating: 0, count: 256), classCount: 1, transitions: [], accepting: [], effort: effort)
    if isEmpty { return none }
    // Live states, backwards from the accepting ones.
    var sources = [[Int32]](repeating: [], count: stateCount)
    for state in 0..<stateCount {
      for target in transitions[state * classCount..<(state + 1) * classCount] where target >= 0 {
        if sources[Int(target)].last != Int32(state) { sources[Int(target)].append(Int32(state)) }
      }
    }
    var isLive = accepting, queue = (0..<stateCount).filter { accepting[$0] }
    while let state = queue.popLast() {
      for source in sources[state] where !isLive[Int(source)] {
        isLive[Int(source)] = true
        queue.append(Int(source))
      }
    }
    if !isLive[0] { return none }
    var blocks = (0..<stateCount).map { isLive[$0] ? (accepting[$0] ? 1 : 0) : -1 }, blockCount = 0
    for round in 0... {
      if round == Self.maximumRounds {
        // Long chains take as many rounds as they have states. All states stay then, which is as right.
        blocks = blocks.indices.map { isLive[$0] ? $0 : -1 }
        blockCount = isLive.count { $0 }
        break
      }
      var numbers: [[Int32]: Int] = [:], refined = blocks
      var key = [Int32](repeating: 0, count: classCount + 1)
      for state in 0..<stateCount where isLive[state] {
        key[0] = Int32(blocks[state])
        for index in 0..<classCount {
          let target = transitions[state * classCount + index]
          key[index + 1] = target < 0 ? -1 : Int32(blocks[Int(target)])
        }
        let number = numbers[key] ?? numbers.count
        numbers[key] = number
        refined[state] = number
      }
      let isStable = numbers.count == blockCount
      blocks = refined
      blockCount = numbers.count
      if isStable { break }
    }
    if blockCount > Self.maximumStates { throw TooLarge() }
    // Breadth first from the start, so that equal languages have equal automata.
    var order: [Int] = [0], number = [Int: Int32]()
    number[blocks[0]] = 0
    var small: [Int32] = [], smallAccepting: [Bool] = [], done = 0
    while done < order.count {
      let state = order[done]
      done += 1
      smallAccepting.append(accepting[state])
      for index in 0..<classCount {
        let target = Int(transitions[state * classCount + index])
        guard target >= 0, isLive[target] else {
          small.append(-1)
          continue
        }
        if number[blocks[target]] == nil {
          number[blocks[target]] = Int32(order.count)
          order.append(target)
        }
        small.append(number[blocks[target]] ?? -1)
      }
    }
    return ByteAutomaton(
      classes: classes, classCount: classCount, transitions: small, accepting: smallAccepting, effort: effort
    ).withFewestClasses()
  }

  private func withFewestClasses() -> ByteAutomaton {
    var columns: [[Int32]: UInt8] = [:], kept: [Int] = [], renamed = [UInt8](repeating: 0, count: classCount)
    for index in 0..<classCount {
      let column = (0..<stateCount).map { transitions[$0 * classCount + index] }
      if columns[column] == nil {
        columns[column] = UInt8(kept.count)
        kept.append(index)
      }
      renamed[index] = columns[column] ?? 0
    }
    var small: [Int32] = []
    small.reserveCapacity(stateCount * kept.count)
    for state in 0..<stateCount { for index in kept { small.append(transitions[state * classCount + index]) } }
    return ByteAutomaton(
      classes: classes.map { renamed[Int($0)] }, classCount: kept.count, transitions: small, accepting: accepting, effort: effort)
  }

  /// The nondeterministic automaton of an expression (Thompson 1968).
  private struct Graph {
    private static let maximumStates = 60_000
    private var empty: [[Int32]] = []
    private var edges: [[(bytes: ClosedRange<UInt8>, target: Int32)]] = []

    mutating func addState() -> Int32 {
      empty.append([])
      edges.append([])
      return Int32(empty.count - 1)
    }

    mutating func add(_ expression: ByteExpression, from: Int32, to: Int32) throws(TooLarge) {
      if empty.count > Self.maximumStates { throw TooLarge() }
      switch expression {
      case .bytes(let bytes): edges[Int(from)].append((bytes, to))
      case .literal(let bytes):
        if bytes.count > Self.maximumStates { throw TooLarge() }
        var state = from
        for byte in bytes.dropLast() {
          let next = addState()
          edges[Int(state)].append((byte...byte, next))
          state = next
        }
        if let last = bytes.last { edges[Int(state)].append((last...last, to)) } else { empty[Int(from)].append(to) }
      case .sequence(let parts):
        var state = from
        for (index, part) in parts.enumerated() {
          let next = index == parts.count - 1 ? to : addState()
          try add(part, from: state, to: next)
          state = next
        }
        if parts.isEmpty { empty[Int(from)].append(to) }
      case .choice(let parts):
        for part in parts {
          // States of its own, so that a loop in one part is not entered from another.
          let first = addState(), last = addState()
          empty[Int(from)].append(first)
          empty[Int(last)].append(to)
          try add(part, from: first, to: last)
        }
      case .repetition(let part, let minimum, let maximum):
        var state = from
        for _ in 0..<minimum {
          let next = addState()
          try add(part, from: state, to: next)
          state = next
        }
        if let maximum {
          for _ in minimum..<max(minimum, maximum) {
            let next = addState()
            empty[Int(state)].append(to)
            try add(part, from: state, to: next)
            state = next
          }
        } else {
          let loop = addState(), back = addState()
          empty[Int(state)].append(loop)
          try add(part, from: loop, to: back)
          empty[Int(back)].append(loop)
          state = loop
        }
        empty[Int(state)].append(to)
      }
    }

    func determinized(start: Int32, end: Int32) throws(TooLarge) -> ByteAutomaton {
      var isBoundary = [Bool](repeating: false, count: 257)
      for list in edges {
        for edge in list {
          isBoundary[Int(edge.bytes.lowerBound)] = true
          isBoundary[Int(edge.bytes.upperBound) + 1] = true
        }
      }
      var classes = [UInt8](repeating: 0, count: 256), classCount = 1
      for byte in 1..<256 {
        if isBoundary[byte] { classCount += 1 }
        classes[byte] = UInt8(classCount - 1)
      }
      var mark = [Int32](repeating: -1, count: empty.count), round: Int32 = 0, work = 0
      func closed(_ states: [Int32]) -> [Int32] {
        round += 1
        var result: [Int32] = [], stack = states
        while let state = stack.popLast() {
          work += 1
          if mark[Int(state)] == round { continue }
          mark[Int(state)] = round
          // Only states with edges, and the end, tell sets apart.
          if !edges[Int(state)].isEmpty || state == end { result.append(state) }
          stack += empty[Int(state)]
        }
        return result.sorted()
      }
      var numbers: [[Int32]: Int32] = [:], sets: [[Int32]] = [], transitions: [Int32] = []
      func number(_ set: [Int32]) -> Int32 {
        if set.isEmpty { return -1 }
        if let known = numbers[set] { return known }
        numbers[set] = Int32(sets.count)
        sets.append(set)
        return Int32(sets.count - 1)
      }
      _ = number(closed([start]))
      var done = 0
      while done < sets.count {
        if sets.count > 4 * ByteAutomaton.maximumStates { throw TooLarge() }
        var targets = [[Int32]](repeating: [], count: classCount)
        for state in sets[done] {
          for edge in edges[Int(state)] {
            for index in classes[Int(edge.bytes.lowerBound)]...classes[Int(edge.bytes.upperBound)] {
              targets[Int(index)].append(edge.target)
              work += 1
            }
          }
        }
        // Patterns can make sets large as well as many.
        if work > 20_000_000 { throw TooLarge() }
        done += 1
        for target in targets { transitions.append(target.isEmpty ? -1 : number(closed(target))) }
      }
      return ByteAutomaton(
        classes: classes, classCount: classCount, transitions: transitions, accepting: sets.map { $0.contains(end) },
        effort: sets.count)
    }
  }
}
