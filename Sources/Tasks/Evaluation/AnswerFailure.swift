/// Why one answer did not come, though others may: an error of a server, a prompt that is too long.
public struct AnswerFailure: Error, Sendable, CustomStringConvertible {
  public var reason: String

  public init(_ reason: String) { self.reason = reason }

  public var description: String { reason }

  func after(_ count: Int) -> AnswerFailure {
    count == 1 ? self : AnswerFailure("\(count) answers in a row failed, at last with: \(reason)")
  }
}

/// An answer that did not come.
public struct FailedAnswer: Error, Sendable {
  /// The problem's id.
  public var problem: String
  public var group: String
  public var sample: Int
  public var failure: AnswerFailure
}

/// How far asking has come.
public struct AnswerProgress: Sendable {
  public var all: Int
  /// Those of an earlier run among them.
  public var answered = 0
  public var right = 0
  public var truncated = 0
  public var failed = 0
  public var tokens = 0

  init(all: Int) { self.all = all }

  mutating func count(_ answer: GradedAnswer) {
    answered += 1
    right += answer.grade.isCorrect ? 1 : 0
    truncated += answer.answer.isTruncated ? 1 : 0
    tokens += answer.answer.tokens
  }
}
