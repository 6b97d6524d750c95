/// How the rewards of the answers to one prompt become advantages.
public enum AdvantageRule: String, Sendable, CaseIterable {
  /// Reward less the group's mean, over the group's standard deviation (DeepSeekMath, section 4.1.2).
  case group
  /// The same over the standard deviation of all answers of a step.
  case batch
  /// Reward less the group's mean (Dr. GRPO, Liu et al. 2025): without a weight on questions that are nearly always or never solved.
  case mean

  /// What TRL adds to standard deviations.
  private static let floor = 1e-4

  /// - Parameter groups: the rewards of the answers to each prompt.
  /// - Returns: of every answer, in the same order.
  public func advantages(_ groups: [[Double]]) -> [[Float]] {
    let all = Self.deviation(groups.flatMap { $0 })
    return groups.map { rewards in
      let mean = rewards.reduce(0, +) / Double(max(1, rewards.count))
      let scale: Double =
        switch self {
        case .group: 1 / (Self.deviation(rewards) + Self.floor)
        case .batch: 1 / (all + Self.floor)
        case .mean: 1
        }
      return rewards.map { Float(($0 - mean) * scale) }
    }
  }

  /// Of a sample: over one less than their number.
  static func deviation(_ values: [Double]) -> Double {
    guard values.count > 1 else { return 0 }
    let mean = values.reduce(0, +) / Double(values.count)
    return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)).squareRoot()
  }
}

/// How the losses of tokens become one.
public enum PolicyNormalization: String, Sendable, CaseIterable {
  /// The mean over all tokens (DAPO, Yu et al. 2025).
  case tokens
  /// The mean over answers of the means over their tokens, as GRPO was published.
  case answers
  /// The sum over answers and the most tokens that they could have (Dr. GRPO): no preference for short or long answers.
  case constant

  /// What a token of each answer counts in the loss.
  /// - Parameters:
  ///   - lengths: of the answers that one optimizer step learns from; 0 for one that counts nowhere.
  ///   - maximumTokens: of an answer.
  public func weights(lengths: [Int], maximumTokens: Int) -> [Float] {
    let tokens = lengths.reduce(0, +), answers = lengths.count
    return lengths.map { length in
      switch self {
      case .tokens: 1 / Float(max(1, tokens))
      case .answers: 1 / Float(max(1, answers * length))
      case .constant: 1 / Float(max(1, answers * maximumTokens))
      }
    }
  }
}
