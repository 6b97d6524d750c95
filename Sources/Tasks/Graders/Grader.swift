/// How an answer is checked. All take bounded time and memory, whatever the answer is.
public enum Grader: Sendable, Equatable {
  /// The same text, but for case, white space around and between words, quotes around it, and a full stop at its end.
  case exact
  /// The same number, however it is written: `1,234`, `1234.0`, `\frac{1}{2}`, `50 %`, `18 apples`.
  case number
  /// Yes or no, true or false.
  case boolean
  /// A letter of several choices: `B`, `(B)`, `B) because …`.
  case choice
  /// Elements in their order, separated by commas or white space.
  case list
  /// Mathematics in LaTeX, compared as the MATH data set does, and as numbers where both are.
  case mathematics
  /// An expression of these numbers, each used once, with this value.
  case countdown(numbers: [Int], target: Int)
  /// A program of the small language (`Program`), which must print what the tests expect.
  case program(tests: [ProgramTest])
  /// A Python function, which must pass tests that are a program too.
  case python(PythonTest)

  /// Longer answers are wrong without a look at them.
  var longestAnswer: Int {
    switch self {
    case .program, .python: 1 << 16
    default: 4096
    }
  }

  /// What an answer says, the same for answers that mean the same, so that they can be counted; nil when it is none of this kind.
  public func canonical(_ answer: String) -> String? {
    guard answer.utf8.count <= longestAnswer else { return nil }
    switch self {
    case .exact: return AnswerText.normalized(answer)
    case .number: return NumberText.canonical(answer)
    case .boolean: return AnswerText.boolean(answer).map { $0 ? "true" : "false" }
    case .choice: return AnswerText.choice(answer)
    case .list: return AnswerText.list(answer).map { $0.joined(separator: ",") }
    case .mathematics: return MathematicsText.canonical(answer)
    case .countdown(let numbers, let target):
      // All right expressions are one answer; wrong ones are told apart by their value.
      guard let expression = CountdownExpression(answer, target: target) else { return nil }
      return expression.numbers.sorted() == numbers.sorted() ? expression.value.description : nil
    case .program, .python: return Program.withoutFence(answer)
    }
  }

  /// Whether an answer is right.
  /// - Parameter python: what runs Python; nil where it may not run.
  /// - Throws: `TaskError.pythonNotAllowed` or `pythonFailed`.
  public func isCorrect(_ answer: String, expected: String, python: PythonRunner? = nil) throws(TaskError) -> Bool {
    switch self {
    case .countdown(_, let target): return canonical(answer) == "\(target)"
    case .program(let tests):
      guard let source = canonical(answer), let program = try? Program(source) else { return false }
      return tests.allSatisfy { $0.passes(program) }
    case .python(let test):
      guard let python else { throw .pythonNotAllowed(problem: test.entryPoint) }
      guard let source = canonical(answer) else { return false }
      return try python.passes(source, test)
    case .number:
      guard let found = canonical(answer) else { return false }
      return found == canonical(expected)
    case .exact, .boolean, .choice, .list, .mathematics:
      guard let found = canonical(answer), !found.isEmpty else { return false }
      return found == canonical(expected)
    }
  }
}
