/// What a small program prints. Programs are of the small language, which is a part of Python.
public struct ProgramOutput: TaskFamily {
  public init() {}

  public let name = "program-output"
  public let summary = "Says what a small program prints."

  public func dials(difficulty: Int) -> String {
    switch difficulty {
    case ...2: "\(2 + difficulty) assignments"
    case ...4: "a loop of up to \(2 + difficulty) rounds with a condition"
    case ...6: "a while loop over the digits or the divisions of a number"
    case ...8: "a loop over a list that changes"
    default: "a recursive function and a loop"
    }
  }

  public func problem(difficulty: Int, random: inout TaskRandom) -> Problem {
    let source =
      switch difficulty {
      case ...2: Self.assignments(2 + difficulty, &random)
      case ...4: Self.loop(rounds: 2 + difficulty, &random)
      case ...6: Self.division(difficulty, &random)
      case ...8: Self.list(difficulty, &random)
      default: Self.recursion(difficulty, &random)
      }
    // The programs above are of the language and end: a test runs thousands.
    let run = try? Program(source).trace()
    let output = run?.output.split(whereSeparator: \.isNewline).joined(separator: "\n") ?? ""
    let reasoning = ["Run it step by step:"] + (run?.events ?? []) + ["So the output is \(output.replacing("\n", with: ", "))"]
    return Problem(
      question: "What does this Python program print?\n\n```python\n\(source)\n```", answer: output, grader: .exact,
      reasoning: reasoning.joined(separator: "\n"), key: source)
  }

  private static func assignments(_ count: Int, _ random: inout TaskRandom) -> String {
    var lines = ["a = \(random.integer(2...30))", "b = \(random.integer(2...30))"]
    for _ in 0..<count {
      let target = random.element(["a", "b", "c"]),
        known = lines.contains { $0.hasPrefix("c =") } ? ["a", "b", "c"] : ["a", "b"]
      let left = random.element(known), right = random.chance(percent: 50) ? random.element(known) : "\(random.integer(2...9))"
      // A product of two variables again and again would grow too large.
      let symbol = Int(right) == nil ? random.element(["+", "-"]) : random.element(["+", "-", "*", "//", "%"])
      lines.append("\(target) = \(left) \(symbol) \(right)")
    }
    return (lines + ["print(a + b)"]).joined(separator: "\n")
  }

  private static func loop(rounds: Int, _ random: inout TaskRandom) -> String {
    let start = random.integer(0...20), divisor = random.integer(2...4)
    return """
      total = \(random.integer(0...30))
      for i in range(\(start), \(start + random.integer(3...rounds))):
          if i % \(divisor) == \(random.integer(0...(divisor - 1))):
              total \(random.element(["+=", "-="])) i * \(random.integer(2...9))
          else:
              total \(random.element(["+=", "-="])) \(random.integer(1...20))
      print(total)
      """
  }

  private static func division(_ difficulty: Int, _ random: inout TaskRandom) -> String {
    let n = random.integer(digits: difficulty - 2), base = random.element([2, 3, 5, 10]), limit = random.integer(10...60)
    return """
      n = \(n)
      total = \(random.integer(0...9))
      while n > 0:
          total = total * \(random.integer(1...3)) + n % \(base)
          if total > \(limit):
              total -= \(limit)
          n //= \(base == 2 && n > 999 ? 5 : base)
      print(total)
      """
  }

  private static func list(_ difficulty: Int, _ random: inout TaskRandom) -> String {
    let numbers = (0..<(difficulty - 2)).map { _ in "\(random.integer(1...30))" }.joined(separator: ", ")
    let divisor = random.integer(2...4)
    return """
      numbers = [\(numbers)]
      picked = []
      for i in range(len(numbers)):
          if (numbers[i] + i) % \(divisor) == \(random.integer(0...(divisor - 1))):
              picked.append(numbers[i] * \(random.integer(2...5)))
          else:
              numbers[i] \(random.element(["+=", "-="])) \(random.integer(1...9))
      print(len(picked), sum(picked) + \(random.element(["max", "min"]))(numbers))
      """
  }

  private static func recursion(_ difficulty: Int, _ random: inout TaskRandom) -> String {
    """
    def f(n):
        if n < \(random.integer(2...3)):
            return n + \(random.integer(0...9))
        return \(random.element(["f(n - 1) + f(n - 2)", "f(n - 2) + f(n // 2)", "f(n - 1) - f(n // 2)"])) \
    \(random.element(["+", "-"])) \(random.integer(1...9))

    total = \(random.integer(0...9))
    for i in range(\(random.integer(1...2)), \(random.integer(4...(difficulty - 4)))):
        total = total * \(random.integer(1...2)) + f(i)
    print(total)
    """
  }
}
