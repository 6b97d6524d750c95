public import SwiftletJSON

/// The figures of a group of problems, each with as many samples.
public struct EvaluationSummary: Sendable, Equatable {
  public var problems: Int
  public var samples: Int
  /// The share of right answers.
  public var passAt1: Statistics.Estimate
  /// The chance that one of fewer answers is right: of 2, 4, 8 … below the number of samples.
  public var passAtFewer: [SampleCurve.Point]
  /// The chance that one of as many answers as there are samples is right.
  public var passAtK: Statistics.Estimate
  /// The share of problems whose most frequent answer is right; of equally frequent ones the earliest counts.
  public var consensus: Statistics.Estimate
  /// The mean length of an answer.
  public var tokens: Statistics.Estimate
  /// The mean length of its thought.
  public var reasoningTokens: Statistics.Estimate
  /// The share of answers that ended for want of room.
  public var truncated: Statistics.Estimate
  /// The share of answers of the form that was asked for.
  public var wellFormed: Statistics.Estimate

  /// - Parameter answers: of each problem all samples.
  public init(_ answers: [GradedAnswer], samples: Int) {
    let groups = Self.byProblem(answers)
    func estimate(isRate: Bool = true, _ value: ([GradedAnswer]) -> Double) -> Statistics.Estimate {
      Statistics.estimate(groups.map(value), isRate: isRate)
    }
    func share(_ isCounted: (GradedAnswer) -> Bool) -> Statistics.Estimate {
      estimate { Double($0.filter(isCounted).count) / Double($0.count) }
    }
    problems = groups.count
    self.samples = samples
    passAt1 = share(\.grade.isCorrect)
    func passAt(_ k: Int) -> Statistics.Estimate {
      estimate { group in
        let correct = group.filter(\.grade.isCorrect).count
        return Statistics.passAtK(samples: group.count, correct: correct, k: min(k, group.count))
      }
    }
    passAtFewer = sequence(first: 2) { $0 * 2 }.prefix { $0 < samples }.map {
      SampleCurve.Point(samples: $0, accuracy: passAt($0))
    }
    passAtK = passAt(samples)
    consensus = estimate { Self.isConsensusCorrect($0) ? 1 : 0 }
    tokens = estimate(isRate: false) { Double($0.reduce(0) { $0 + $1.answer.tokens }) / Double($0.count) }
    reasoningTokens = estimate(isRate: false) {
      Double($0.reduce(0) { $0 + $1.answer.reasoningTokens }) / Double($0.count)
    }
    truncated = share(\.answer.isTruncated)
    wellFormed = share(\.grade.isWellFormed)
  }

  /// The answers to each problem, in the order of their samples.
  static func byProblem(_ answers: [GradedAnswer]) -> [[GradedAnswer]] {
    var order: [String] = [], byProblem: [String: [GradedAnswer]] = [:]
    for answer in answers {
      if byProblem[answer.problem] == nil { order.append(answer.problem) }
      byProblem[answer.problem, default: []].append(answer)
    }
    return order.map { problem in (byProblem[problem] ?? []).sorted { $0.sample < $1.sample } }
  }

  /// Whether the most frequent answer of a problem is right. Answers without a result have no vote.
  static func isConsensusCorrect(_ answers: [GradedAnswer]) -> Bool {
    Vote(answers.map(\.ballot)).winner.map { answers[$0.sample].grade.isCorrect } ?? false
  }

  public var json: JSONValue {
    func estimate(_ estimate: Statistics.Estimate) -> JSONValue { estimate.json }
    let first: JSONValue = ["problems": .integer(problems), "samples": .integer(samples), "pass@1": estimate(passAt1)]
    let fewer = passAtFewer.map { JSONMember(key: "pass@\($0.samples)", value: estimate($0.accuracy)) }
    let rest: JSONValue = [
      "pass@\(samples)": estimate(passAtK), "cons@\(samples)": estimate(consensus), "mean_tokens": estimate(tokens),
      "mean_reasoning_tokens": estimate(reasoningTokens),
      "truncated": estimate(truncated), "well_formed": estimate(wellFormed),
    ]
    // With one sample pass@k is pass@1, and stands there once.
    var seen = Set<String>()
    return .object(((first.members ?? []) + fewer + (rest.members ?? [])).filter { seen.insert($0.key).inserted })
  }
}
