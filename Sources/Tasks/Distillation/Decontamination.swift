internal import SwiftletJSON

/// Finds training data that has parts of what models are measured with.
///
/// Texts share a run of 13 words (Brown et al. 2020, appendix C). A held-out text of fewer words is looked for as a whole, in questions
/// alone; one of fewer than four only as the whole question. Problems that procedures make have most words in common, so they are
/// compared as whole questions, and those made here by the split they belong to.
public struct Decontamination: Sendable {
  static let runWords = 13
  private static let leastWords = 4

  private var runs: Set<UInt64> = []
  /// Of short texts, by their number of words.
  private var shortTexts: [Int: Set<UInt64>] = [:]
  private var wholeQuestions: Set<UInt64> = []
  /// Splits of the families that must not be among the problems.
  public private(set) var splits: [TaskSplit] = []
  /// Held-out texts.
  public private(set) var count = 0

  public init() {}

  public mutating func add(_ text: String) {
    let sequence = WordSequence(text), words = sequence.words.count
    guard words > 0 else { return }
    count += 1
    if words >= Self.runWords {
      runs.formUnion(sequence.runs(of: Self.runWords))
    } else if words >= Self.leastWords {
      shortTexts[words, default: []].insert(sequence.whole)
    } else {
      wholeQuestions.insert(sequence.whole)
    }
  }

  /// Problems of a split that evaluations may ask: the first of every family and difficulty, with the seed 0.
  public mutating func add(_ split: TaskSplit, problemsOfEach: Int = 100) throws(TaskError) {
    splits.append(split)
    for family in TaskFamilies.all {
      for difficulty in TaskSet.difficulties {
        let set = try TaskSet(family, difficulty: difficulty, split: split)
        for index in 0..<problemsOfEach {
          wholeQuestions.insert(WordSequence(try set.problem(at: index).question).whole)
          count += 1
        }
      }
    }
  }

  /// Reads a file of held-out texts: JSON Lines with `question`, `problem`, `prompt`, `text`, or the user's words of `messages`; or plain lines.
  /// - Throws: `TaskError.badFile` with the line.
  public mutating func add(file bytes: [UInt8], name: String) throws(TaskError) {
    let before = count
    for (line, prompt) in try PromptFile.lines(bytes, name: name) {
      switch prompt {
      case .text(let text): add(text)
      case .object(let object):
        // With capitals in some copies of the AIME.
        let keys = ["question", "problem", "prompt", "text", "Question", "Problem"]
        if let text = keys.lazy.compactMap({ object[$0]?.string }).first {
          add(text)
        } else if let messages = object["messages"]?.elements {
          for message in messages where message["role"]?.string == "user" { add(message["content"]?.string ?? "") }
        } else {
          throw .badFile(
            file: name, line: line, reason: "has no question, problem, prompt, text or messages, expected one of them")
        }
      }
    }
    guard count > before else { throw .badFile(file: name, line: nil, reason: "has no texts") }
  }

  /// - Parameter isMade: whether the problem was made here, so that its split is known.
  func isContaminated(_ problem: EvaluationProblem, answer: String, isMade: Bool) -> Bool {
    if isMade, splits.contains(TaskSplit(of: problem.problem, family: problem.group)) { return true }
    let question = WordSequence(problem.problem.question)
    if wholeQuestions.contains(question.whole) { return true }
    for (words, texts) in shortTexts where question.runs(of: words).contains(where: texts.contains) { return true }
    guard !runs.isEmpty else { return false }
    return question.runs(of: Self.runWords).contains(where: runs.contains)
      || WordSequence(answer).runs(of: Self.runWords).contains(where: runs.contains)
  }
}
