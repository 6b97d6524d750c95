/// What a response is worth.
public struct Grade: Sendable, Equatable {
  public var isCorrect: Bool
  /// Whether it has the form that was asked for (`AnswerExtraction.isWellFormed`).
  public var isWellFormed: Bool
  /// The answer in it; nil when there is none. At most 4096 bytes of it, 65536 of a program.
  public var answer: String?
  /// The same for answers that mean the same (`Grader.canonical`).
  public var canonical: String?
}

extension Problem {
  /// Grades a response: text with or without a thought.
  /// - Parameters:
  ///   - extraction: where the answer is looked for.
  ///   - python: what runs Python; nil where it may not run.
  /// - Throws: `TaskError.pythonNotAllowed` or `pythonFailed`.
  public func grade(
    _ response: String, extraction: AnswerExtraction = .tagged, python: PythonRunner? = nil
  ) throws(TaskError) -> Grade {
    guard let found = isProgram && extraction == .lenient ? Self.program(in: response) : extraction.answer(in: response) else {
      return Grade(isCorrect: false, isWellFormed: false, answer: nil, canonical: nil)
    }
    let answer = found[...].trimmed(\.isWhitespace)
    let kept = String(decoding: answer.utf8.prefix(grader.longestAnswer), as: UTF8.self)
    let isWhole = answer.utf8.count <= grader.longestAnswer
    let text = extraction == .lenient ? lastNumber(kept) ?? kept : kept
    return Grade(
      isCorrect: isWhole ? try grader.isCorrect(text, expected: self.answer, python: python) : false,
      isWellFormed: AnswerExtraction.isWellFormed(response), answer: kept, canonical: isWhole ? grader.canonical(text) : nil)
  }

  private var isProgram: Bool {
    switch grader {
    case .program, .python: true
    default: false
    }
  }

  /// A program has many lines: without tags all that was said is it, of which the grader takes what stands in a fence.
  private static func program(in response: String) -> String? {
    AnswerExtraction.tagged.answer(in: response) ?? AnswerExtraction.said(in: response)
  }

  /// Where a number is asked for and a sentence found, the last number in it.
  private func lastNumber(_ text: String) -> String? {
    guard grader == .number, grader.canonical(text) == nil else { return nil }
    return NumberText.last(in: text)
  }
}
