public import SwiftletJSON

/// What a model answered.
public struct ModelAnswer: Sendable, Equatable {
  /// All of it, a thought between `<think>` and `</think>`; a thought that was cut has no end.
  public var text: String
  public var tokens: Int
  /// Whether it ended because there was no more room.
  public var isTruncated: Bool
  /// How many of its tokens belong to the thought, where that is known.
  public var reasoningTokens: Int
  /// The mean log-probability of its tokens, where it was asked for.
  public var logProbability: Double?

  /// Servers and files may say anything of tokens; sums of so many still fit.
  private static let tokenCounts = 0...1 << 30

  public init(text: String, tokens: Int, isTruncated: Bool, reasoningTokens: Int = 0, logProbability: Double? = nil) {
    func bounded(_ count: Int) -> Int { min(max(count, Self.tokenCounts.lowerBound), Self.tokenCounts.upperBound) }
    self.text = text
    self.tokens = bounded(tokens)
    self.isTruncated = isTruncated
    self.reasoningTokens = bounded(reasoningTokens)
    self.logProbability = logProbability
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
  /// What a grader command says it is worth; nil without one, and where it failed.
  public var score: Double?

  /// What it says, for a vote.
  var ballot: Ballot? { grade.canonical.map { Ballot(answer: grade.answer ?? $0, canonical: $0) } }

  public var json: JSONValue {
    let members: JSONValue = [
      "id": .string(problem), "family": .string(group), "sample": .integer(sample), "correct": .bool(grade.isCorrect),
      "well_formed": .bool(grade.isWellFormed), "truncated": .bool(answer.isTruncated), "tokens": .integer(answer.tokens),
      "answer": grade.answer.map { .string($0) } ?? .null, "canonical": grade.canonical.map { .string($0) } ?? .null,
      "text": .string(answer.text), "reasoning_tokens": .integer(answer.reasoningTokens),
    ]
    let numbers = [("log_probability", answer.logProbability), ("score", score)]
    return .object(
      (members.members ?? []) + numbers.compactMap { name, value in value.map { JSONMember(key: name, value: .number($0)) } })
  }

  init(problem: String, group: String, sample: Int, answer: ModelAnswer, grade: Grade, score: Double? = nil) {
    self.problem = problem
    self.group = group
    self.sample = sample
    self.answer = answer
    self.grade = grade
    self.score = score
  }

  /// nil for what is no such line.
  init?(_ json: JSONValue) {
    guard let problem = json["id"]?.string, let group = json["family"]?.string, let sample = json["sample"]?.integer,
      let isCorrect = json["correct"]?.bool, let isWellFormed = json["well_formed"]?.bool,
      let isTruncated = json["truncated"]?.bool, let tokens = json["tokens"]?.integer, let text = json["text"]?.string
    else { return nil }
    self.init(
      problem: problem, group: group, sample: sample,
      answer: ModelAnswer(
        text: text, tokens: tokens, isTruncated: isTruncated, reasoningTokens: json["reasoning_tokens"]?.integer ?? 0,
        logProbability: json["log_probability"]?.double),
      grade: Grade(
        isCorrect: isCorrect, isWellFormed: isWellFormed, answer: json["answer"]?.string, canonical: json["canonical"]?.string),
      score: json["score"]?.double)
  }
}
