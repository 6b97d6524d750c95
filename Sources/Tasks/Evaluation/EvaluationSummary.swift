public import SwiftletJSON

/// The figures of a group of problems, each with as many samples.
public struct EvaluationSummary: Sendable, Equatable {
  public var problems: Int
  public var samples: Int
  /// The share of right answers.
  public var passAt1: Statistics.Estimate
  /// The chance that one of as many answers as there are samples is right.
  public var passAtK: Statistics.Estimate
  /// The share of problems whose most frequent answer is right; of equally frequent ones the earliest counts.
  public var consensus: Statistics.Estimate
  /// The mean length of an answer.
  public var tokens: Statistics.Estimate
  /// The share of answers that ended for want of room.
  public var truncated: Statistics.Estimate
  /// The share of answers of the form that was asked for.
  public var wellFormed: Statistics.Estimate

  /// - Parameter answers: of each problem all samples.
  public init(_ answers: [GradedAnswer], samples: Int) {
    var order: [String] = [], byProblem: [String: [GradedAnswer]] = [:]
    for answer in answers {
      if byProblem[answer.problem] == nil { order.append(answer.problem) }
      byProblem[answer.problem, default: []].append(answer)
    }
    let groups = order.map { problem in (byProblem[problem] ?? []).sorted { $0.sample < $1.sample } }
    func estimate(isRate: Bool = true, _ value: ([GradedAnswer]) -> Double) -> Statistics.Estimate {
      Statistics.estimate(groups.map(value), isRate: isRate)
    }
    func share(_ isCounted: (GradedAnswer) -> Bool) -> Statistics.Estimate {
      estimate { Double($0.filter(isCounted).count) / Double($0.count) }
    }
    problems = groups.count
    self.samples = samples
    passAt1 = share(\.grade.isCorrect)
    passAtK = estimate { group in
      let correct = group.filter(\.grade.isCorrect).count
      return Statistics.passAtK(samples: group.count, correct: correct, k: min(samples, group.count))
    }
    consensus = estimate { Self.isConsensusCorrect($0) ? 1 : 0 }
    tokens = estimate(isRate: false) { Double($0.reduce(0) { $0 + $1.answer.tokens }) / Double($0.count) }
    truncated = share(\.answer.isTruncated)
    wellFormed = share(\.grade.isWellFormed)
  }

  /// Whether the most frequent answer of a problem is right. Answers without a result have no vote.
  static func isConsensusCorrect(_ answers: [GradedAnswer]) -> Bool {
    var votes: [String: Int] = [:]
    for answer in answers { if let canonical = answer.grade.canonical { votes[canonical, default: 0] += 1 } }
    guard let most = votes.values.max() else { return false }
    return answers.first { $0.grade.canonical.map { votes[$0] == most } ?? false }?.grade.isCorrect ?? false
  }

  public var json: JSONValue {
    func estimate(_ estimate: Statistics.Estimate) -> JSONValue {
      [
        "value": .number(estimate.value), "low": .number(estimate.interval.lowerBound),
        "high": .number(estimate.interval.upperBound),
      ]
    }
    let members: JSONValue = [
      "problems": .integer(problems), "samples": .integer(samples), "pass@1": estimate(passAt1),
      "pass@\(samples)": estimate(passAtK), "cons@\(samples)": estimate(consensus), "mean_tokens": estimate(tokens),
      "truncated": estimate(truncated), "well_formed": estimate(wellFormed),
    ]
    // With one sample pass@k is pass@1, and stands there once.
    var seen = Set<String>()
    return .object((members.members ?? []).filter { seen.insert($0.key).inserted })
  }
}
