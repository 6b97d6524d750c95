/// Problems of one kind, made by a procedure, whose answers can be checked exactly.
///
/// A new one is a type in one file; `Examples/OwnTask` has the shortest. It must draw all its chance from `random`, and use no
/// `Double`, no `Set` and no `Dictionary` whose order could show, so that the same numbers give the same problem everywhere.
public protocol TaskFamily: Sendable {
  /// Lower-case words with hyphens, such as `base-conversion`.
  var name: String { get }
  /// What is asked, in one sentence.
  var summary: String { get }
  /// What problems of this difficulty are like, such as "2 numbers of 3 digits".
  func dials(difficulty: Int) -> String
  /// A problem.
  /// - Parameter difficulty: 1 is the easiest; 12 the hardest that is asked for.
  func problem(difficulty: Int, random: inout TaskRandom) -> Problem
}

/// A question whose answer can be checked.
public struct Problem: Sendable, Equatable {
  public var question: String
  /// What a right answer says. Where many are right, such as expressions and programs, it is one of them.
  public var answer: String
  public var grader: Grader
  /// Short true steps from the question to the answer, for fine-tuning; empty when there are none.
  public var reasoning: String
  /// What the problem is about, whatever the words of the question: equal for problems that are the same. Splits are made of it.
  public var key: String
  public var language: Language

  public enum Language: String, Sendable, CaseIterable {
    case english = "en"
    case chinese = "zh"
  }

  /// - Parameter key: nil for the question itself.
  public init(
    question: String, answer: String, grader: Grader, reasoning: String = "", key: String? = nil, language: Language = .english
  ) {
    self.question = question
    self.answer = answer
    self.grader = grader
    self.reasoning = reasoning
    self.key = key ?? question
    self.language = language
  }
}
