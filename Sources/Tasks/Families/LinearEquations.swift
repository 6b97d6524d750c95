/// Linear equations with one solution, an integer; in the harder half of the difficulties with two unknowns.
public struct LinearEquations: TaskFamily {
  public init() {}

  public let name = "linear-equations"
  public let summary = "Solves linear equations of one or two unknowns."

  public func dials(difficulty: Int) -> String {
    switch difficulty {
    case ...3: "ax + b = c, solutions up to \(10 * difficulty)"
    case ...6: "ax + b = cx + d, solutions up to \(10 * difficulty)"
    default: "two equations with x and y, solutions up to \(5 * (difficulty - 4))"
    }
  }

  public func problem(difficulty: Int, random: inout TaskRandom) -> Problem {
    difficulty > 6 ? pair(difficulty, &random) : single(difficulty, &random)
  }

  /// `3x - 4`
  private static func side(_ factor: Int, _ constant: Int) -> String {
    let term = factor == 1 ? "x" : factor == -1 ? "-x" : "\(factor)x"
    return constant == 0 ? term : term + (constant > 0 ? " + \(constant)" : " - \(-constant)")
  }

  private func single(_ difficulty: Int, _ random: inout TaskRandom) -> Problem {
    let range = 10 * difficulty, x = random.integer(-range...range)
    var a = random.integer(2...(8 + difficulty)), b = random.integer(-(10 + range)...(10 + range))
    if random.chance(percent: 25) { a = -a }
    if b == 0 { b = 1 }
    var c = 0
    if difficulty > 3 {
      c = random.integer(2...(8 + difficulty))
      if c == a { c += 1 }
    }
    let d = (a - c) * x + b, factor = a - c
    let equation = Self.side(a, b) + " = " + (c == 0 ? "\(d)" : Self.side(c, d))
    var steps: [String] = []
    if c != 0 {
      steps += ["Take \(c)x from both sides: \(a) - \(c) = \(factor), so \(Self.side(factor, b)) = \(d)"]
    }
    steps += [
      b > 0
        ? "Take \(b) from both sides: \(d) - \(b) = \(d - b), so \(Self.side(factor, 0)) = \(d - b)"
        : "Add \(-b) to both sides: \(d) + \(-b) = \(d - b), so \(Self.side(factor, 0)) = \(d - b)",
      "Divide both sides by \(factor): x = \(x)", "Check: \(factor) * \(x) = \(d - b)",
    ]
    return Problem(
      question: "Solve for x: \(equation)", answer: "\(x)", grader: .number, reasoning: steps.joined(separator: "\n"),
      key: equation)
  }

  /// ax + by = e, cx + dy = f
  private func pair(_ difficulty: Int, _ random: inout TaskRandom) -> Problem {
    let range = 5 * (difficulty - 4), x = random.integer(-range...range), y = random.integer(-range...range)
    let largest = difficulty
    let a = random.integer(1...largest), b = random.integer(1...largest), c = random.integer(1...largest)
    var d = random.integer(1...largest)
    if a * d == b * c { d += 1 }
    let e = a * x + b * y, f = c * x + d * y, factor = a * d - b * c, right = e * d - f * b
    func equation(_ p: Int, _ q: Int, _ r: Int) -> String {
      (p == 1 ? "" : "\(p)") + "x + " + (q == 1 ? "" : "\(q)") + "y = \(r)"
    }
    let first = equation(a, b, e), second = equation(c, d, f)
    let steps = [
      "Multiply the first equation by \(d) and the second by \(b), so that y has the same factor in both.",
      "\(a) * \(d) = \(a * d) and \(e) * \(d) = \(e * d)", "\(c) * \(b) = \(c * b) and \(f) * \(b) = \(f * b)",
      "Take the second from the first: \(a * d) - \(c * b) = \(factor) and \(e * d) - (\(f * b)) = \(right)",
      "So \(factor)x = \(right), and x = \(x)", "Check: \(factor) * \(x) = \(right)",
    ]
    return Problem(
      question: "Solve for x:\n\(first)\n\(second)", answer: "\(x)", grader: .number, reasoning: steps.joined(separator: "\n"),
      key: "\(first); \(second)")
  }
}
