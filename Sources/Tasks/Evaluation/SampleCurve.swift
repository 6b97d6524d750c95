public import SwiftletJSON

/// How much is right when one of k answers to each problem is chosen, for several k.
///
/// Each figure is the mean over the subsets of k of the problem's answers, in their order: of all of them, or of 2000 drawn by chance
/// where there are more than 20,000. So it is without bias, and for k = n it is the choice among all answers.
public struct SampleCurve: Sendable, Equatable {
  /// How one of several answers is chosen.
  public enum Choice: Sendable, Equatable {
    /// The most frequent answer; of equally frequent ones the earliest.
    case vote
    /// The answer of the largest mean log-probability; of equal ones the earliest.
    case likelihood
    /// The answer of the largest score; of equal ones the earliest. Answers without a score are chosen only where none has one.
    case score
  }

  public struct Point: Sendable, Equatable {
    public var samples: Int
    public var accuracy: Statistics.Estimate
  }

  public let choice: Choice
  /// For 1, 2, 4 … answers, and for all.
  public let points: [Point]

  private static let mostSubsets = 20_000, drawnSubsets = 2000

  /// - Parameter answers: of each problem as many.
  public init(_ answers: [GradedAnswer], choice: Choice) {
    self.choice = choice
    let groups = EvaluationSummary.byProblem(answers)
    let count = groups.map(\.count).min() ?? 0
    let sizes = Array(sequence(first: 1) { $0 * 2 }.prefix { $0 < count }) + (count > 0 ? [count] : [])
    points = sizes.map { size in
      let subsets = Self.subsets(of: count, size: size)
      let shares = groups.map { group in
        let voters = Self.voters(group)
        let right = subsets.reduce(0) { sum, subset in
          let chosen = choice == .vote ? Self.mostVoted(subset, voters) : Self.best(subset, group, choice)
          return sum + (chosen.map { group[$0].grade.isCorrect } ?? false ? 1 : 0)
        }
        return Double(right) / Double(subsets.count)
      }
      return Point(samples: size, accuracy: Statistics.estimate(shares))
    }
  }

  /// The name of a figure: `maj@8`, `best@8`.
  public func name(of point: Point) -> String { "\(choice == .vote ? "maj" : "best")@\(point.samples)" }

  /// By sample, whom it votes for: the first sample that says the same; nil for no vote.
  private static func voters(_ group: [GradedAnswer]) -> [Int?] {
    var first: [String: Int] = [:]
    return group.enumerated().map { index, answer in
      guard let canonical = answer.ballot?.canonical, !canonical.isEmpty else { return nil }
      if first[canonical] == nil { first[canonical] = index }
      return first[canonical]
    }
  }

  /// As `Vote` decides, on numbers.
  private static func mostVoted(_ subset: [Int], _ voters: [Int?]) -> Int? {
    var votes: [Int: (count: Int, sample: Int)] = [:]
    for sample in subset { if let voter = voters[sample] { votes[voter, default: (0, sample)].count += 1 } }
    return votes.values.min { ($1.count, $0.sample) < ($0.count, $1.sample) }?.sample
  }

  private static func best(_ subset: [Int], _ group: [GradedAnswer], _ choice: Choice) -> Int? {
    Self.best(subset.map { choice == .score ? group[$0].score : group[$0].answer.logProbability }).map { subset[$0] }
  }

  /// The place of the largest score, of equal ones the first; the first of all where there is no score, nil where there is nothing.
  public static func best(_ scores: [Double?]) -> Int? {
    var best: Int?
    for (index, score) in scores.enumerated() {
      if let score, best.map({ scores[$0].map { score > $0 } ?? true }) ?? true { best = index }
    }
    return best ?? scores.indices.first
  }

  /// Subsets of 0 ..< count, each in ascending order.
  static func subsets(of count: Int, size: Int) -> [[Int]] {
    let number = (0..<size).reduce(1.0) { $0 * Double(count - $1) / Double($1 + 1) }
    if number > Double(mostSubsets) {
      var random = TaskRandom("subsets", UInt64(count), UInt64(size))
      return (0..<drawnSubsets).map { _ in
        var pool = Array(0..<count)
        for index in 0..<size { pool.swapAt(index, random.integer(index...(count - 1))) }
        return pool[..<size].sorted()
      }
    }
    var subset = Array(0..<size), result: [[Int]] = []
    while true {
      result.append(subset)
      guard let place = subset.indices.last(where: { subset[$0] < count - size + $0 }) else { return result }
      subset[place] += 1
      for index in subset.indices.dropFirst(place + 1) { subset[index] = subset[index - 1] + 1 }
    }
  }

  public var members: [JSONMember] {
    points.map { point in JSONMember(key: name(of: point), value: point.accuracy.json) }
  }
}

extension Statistics.Estimate {
  public var json: JSONValue {
    ["value": .number(value), "low": .number(interval.lowerBound), "high": .number(interval.upperBound)]
  }
}
