import ArgumentParser
import Swiftlet
import SwiftletTasks

/// How one of several answers is chosen.
struct ChoiceArguments: ParsableArguments {
  @Flag(help: "Of several answers the most frequent one is chosen; of equally frequent ones the earliest.")
  var vote = false
  @Option(
    help: ArgumentHelp(
      "Of several answers the best is chosen: likelihood, the one of the largest mean log-probability.", valueName: "what"),
    transform: named)
  var bestBy: BestBy?
  @Option(
    help: ArgumentHelp(
      "Of several answers the one is chosen that this command gives the largest number. A shell runs it for each answer, with a line {\"prompt\": …, \"response\": …} on its standard input.",
      valueName: "command"))
  var grader: String?
  @Option(help: ArgumentHelp("How long the grader may take for an answer (default: 30).", valueName: "seconds"))
  var graderSeconds: Double?

  enum BestBy: String, CaseIterable {
    case likelihood
  }

  func validate() throws {
    guard [vote, bestBy != nil, grader != nil].filter({ $0 }).count < 2 else {
      throw ValidationError("--vote, --best-by and --grader exclude each other.")
    }
    guard let graderSeconds else { return }
    guard grader != nil else { throw ValidationError("--grader-seconds goes with --grader.") }
    guard graderSeconds > 0, graderSeconds <= 86400 else {
      throw ValidationError("--grader-seconds: found \(graderSeconds), expected a number above 0, up to 86400.")
    }
  }

  var graderCommand: GraderCommand? { grader.map { GraderCommand($0, seconds: graderSeconds ?? 30) } }

  /// nil where none was asked for.
  var choice: AnswerChoice? {
    if vote { return .vote }
    if bestBy != nil { return .likelihood }
    return graderCommand.map { .grader($0) }
  }
}

extension SampledAnswers {
  /// How the choice went, for people: `5 of 8 say 42; 2 say 41; 1 says nothing`.
  var line: String {
    if let vote {
      func say(_ count: Int) -> String { count == 1 ? "says" : "say" }
      let shown = vote.candidates.prefix(5).enumerated().map { index, candidate in
        let count = index == 0 ? "\(candidate.votes) of \(completions.count)" : "\(candidate.votes)"
        return "\(count) \(say(candidate.votes)) \(Self.short(candidate.answer))"
      }
      let others = vote.candidates.dropFirst(5).reduce(0) { $0 + $1.votes }
      return
        (shown + (others > 0 ? ["\(others) \(say(others)) something else"] : [])
        + (vote.blanks > 0 ? ["\(vote.blanks) \(say(vote.blanks)) nothing"] : [])).joined(separator: "; ")
    }
    let texts = scores.map { $0.map { "\(($0 * 1e4).rounded() / 1e4)" } ?? "none" }
    return "answer \(chosen + 1) of \(completions.count) is the best; scores: \(texts.joined(separator: ", "))"
  }

  private static func short(_ answer: String) -> String {
    let line = answer.split(whereSeparator: \.isWhitespace).joined(separator: " ").withoutControls
    return line.count > 60 ? line.prefix(59) + "…" : line
  }

  /// What is said about graders that failed, each reason once.
  var failureLines: [String] {
    var lines: [String] = []
    for failure in failures where !lines.contains(failure.description) { lines.append(failure.description) }
    return lines.map { $0.withoutControls }
  }
}
