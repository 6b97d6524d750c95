/// Products of two integers of several digits.
public struct Multiplication: TaskFamily {
  public init() {}

  public let name = "multiplication"
  public let summary = "Multiplies two integers of several digits."

  private func dials(_ difficulty: Int) -> (first: Int, second: Int) { (2 + difficulty / 2, 2 + (difficulty - 1) / 2) }

  public func dials(difficulty: Int) -> String {
    let (first, second) = dials(difficulty)
    return "\(first) times \(second) digits"
  }

  public func problem(difficulty: Int, random: inout TaskRandom) -> Problem {
    let (first, second) = dials(difficulty)
    let a = random.integer(digits: first), b = random.integer(digits: second)
    var steps = ["Multiply \(a) by each digit of \(b), from the right."], total = 0, place = 1, rest = b
    while rest > 0 {
      let digit = rest % 10, part = a * digit * place
      if digit > 0 {
        steps.append("\(a) * \(digit) = \(a * digit)" + (place > 1 ? ", times \(place): \(part)" : ""))
        if total > 0 { steps.append("\(total) + \(part) = \(total + part)") }
        total += part
      }
      (rest, place) = (rest / 10, place * 10)
    }
    steps.append("So \(a) * \(b) = \(total)")
    let wording = random.element(["What is \(a) * \(b)?", "Compute \(a) × \(b).", "Multiply \(a) by \(b)."])
    return Problem(
      question: wording, answer: "\(total)", grader: .number, reasoning: steps.joined(separator: "\n"),
      key: "\(min(a, b))*\(max(a, b))")
  }
}
