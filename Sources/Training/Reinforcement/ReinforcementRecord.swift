/// What a step of reinforcement was like, beside what every step has: part of a line of `log.jsonl`. Means are over all answers of the step
/// unless said otherwise.
public struct ReinforcementRecord: Codable, Sendable, Equatable {
  /// With the weights of the parts.
  public var reward: Double
  /// Its parts by name, without weights.
  public var rewards: [String: Double]
  /// The standard deviation of rewards within groups, mean of the groups.
  public var rewardDeviation: Double
  public var answers: Int
  /// Tokens of an answer, with what ends it.
  public var responseTokens: Double
  /// The share of answers that were cut at the most tokens.
  public var truncatedShare: Double
  /// Problems whose answers all had the same reward, of all that were asked.
  public var zeroVarianceGroups: Int
  public var groups: Int
  /// Answers that were learned from.
  public var learnedAnswers: Int
  /// Of the next token's distribution at the tokens that were learned from, in nats.
  public var entropy: Double?
  /// The estimate (k3) of the divergence from the reference; nil without one.
  public var divergence: Double?
  /// Shares of the tokens that were learned from whose ratio was cut, below and above.
  public var clippedLow: Double
  public var clippedHigh: Double
  /// The largest |ratio - 1| of the first optimizer step: 0 when the sampler's log-probabilities are the trainer's to the last bit. nil when
  /// nothing was learned.
  public var firstRatioDeviation: Double?
  /// The same of all optimizer steps.
  public var largestRatioDeviation: Double?
  /// Optimizer steps.
  public var updates: Int
  /// Answers that a reward command failed at.
  public var rewardFailures: Int
  /// The last of them.
  public var rewardFailure: String?
  public var rolloutSeconds: Double
  public var rewardSeconds: Double
  /// Of the gradients and the optimizer, with the reference's log-probabilities.
  public var updateSeconds: Double
  /// Of all that passed since the record before.
  public var otherSeconds = 0.0
  /// The share of the time that was neither rollout nor update.
  public var overheadShare = 0.0

  /// What is left of the time since the record before.
  mutating func takeOther(of elapsed: Double) {
    otherSeconds = max(0, elapsed - rolloutSeconds - rewardSeconds - updateSeconds)
    overheadShare = elapsed > 0 ? (rewardSeconds + otherSeconds) / elapsed : 0
  }
}
