/// Remainders of numbers, products and powers.
public struct ModularArithmetic: TaskFamily {
  public init() {}

  public let name = "modular-arithmetic"
  public let summary = "Finds the remainder of a number, a product or a power."

  public func dials(difficulty: Int) -> String {
    switch difficulty {
    case ...2: "a mod m, a of \(difficulty + 2) digits, m up to \(largest(difficulty))"
    case ...5: "a * b mod m of \(difficulty - 1) digits each, m up to \(largest(difficulty))"
    default: "a to the power of up to \(exponent(difficulty)), m up to \(largest(difficulty))"
    }
  }

  private func largest(_ difficulty: Int) -> Int { 9 + difficulty * 8 }
  private func exponent(_ difficulty: Int) -> Int { (difficulty - 4) * 10 }

  public func problem(difficulty: Int, random: inout TaskRandom) -> Problem {
    let modulus = random.integer(3...largest(difficulty))
    var steps: [String] = []
    func remainder(_ value: Int) -> Int {
      if value >= modulus {
        steps.append(
          "\(value) - \(value / modulus) * \(modulus) = \(value % modulus), so \(value) mod \(modulus) is \(value % modulus)")
      }
      return value % modulus
    }
    let expression: String
    var result: Int
    switch difficulty {
    case ...2:
      let a = random.integer(digits: difficulty + 2)
      expression = "\(a)"
      result = remainder(a)
    case ...5:
      let a = random.integer(digits: difficulty - 1), b = random.integer(digits: difficulty - 1)
      expression = "(\(a) * \(b))"
      let x = remainder(a), y = remainder(b)
      steps.append("\(x) * \(y) = \(x * y)")
      result = remainder(x * y)
    default:
      let a = random.integer(2...99), power = random.integer(5...exponent(difficulty))
      expression = "\(a)^\(power)"
      let base = remainder(a)
      steps.append("Square and multiply along the binary digits of \(power), which are \(String(power, radix: 2)).")
      result = 1
      for digit in String(power, radix: 2) {
        if result != 1 {
          steps.append("Square: \(result) * \(result) = \(result * result)")
          result = remainder(result * result)
        }
        if digit == "1" {
          steps.append("Digit 1, multiply: \(result) * \(base) = \(result * base)")
          result = remainder(result * base)
        }
      }
    }
    steps.append("So the remainder is \(result)")
    let wording = random.element([
      "What is \(expression) mod \(modulus)?", "Find the remainder of \(expression) divided by \(modulus).",
    ])
    return Problem(
      question: wording, answer: "\(result)", grader: .number, reasoning: steps.joined(separator: "\n"),
      key: "\(expression) mod \(modulus)")
  }
}
