/// The numbers game: an expression of given numbers with a given value. Many answers are right.
public struct Countdown: TaskFamily {
  public init() {}

  public let name = "countdown"
  public let summary = "Finds an expression that uses each given number once and has a given value."

  private func dials(_ difficulty: Int) -> (count: Int, largest: Int) {
    (difficulty < 3 ? 3 : difficulty < 6 ? 4 : difficulty < 9 ? 5 : 6, 10 + 9 * difficulty)
  }

  public func dials(difficulty: Int) -> String {
    let (count, largest) = dials(difficulty)
    return "\(count) numbers up to \(largest), target up to 999"
  }

  /// A number with the expression it came from.
  private struct Part {
    var value: Int
    var text: String
    var isCompound = false

    var inner: String { isCompound ? "(\(text))" : text }
  }

  public func problem(difficulty: Int, random: inout TaskRandom) -> Problem {
    let (count, largest) = dials(difficulty)
    let numbers = (0..<count).map { _ in random.integer(1...largest) }
    var parts = numbers.map { Part(value: $0, text: "\($0)") }, steps: [String] = []
    while parts.count > 1 {
      let first = parts.remove(at: random.integer(0...(parts.count - 1)))
      let second = parts.remove(at: random.integer(0...(parts.count - 1)))
      let (a, b) = first.value >= second.value ? (first, second) : (second, first)
      // Results stay whole, positive and below a thousand. One is always there: of equal numbers above 1 the quotient, of others
      // the difference.
      var choices: [(symbol: String, value: Int)] = []
      if a.value + b.value < 1000 { choices.append(("+", a.value + b.value)) }
      if a.value > b.value { choices.append(("-", a.value - b.value)) }
      if a.value * b.value < 1000 { choices.append(("*", a.value * b.value)) }
      if b.value > 1, a.value % b.value == 0 { choices.append(("/", a.value / b.value)) }
      let (symbol, value) = random.element(choices)
      steps.append("\(a.value) \(symbol) \(b.value) = \(value)")
      parts.append(Part(value: value, text: "\(a.inner) \(symbol) \(b.inner)", isCompound: true))
    }
    let target = parts[0].value, answer = parts[0].text
    var tries: [String] = []
    for _ in 0..<random.integer(0...2) {
      let order = random.shuffled(numbers), symbols = (1..<count).map { _ in random.element(["+", "-", "*"]) }
      let text = zip(order.dropFirst(), symbols).reduce("\(order[0])") { $0 + " \($1.1) \($1.0)" }
      guard let value = CountdownExpression(text)?.value, value.description != "\(target)" else { continue }
      tries.append("Try \(text) = \(value), which is not \(target)")
    }
    let reasoning = tries + ["Try other steps:"] + steps + ["All numbers are used. \(answer) = \(target)"]
    return Problem(
      question: """
        Use each of the numbers \(numbers.map { "\($0)" }.joined(separator: ", ")) exactly once, with + - * / and parentheses, to make \
        an expression that equals \(target). Answer with the expression alone.
        """, answer: answer, grader: .countdown(numbers: numbers, target: target),
      reasoning: reasoning.joined(separator: "\n"),
      key: numbers.sorted().map { "\($0)" }.joined(separator: ",") + "=\(target)")
  }
}
