/// The truth of a formula for given truths of its variables.
public struct PropositionalLogic: TaskFamily {
  public init() {}

  public let name = "propositional-logic"
  public let summary = "Evaluates a propositional formula."

  private func dials(_ difficulty: Int) -> (variables: Int, connectives: Int) { (min(3 + difficulty / 3, 6), 2 + difficulty) }

  public func dials(difficulty: Int) -> String {
    let (variables, connectives) = dials(difficulty)
    return "\(variables) variables, \(connectives) connectives"
  }

  private struct Formula {
    var text: String
    var value: Bool
    var isCompound = false
    /// What leads to the value: its parts' steps from the left to the right, then its own.
    var steps: [String] = []

    var inner: String { isCompound ? "(\(text))" : text }
  }

  public func problem(difficulty: Int, random: inout TaskRandom) -> Problem {
    let (variableCount, connectives) = dials(difficulty)
    let variables = Array(["P", "Q", "R", "S", "T", "U"].prefix(variableCount)).map {
      Formula(text: $0, value: random.chance(percent: 50))
    }
    func word(_ value: Bool) -> String { value ? "true" : "false" }
    // Joined two by two: as many leaves as connectives and one more.
    var parts = (0...connectives).map { _ in
      let variable = random.element(variables)
      guard random.chance(percent: 30) else { return variable }
      let text = "not \(variable.text)", value = !variable.value
      return Formula(text: text, value: value, isCompound: true, steps: ["\(text) is \(word(value))"])
    }
    while parts.count > 1 {
      let a = parts.remove(at: random.integer(0...(parts.count - 1))), b = parts.remove(at: random.integer(0...(parts.count - 1)))
      let (name, value) = random.element([
        ("and", a.value && b.value), ("or", a.value || b.value), ("implies", !a.value || b.value),
        ("is equivalent to", a.value == b.value),
      ])
      let text = "\(a.inner) \(name) \(b.inner)"
      let step = "\(text): \(word(a.value)) \(name) \(word(b.value)) is \(word(value))"
      parts.append(Formula(text: text, value: value, isCompound: true, steps: a.steps + b.steps + [step]))
    }
    let formula = parts[0], answer = word(formula.value)
    var steps: [String] = []
    for step in formula.steps where !steps.contains(step) { steps.append(step) }
    steps.append("So the formula is \(answer)")
    let given = variables.map { "\($0.text) is \(word($0.value))" }.joined(separator: ", ")
    return Problem(
      question: "\(given). Is this formula true or false? \(formula.text)", answer: answer, grader: .boolean,
      reasoning: steps.joined(separator: "\n"), key: "\(given): \(formula.text)")
  }
}
