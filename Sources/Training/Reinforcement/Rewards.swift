internal import SwiftletJSON
internal import SwiftletTasks
internal import SwiftletTensors
internal import Synchronization

/// An answer that is to be rewarded.
struct RewardedAnswer: Sendable {
  var problem: EvaluationProblem
  /// Without what ended it.
  var text: String
  /// With it.
  var tokenCount: Int
  /// Whether it was cut at the most tokens.
  var isTruncated: Bool
}

/// What answers are worth, by the parts that a recipe names.
struct Rewards {
  let settings: [RewardSetting]
  let isStrict: Bool
  /// Of an answer.
  let maximumTokens: Int
  /// Where a command is run.
  let folder: String
  /// On whose threads answers are graded.
  let pool: WorkerPool

  struct Scores {
    /// Of every answer the parts, in the order of `settings`.
    var parts: [[Double]]
    /// What went wrong with a command.
    var failures: [String] = []
    /// Answers that a command gave no number.
    var failedAnswers = 0
  }

  /// - Parameter isCancelled: asked while a command runs, and between answers that are graded.
  /// - Throws: `RewardError` for a command that failed where the recipe says stop; `CancellationError`.
  func scores(_ answers: [RewardedAnswer], isCancelled: () -> Bool) throws -> Scores {
    var scores = Scores(parts: answers.map { _ in [] })
    for setting in settings {
      let values: [Double]
      switch setting.kind {
      case .accuracy: values = try accuracy(answers, isCancelled)
      case .format: values = answers.map { AnswerExtraction.isWellFormed($0.text) ? 1 : 0 }
      case .language: values = answers.map { Self.languageShare($0.text, $0.problem.problem.language) }
      case .length(let buffer): values = answers.map { overLength($0.tokenCount, buffer: buffer) }
      case .command(let command):
        let (found, failures, failedAnswers) = try RewardProcess(command, folder: folder).values(
          answers.map(Self.line), isCancelled: isCancelled)
        values = found
        scores.failures += failures
        scores.failedAnswers += failedAnswers
      }
      for (index, value) in values.enumerated() { scores.parts[index].append(value) }
    }
    return scores
  }

  /// An answer may be a program that runs to its limits, so each thread grades some of them before it is asked whether to go on.
  private func accuracy(_ answers: [RewardedAnswer], _ isCancelled: () -> Bool) throws -> [Double] {
    let extraction: AnswerExtraction = isStrict ? .tagged : .lenient
    var values: [Double] = []
    while values.count < answers.count {
      if isCancelled() { throw CancellationError() }
      let part = Array(answers[values.count...].prefix(2 * pool.threadCount))
      let grades = Mutex([Result<Bool, any Error>?](repeating: nil, count: part.count))
      pool.run(part.count) { index, _ in
        let answer = part[index]
        let grade: Result<Bool, any Error> = Result {
          try answer.problem.problem.grade(answer.text, extraction: extraction).isCorrect
        }
        grades.withLock { $0[index] = grade }
      }
      for grade in grades.withLock({ $0 }) { values.append(try grade?.get() == true ? 1 : 0) }
    }
    return values
  }

  func total(_ parts: [Double]) -> Double { zip(settings, parts).reduce(0) { $0 + $1.0.weight * $1.1 } }

  /// DAPO's soft punishment of answers that are too long.
  private func overLength(_ count: Int, buffer: Int) -> Double {
    let free = maximumTokens - buffer
    return count <= free ? 0 : max(-1, Double(free - count) / Double(buffer))
  }

  /// The share of the letters that belong to a language's script; 1 where there are none. Tags are of no language.
  static func languageShare(_ text: String, _ language: Problem.Language) -> Double {
    var letters = 0, own = 0, text = text
    for tag in ["<think>", "</think>", "<answer>", "</answer>"] { text = text.replacing(tag, with: " ") }
    for scalar in text.unicodeScalars where scalar.properties.isAlphabetic {
      letters += 1
      let isLatin = scalar.value < 0x250, isHan = scalar.properties.isIdeographic
      own += (language == .english ? isLatin : isHan) ? 1 : 0
    }
    return letters == 0 ? 1 : Double(own) / Double(letters)
  }

  /// What a command reads of an answer.
  private static func line(_ answer: RewardedAnswer) -> String {
    let json: JSONValue = [
      "id": .string(answer.problem.id), "family": .string(answer.problem.group),
      "question": .string(answer.problem.problem.question), "answer": .string(answer.problem.problem.answer),
      "response": .string(answer.text), "tokens": .integer(answer.tokenCount), "truncated": .bool(answer.isTruncated),
    ]
    return json.serialized()
  }
}

/// What is wrong with a command that rewards answers.
struct RewardError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
