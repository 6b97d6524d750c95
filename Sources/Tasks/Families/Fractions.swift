/// Sums, differences, products and quotients of fractions, reduced.
public struct Fractions: TaskFamily {
  public init() {}

  public let name = "fractions"
  public let summary = "Computes with two fractions and reduces the result."

  private func dials(_ difficulty: Int) -> (largest: Int, operators: [String]) {
    (6 + difficulty * 4, difficulty < 3 ? ["+", "-"] : ["+", "-", "*", "/"])
  }

  public func dials(difficulty: Int) -> String {
    let (largest, operators) = dials(difficulty)
    return "\(operators.joined(separator: " ")), numbers up to \(largest)"
  }

  public func problem(difficulty: Int, random: inout TaskRandom) -> Problem {
    let (largest, operators) = dials(difficulty)
    func fraction(_ random: inout TaskRandom) -> (Int, Int) { (random.integer(1...largest), random.integer(2...largest)) }
    let (a, b) = fraction(&random), (c, d) = fraction(&random), symbol = random.element(operators)
    var steps: [String]
    let above: Int, below: Int
    switch symbol {
    case "*":
      (above, below) = (a * c, b * d)
      steps = ["Multiply above: \(a) * \(c) = \(above)", "Multiply below: \(b) * \(d) = \(below)"]
    case "/":
      (above, below) = (a * d, b * c)
      steps = [
        "Dividing by \(c)/\(d) is multiplying by \(d)/\(c).", "Above: \(a) * \(d) = \(above)", "Below: \(b) * \(c) = \(below)",
      ]
    default:
      (above, below) = (symbol == "+" ? a * d + c * b : a * d - c * b, b * d)
      steps = [
        "Common denominator: \(b) * \(d) = \(below)", "First numerator: \(a) * \(d) = \(a * d)",
        "Second numerator: \(c) * \(b) = \(c * b)", "\(a * d) \(symbol) \(c * b) = \(above)",
      ]
    }
    let divisor = max(1, Rational.greatestCommonDivisor(abs(above), below))
    let (top, bottom) = (above / divisor, below / divisor)
    let answer = bottom == 1 ? "\(top)" : "\(top)/\(bottom)"
    steps.append("\(above)/\(below): the greatest common divisor of \(abs(above)) and \(below) is \(divisor)")
    if divisor > 1 { steps += ["\(above) / \(divisor) = \(top)", "\(below) / \(divisor) = \(bottom)"] }
    steps.append("So the result is \(answer)")
    let expression = "\(a)/\(b) \(symbol) \(c)/\(d)", shown = "(\(a)/\(b)) \(symbol) (\(c)/\(d))"
    return Problem(
      question: "Compute \(shown). Give an integer or a reduced fraction such as 3/4.", answer: answer, grader: .number,
      reasoning: steps.joined(separator: "\n"), key: expression)
  }
}
