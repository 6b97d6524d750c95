/// Whether a string has an even or an odd number of ones.
public struct Parity: TaskFamily {
  public init() {}

  public let name = "parity"
  public let summary = "Says whether a string of bits has an even or an odd number of ones."

  private func length(_ difficulty: Int) -> Int { 10 + 4 * difficulty }

  public func dials(difficulty: Int) -> String { "up to \(length(difficulty)) bits" }

  public func problem(difficulty: Int, random: inout TaskRandom) -> Problem {
    let bits = (0..<random.integer((length(difficulty) - 4)...length(difficulty))).map { _ in random.integer(0...1) }
    let text = bits.map { "\($0)" }.joined()
    var steps = ["Count the ones, four bits at a time:"], count = 0
    for start in stride(from: 0, to: bits.count, by: 4) {
      let group = bits[start..<min(start + 4, bits.count)], ones = group.reduce(0, +)
      steps.append("\(group.map { "\($0)" }.joined()) has \(ones): \(count) + \(ones) = \(count + ones)")
      count += ones
    }
    let answer = count % 2 == 0 ? "even" : "odd"
    steps.append("There are \(count) ones, and \(count) is \(answer)")
    return Problem(
      question: "Is the number of 1s in \(text) even or odd? Answer with even or odd.", answer: answer, grader: .exact,
      reasoning: steps.joined(separator: "\n"), key: text)
  }
}
