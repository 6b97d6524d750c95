/// Chooses, of a teacher's answers, those to learn from. Each of the others is dropped for one reason, the first that holds.
public struct AnswerSelection: Sendable {
  /// Why an answer is not learned from, in the order in which they are looked for.
  public enum Reason: String, Sendable, CaseIterable {
    /// It did not come.
    case failed
    /// It ended for want of room, or a server's filter ended it.
    case cut
    /// Nothing is said, or nothing behind the thought.
    case empty
    /// The grader did not accept it.
    case wrong
    /// It is not one thought and one answer between their tags.
    case malformed
    /// It mixes languages, or is in another one than asked for.
    case language
    /// It has parts of a held-out set, or its question has.
    case contaminated
    /// There are enough to the problem.
    case surplus
    /// The same question and answer came before, but for white space.
    case duplicate
    /// Nearly the same came before.
    case nearDuplicate = "near-duplicate"
  }

  /// Which answers to a problem come first.
  public enum Order: String, Sendable, CaseIterable {
    case first
    case shortest
    case random
  }

  public enum Language: String, Sendable, CaseIterable {
    /// One, whichever.
    case one
    case english = "en"
    case chinese = "zh"
  }

  /// Only right answers.
  public var keepsRightOnly = true
  public var requiresForm = false
  /// The most answers to a problem; nil for all.
  public var perProblem: Int?
  public var order = Order.first
  /// Of the order `random`.
  public var seed: UInt64 = 0
  /// nil accepts any mixture.
  public var language: Language?
  public var decontamination: Decontamination?
  /// Jaccard's index from which answers are near duplicates; nil looks for equal ones alone.
  public var nearDuplicates: Double? = 0.8
  /// Whether the problems were made by `TaskFamilies`.
  public var areMade = false

  public init() {}

  public struct Result: Sendable {
    /// In the order of the problems, then as chosen.
    public var kept: [GradedAnswer] = []
    public var dropped: [(answer: GradedAnswer, reason: Reason)] = []
  }

  /// - Parameters:
  ///   - answers: in the order of the problems.
  ///   - problems: those of the answers.
  public func choose(_ answers: [GradedAnswer], of problems: [EvaluationProblem]) -> Result {
    var result = Result(), byProblem: [String: [GradedAnswer]] = [:], seen: Set<String> = []
    for answer in answers { byProblem[answer.problem, default: []].append(answer) }
    var near = nearDuplicates.map { NearDuplicates(threshold: $0) }
    for problem in problems {
      var candidates: [GradedAnswer] = []
      for answer in byProblem[problem.id] ?? [] {
        if let reason = reasonToDrop(answer, problem) {
          result.dropped.append((answer, reason))
        } else {
          candidates.append(answer)
        }
      }
      var count = 0
      for answer in ordered(candidates) {
        func reason() -> Reason? {
          if let perProblem, count >= perProblem { return .surplus }
          let key = Self.normalized(problem.problem.question) + "\0" + Self.normalized(answer.answer.text)
          if !seen.insert(key).inserted { return .duplicate }
          if near?.insert(question: problem.problem.question, answer: answer.answer.text) == false { return .nearDuplicate }
          return nil
        }
        if let reason = reason() {
          result.dropped.append((answer, reason))
        } else {
          result.kept.append(answer)
          count += 1
        }
      }
    }
    return result
  }

  private func reasonToDrop(_ answer: GradedAnswer, _ problem: EvaluationProblem) -> Reason? {
    let text = answer.answer.text
    if answer.answer.isTruncated { return .cut }
    guard let said = AnswerExtraction.said(in: text), !said.allSatisfy(\.isWhitespace) else { return .empty }
    if keepsRightOnly, !answer.grade.isCorrect { return .wrong }
    if requiresForm, !answer.grade.isWellFormed { return .malformed }
    if let language, !Self.isWritten(text, in: language) { return .language }
    if let decontamination, decontamination.isContaminated(problem, answer: text, isMade: areMade) { return .contaminated }
    return nil
  }

  private func ordered(_ answers: [GradedAnswer]) -> [GradedAnswer] {
    switch order {
    case .first: return answers
    case .shortest:
      // Tokens where the teacher counts them, else bytes; of equal ones the first.
      return answers.enumerated().sorted {
        let (one, two) = ($0.element.answer, $1.element.answer)
        return (one.tokens, one.text.utf8.count, $0.offset) < (two.tokens, two.text.utf8.count, $1.offset)
      }.map(\.element)
    case .random:
      guard let first = answers.first else { return [] }
      var random = TaskRandom("choice " + first.problem, seed)
      return random.shuffled(answers)
    }
  }

  private static func isWritten(_ text: String, in language: Language) -> Bool {
    switch (Script.writing(of: text), language) {
    case (.mixed, _): false
    case (.none, _), (.one, .one): true
    case (.one(let script), .english): script == .latin
    case (.one(let script), .chinese): script == .han
    }
  }

  /// White space of any length as one space, none at the ends.
  static func normalized(_ text: String) -> String { text.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
}
