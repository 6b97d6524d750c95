/// The steps that the patterns may take over one text, whatever their number and the number of parts the text is cut into.
struct RegexBudget {
  var remainingSteps: Int

  /// - Parameter byteCount: of the whole text.
  init(byteCount: Int) {
    let (steps, overflow) = byteCount.multipliedReportingOverflow(by: Self.stepsPerByte)
    remainingSteps = overflow ? .max : 1_000_000 + steps
  }

  private static let stepsPerByte = 256
}

/// Runs a program over valid UTF-8 by backtracking, with an explicit stack and a budget of steps: when the budget is spent,
/// nothing matches any more, so that no pattern can hang on any text.
struct RegexMatcher {
  private let program: RegexProgram
  private let bytes: UnsafePointer<UInt8>
  private var stack: [Frame] = []
  private(set) var budget: RegexBudget

  private static let maximumStack = 1 << 22

  /// A place to go back to. A run of scalars is one frame: it gives back one scalar at a time, down to `lowest`.
  private struct Frame {
    var instruction: Int
    var position: Int
    var lowest: Int
  }

  init(_ program: RegexProgram, _ bytes: UnsafePointer<UInt8>, _ budget: RegexBudget) {
    self.program = program
    self.bytes = bytes
    self.budget = budget
  }

  /// The first match that starts at or after a position.
  mutating func firstMatch(from start: Int, limits: Range<Int>) -> Range<Int>? {
    var position = start
    while true {
      if let matchEnd = run(0, position, limits) { return position..<matchEnd }
      guard position < limits.upperBound, budget.remainingSteps > 0 else { return nil }
      position = decodeScalar(bytes, position).next
    }
  }

  /// The end of a match from a position, for the program that starts at an instruction.
  private mutating func run(_ first: Int, _ start: Int, _ limits: Range<Int>) -> Int? {
    let base = stack.count
    defer { stack.removeLast(stack.count - base) }
    var instruction = first
    var position = start
    while true {
      budget.remainingSteps -= 1
      guard budget.remainingSteps > 0, stack.count < Self.maximumStack else {
        budget.remainingSteps = 0
        return nil
      }
      var matched = true
      switch program.instructions[instruction] {
      case .scalar(let set):
        matched = false
        budget.remainingSteps -= program.cost(set) / 4
        if position < limits.upperBound {
          let (value, next) = decodeScalar(bytes, position)
          if program.accepts(set, value) {
            position = next
            matched = true
          }
        }
        instruction += 1
      case .run(let set, let minimum, let maximum, let isPossessive):
        let (runEnd, lowest) = scan(set, position, minimum, maximum, limits.upperBound)
        instruction += 1
        if let lowest {
          position = runEnd
          if !isPossessive, runEnd > lowest { stack.append(Frame(instruction: instruction, position: runEnd, lowest: lowest)) }
        } else {
          matched = false
        }
      case .split(let first, let second):
        stack.append(Frame(instruction: second, position: position, lowest: position))
        instruction = first
      case .jump(let target): instruction = target
      case .look(let subEnd, let width, let isNegated):
        matched = look(instruction + 1, width, position, limits) != isNegated
        instruction = subEnd
      case .atomic(let subEnd):
        if let matchEnd = run(instruction + 1, position, limits) { position = matchEnd } else { matched = false }
        instruction = subEnd
      case .assertion(let assertion):
        matched = holds(assertion, position, limits)
        instruction += 1
      case .match: return position
      }
      if !matched {
        guard stack.count > base else { return nil }
        (instruction, position) = backtrack()
      }
    }
  }

  private mutating func backtrack() -> (Int, Int) {
    let top = stack.count - 1
    let frame = stack[top]
    guard frame.position > frame.lowest else {
      stack.removeLast()
      return (frame.instruction, frame.position)
    }
    var position = frame.position - 1
    while bytes[position] & 0xC0 == 0x80 { position -= 1 }
    if position == frame.lowest { stack.removeLast() } else { stack[top].position = position }
    return (frame.instruction, position)
  }

  /// A run of scalars of the set: its end, and the end of the shortest run that is long enough (nil when there is none).
  private mutating func scan(
    _ set: Int, _ start: Int, _ minimum: Int, _ maximum: Int, _ limit: Int
  ) -> (end: Int, lowest: Int?) {
    var position = start
    var count = 0
    var lowest = minimum == 0 ? start : nil
    while position < limit, count < maximum {
      let (value, next) = decodeScalar(bytes, position)
      if !program.accepts(set, value) { break }
      position = next
      count += 1
      if count == minimum { lowest = position }
    }
    budget.remainingSteps -= count * program.cost(set) / 4
    return (position, lowest)
  }

  private mutating func look(_ first: Int, _ width: Int?, _ position: Int, _ limits: Range<Int>) -> Bool {
    guard let width else { return run(first, position, limits) != nil }
    budget.remainingSteps -= min(width, position - limits.lowerBound) / 4
    var start = position
    for _ in 0..<width {
      guard start > limits.lowerBound else { return false }
      start -= 1
      while start > limits.lowerBound, bytes[start] & 0xC0 == 0x80 { start -= 1 }
    }
    return run(first, start, limits) == position
  }

  private func holds(_ assertion: RegexAssertion, _ position: Int, _ limits: Range<Int>) -> Bool {
    switch assertion {
    case .textStart: position == limits.lowerBound
    case .textEnd: position == limits.upperBound
    case .textEndOrFinalNewline:
      position == limits.upperBound || position == limits.upperBound - 1 && bytes[position] == 0x0A
    case .lineStart:
      position == limits.lowerBound || bytes[position - 1] == 0x0A && position < limits.upperBound
    case .lineEnd: position == limits.upperBound || bytes[position] == 0x0A
    case .wordBoundary: isBoundary(position, limits)
    case .notWordBoundary: !isBoundary(position, limits)
    }
  }

  private func isBoundary(_ position: Int, _ limits: Range<Int>) -> Bool {
    var before = false
    if position > limits.lowerBound {
      var previous = position - 1
      while bytes[previous] & 0xC0 == 0x80 { previous -= 1 }
      before = ScalarSet.isWord(decodeScalar(bytes, previous).value)
    }
    let after = position < limits.upperBound && ScalarSet.isWord(decodeScalar(bytes, position).value)
    return before != after
  }
}
