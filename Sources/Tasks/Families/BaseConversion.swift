/// Numbers from one base to another.
public struct BaseConversion: TaskFamily {
  public init() {}

  public let name = "base-conversion"
  public let summary = "Writes a number of one base in another."

  private func dials(_ difficulty: Int) -> (largest: Int, bases: [Int]) {
    let largest = (0..<difficulty).reduce(255) { value, _ in value * 3 }
    return (largest, difficulty < 3 ? [2, 8, 16] : difficulty < 6 ? [2, 3, 4, 5, 8, 16] : Array(2...16))
  }

  public func dials(difficulty: Int) -> String {
    let (largest, bases) = dials(difficulty)
    let list = bases.count > 10 ? "2 to 16" : bases.map { "\($0)" }.joined(separator: ", ")
    return "up to \(largest), bases \(list) and 10" + (difficulty > 5 ? ", or two of them" : "")
  }

  public func problem(difficulty: Int, random: inout TaskRandom) -> Problem {
    let (largest, bases) = dials(difficulty)
    let value = random.integer(16...largest)
    var from = 10, to = random.element(bases)
    if difficulty > 5, random.chance(percent: 40) {
      from = random.element(bases)
    } else if random.chance(percent: 50) {
      (from, to) = (to, from)
    }
    if from == to { (from, to) = (10, to == 10 ? 2 : to) }
    let source = Self.text(value, base: from), answer = Self.text(value, base: to)
    var steps: [String] = []
    if from != 10 {
      steps.append("Read \(source) in base \(from), from the left:")
      var total = 0
      for digit in source {
        let digitValue = digit.hexDigitValue ?? 0
        steps.append("\(total) * \(from) + \(digitValue) = \(total * from + digitValue)")
        total = total * from + digitValue
      }
    }
    if to != 10 {
      steps.append("Divide \(value) by \(to) again and again:")
      var rest = value
      while rest > 0 {
        let digit = Self.text(rest % to, base: to)
        steps.append("\(rest / to) * \(to) + \(rest % to) = \(rest), digit \(digit)")
        rest /= to
      }
      steps.append("The digits from the last to the first: \(answer)")
    }
    steps.append("So it is \(answer)")
    return Problem(
      question: "Convert \(source) from base \(from) to base \(to)."
        + (to > 10 ? " Use a, b, c … for digits above 9." : ""),
      answer: answer, grader: .exact, reasoning: steps.joined(separator: "\n"), key: "\(value): \(from) to \(to)")
  }

  static func text(_ value: Int, base: Int) -> String { String(value, radix: base) }
}
