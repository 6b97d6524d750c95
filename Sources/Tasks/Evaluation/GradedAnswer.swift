public import SwiftletJSON

/// What a model answered.
public struct ModelAnswer: Sendable, Equatable {
  /// All of it, a thought between `<think>` and `</think>`; a thought that was cut has no end.
  public var text: String
  public var tokens: Int
  /// Whether it ended because there was no more room.
  public var isTruncated: Bool

  public init(text: String, tokens: Int, isTruncated: Bool) {
    self.text = text
    self.tokens = tokens
    self.isTruncated = isTruncated
  }
}

/// An answer and what it is worth: a line of the file of answers.
public struct GradedAnswer: Sendable, Equatable {
  /// The problem's id.
  public var problem: String
  public var group: String
  /// Which of the problem's samples, from 0.
  public var sample: Int
  public var answer: ModelAnswer
  public var grade: Grade

  public var json: JSONValue {
    [
      "id": .string(problem), "family": .string(group), "sample": .integer(sample), "correct": .bool(grade.isCorrect),
      "well_formed": .bool(grade.isWellFormed), "truncated": .bool(answer.isTruncated), "tokens": .integer(answer.tokens),
      "answer": grade.answer.map { .string($0) } ?? .null, "canonical": grade.canonical.map { .string($0) } ?? .null,
      "text": .string(answer.text),
    ]
  }

  init(problem: String, group: String, sample: Int, answer: ModelAnswer, grade: Grade) {
    self.problem = problem
    self.group = group
    self.sample = sample
    self.answer = answer
    self.grade = grade
  }

  /// nil for what is no such line.
  init?(_ json: JSONValue) {
    guard let problem = json["id"]?.string, let group = json["family"]?.string, let sample = json["sample"]?.integer,
      let isCorrect = json["correct"]?.bool, let isWellFormed = json["well_formed"]?.bool,
      let isTruncated = json["truncated"]?.bool, let tokens = json["tokens"]?.integer, let text = json["text"]?.string
    else { return nil }
    self.init(
      problem: problem, group: group, sample: sample,
      answer: ModelAnswer(text: text, tokens: tokens, isTruncated: isTruncated),
      grade: Grade(
        isCorrect: isCorrect, isWellFormed: isWellFormed, answer: json["answer"]?.string, canonical: json["canonical"]?.string))
  }
}
