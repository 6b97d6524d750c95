/// Sums and differences of integers, with carries. No partial result is below zero.
public struct Arithmetic: TaskFamily {
  public init() {}

  public let name = "arithmetic"
  public let summary = "Adds and subtracts integers."

  private func dials(_ difficulty: Int) -> (terms: Int, digits: Int) {
    (2 + (difficulty - 1) / 2, 2 + difficulty / 2)  // in turn a digit and a number more
  }

  public func dials(difficulty: Int) -> String {
    let (terms, digits) = dials(difficulty)
    return "\(terms) numbers of up to \(digits) digits"
  }

  public func problem(difficulty: Int, random: inout TaskRandom) -> Problem {
    let (terms, digits) = dials(difficulty)
    var total = random.integer(digits: digits)
    var expression = "\(total)", steps: [String] = []
    for _ in 1..<terms {
      let term = random.integer(digits: random.integer(max(1, digits - 1)...digits))
      if term <= total, random.chance(percent: 45) {
        expression += " - \(term)"
        steps.append(Self.steps(total, minus: term))
        total -= term
      } else {
        expression += " + \(term)"
        steps.append(Self.steps(total, plus: term))
        total += term
      }
    }
    let wording = random.element(["What is \(expression)?", "Compute \(expression).", "\(expression) = ?"])
    return Problem(
      question: wording, answer: "\(total)", grader: .number, reasoning: steps.joined(separator: "\n"), key: expression)
  }

  /// Column by column from the right.
  static func steps(_ a: Int, plus b: Int) -> String {
    var lines = ["\(a) + \(b), digit by digit from the right:"]
    var (x, y, carry) = (a, b, 0)
    while x > 0 || y > 0 {
      let sum = x % 10 + y % 10 + carry
      lines.append(
        "\(x % 10) + \(y % 10)" + (carry > 0 ? " + \(carry)" : "") + " = \(sum), write \(sum % 10)"
          + (sum > 9 ? ", carry 1" : ""))
      (x, y, carry) = (x / 10, y / 10, sum / 10)
    }
    if carry > 0 { lines.append("The last carry is written: 1") }
    return lines.joined(separator: "\n") + "\nSo \(a) + \(b) = \(a + b)"
  }

  /// Column by column from the right; `b` is not above `a`.
  static func steps(_ a: Int, minus b: Int) -> String {
    var lines = ["\(a) - \(b), digit by digit from the right:"]
    var (x, y, borrow) = (a, b, 0)
    while x > 0 || y > 0 {
      let difference = x % 10 - y % 10 - borrow
      let digits = "\(x % 10) - \(y % 10)" + (borrow > 0 ? " - \(borrow)" : "")
      lines.append(
        difference < 0
          ? "\(digits) = \(difference), write \(difference + 10), borrow 1" : "\(digits) = \(difference), write \(difference)")
      (x, y, borrow) = (x / 10, y / 10, difference < 0 ? 1 : 0)
    }
    return lines.joined(separator: "\n") + "\nSo \(a) - \(b) = \(a - b)"
  }
}
