public import SwiftletJSON

/// Asks a model problems, several at once, and grades what it answers.
public struct Evaluation: Sendable {
  public var problems: [EvaluationProblem]
  /// How many answers to each problem.
  public var samples: Int
  public var seed: UInt64
  public var extraction: AnswerExtraction
  /// Instead of the problems' own; nil for those.
  public var instruction: String?
  /// What runs Python; nil where it may not run.
  public var python: PythonRunner?
  /// How many answers are under way at once.
  public var concurrency: Int
  /// What tells how much each answer is worth, beside the problem's grader; nil for nothing.
  public var scorer: GraderCommand?
  /// Told why an answer has no score.
  public var onFailure: @Sendable (GraderCommand.Failure) -> Void = { _ in }
  /// Whether answers are graded; prompts without an answer to compare with cannot be.
  public var grades = true

  /// - Throws: `TaskError.pythonNotAllowed` before anything is asked.
  public init(
    problems: [EvaluationProblem], samples: Int = 1, seed: UInt64 = 0, extraction: AnswerExtraction = .lenient,
    instruction: String? = nil, python: PythonRunner? = nil, concurrency: Int = 8
  ) throws(TaskError) {
    for problem in problems {
      if case .python = problem.problem.grader, python == nil { throw .pythonNotAllowed(problem: problem.id) }
    }
    self.problems = problems
    self.samples = max(1, samples)
    self.seed = seed
    self.extraction = extraction
    self.instruction = instruction
    self.python = python
    self.concurrency = max(1, concurrency)
  }

  /// The seed of one answer, of 31 bits, which every server takes.
  static func seed(_ seed: UInt64, problem: String, sample: Int) -> UInt64 {
    var random = TaskRandom(problem, seed, UInt64(sample))
    return random.next() >> 33
  }

  /// Opens a file of answers and lets it go again, so that one that cannot be used is found before anything is asked.
  /// - Throws: `TaskError`.
  public func check(file: String, settings: JSONValue = .object([])) throws {
    _ = try AnswerFile(path: file, settings: self.settings(settings))
  }

  /// Runs the evaluation.
  /// - Parameters:
  ///   - file: where the answers go, a line each; an evaluation that was interrupted goes on from it. nil for nowhere.
  ///   - settings: what else the answers depend on, such as the model; a file with answers of other settings is refused.
  ///   - progress: called with the answers that are there and all, at the start and after each.
  ///   - ask: answers a prompt with a seed. An error ends the evaluation; what was answered stays in the file.
  /// - Returns: all answers, in the order of the problems.
  /// - Throws: `TaskError`, or what `ask` throws.
  public func run(
    file: String? = nil, settings: JSONValue = .object([]), progress: @Sendable (Int, Int) -> Void = { _, _ in },
    ask: @escaping @Sendable (_ prompt: String, _ seed: UInt64) async throws -> ModelAnswer
  ) async throws -> [GradedAnswer] {
    try await collect(file: file, settings: settings) {
      progress($0.answered, $0.all)
    } ask: {
      try await ask($0.problem.prompt(instruction: instruction), $1)
    }.answers
  }

  /// Asks all problems, of which some may stay without an answer.
  /// - Parameters:
  ///   - failuresInARow: so many `AnswerFailure`s one after the other end the run; 1 ends it with the first. What failed is not in the
  ///     file, so the same run asks for it again.
  ///   - progress: called at the start and after each answer.
  ///   - ask: answers a problem with a seed.
  /// - Returns: the answers, in the order of the problems, and what failed.
  /// - Throws: `TaskError`, or what `ask` throws.
  public func collect(
    file: String? = nil, settings: JSONValue = .object([]), failuresInARow: Int = 1,
    progress: @Sendable (AnswerProgress) -> Void,
    ask: @escaping @Sendable (_ problem: EvaluationProblem, _ seed: UInt64) async throws -> ModelAnswer
  ) async throws -> (answers: [GradedAnswer], failures: [FailedAnswer]) {
    let file = try file.map { try AnswerFile(path: $0, settings: self.settings(settings)) }
    struct Key: Hashable {
      var problem: String
      var sample: Int
    }
    var answers: [Key: GradedAnswer] = [:]
    for answer in file?.answers ?? [] { answers[Key(problem: answer.problem, sample: answer.sample)] = answer }
    let all = problems.flatMap { problem in (0..<samples).map { (problem: problem, sample: $0) } }
    var open = all.filter { answers[Key(problem: $0.problem.id, sample: $0.sample)] == nil }[...]
    var failures: [FailedAnswer] = [], inARow = 0
    var state = AnswerProgress(all: all.count)
    for answer in answers.values { state.count(answer) }
    progress(state)
    try await withThrowingTaskGroup(of: Result<GradedAnswer, FailedAnswer>.self) { group in
      func start() {
        guard let (problem, sample) = open.popFirst() else { return }
        group.addTask {
          let seed = Self.seed(seed, problem: problem.id, sample: sample)
          do {
            let answer = try await ask(problem, seed)
            let grade = try await grade(answer.text, problem.problem)
            let prompt = problem.problem.prompt(instruction: instruction)
            return .success(
              GradedAnswer(
                problem: problem.id, group: problem.group, sample: sample, answer: answer, grade: grade,
                score: try await score(answer.text, prompt: prompt)))
          } catch let error as AnswerFailure {
            return .failure(FailedAnswer(problem: problem.id, group: problem.group, sample: sample, failure: error))
          }
        }
      }
      for _ in 0..<concurrency { start() }
      while let result = try await group.next() {
        switch result {
        case .success(let answer):
          try file?.add(answer)
          answers[Key(problem: answer.problem, sample: answer.sample)] = answer
          state.count(answer)
          inARow = 0
        case .failure(let failure):
          failures.append(failure)
          state.failed += 1
          inARow += 1
          if inARow >= failuresInARow { throw failure.failure.after(inARow) }
        }
        progress(state)
        start()
      }
    }
    let ordered = all.compactMap { answers[Key(problem: $0.problem.id, sample: $0.sample)] }
    try file?.finish(ordered)
    return (ordered, failures)
  }

  private func score(_ text: String, prompt: String) async throws -> Double? {
    guard let scorer else { return nil }
    switch try await scorer.score(prompt: prompt, response: text) {
    case .success(let value): return value
    case .failure(let failure):
      onFailure(failure)
      return nil
    }
  }

  /// Grading may wait for a program, so it does not take a thread of the tasks.
  private func grade(_ text: String, _ problem: Problem) async throws -> Grade {
    guard grades else {
      return Grade(isCorrect: false, isWellFormed: AnswerExtraction.isWellFormed(text), answer: nil, canonical: nil)
    }
    guard case .python = problem.grader else { return try problem.grade(text, extraction: extraction) }
    return try await blockingWork { isCancelled in
      var python = python
      python?.isCancelled = isCancelled
      return try problem.grade(text, extraction: extraction, python: python)
    }
  }

  private func settings(_ further: JSONValue) -> JSONValue {
    let content = problems.map { $0.json.serialized() }.joined(separator: "\n")
    let own: JSONValue = [
      "problems": .integer(problems.count), "problems_hash": .string(String(StableHash.of(content), radix: 16)),
      "samples": .integer(samples), "answers_seed": .string("\(seed)"), "extraction": .string(extraction.rawValue),
      "instruction": instruction.map { .string($0) } ?? .null,
    ]
    let scored = scorer.map { [JSONMember(key: "grader", value: .string($0.command))] } ?? []
    return .object((own.members ?? []) + scored + (further.members ?? []))
  }

  /// The figures of all answers, and of each group in the order of the problems.
  public func summaries(_ answers: [GradedAnswer]) -> (
    overall: EvaluationSummary, groups: [(name: String, summary: EvaluationSummary)]
  ) {
    var names: [String] = []
    for problem in problems where !names.contains(problem.group) { names.append(problem.group) }
    return (
      EvaluationSummary(answers, samples: samples),
      names.map { name in (name, EvaluationSummary(answers.filter { $0.group == name }, samples: samples)) }
    )
  }
}
