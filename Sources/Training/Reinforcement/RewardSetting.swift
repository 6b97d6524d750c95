/// One part of what answers are worth.
public struct RewardSetting: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    /// 1 for a right answer, else 0.
    case accuracy
    /// 1 for one thought between its tags and one answer between theirs, and nothing else; else 0.
    case format
    /// The share of letters that belong to the language of the problem (DeepSeek-R1, section 2.3.2).
    case language
    /// 0 for answers that end `buffer` tokens before the most, down to -1 for those that reach it (DAPO, equation 13).
    case length(buffer: Int)
    /// A number that a program prints.
    case command(RewardCommand)

    /// As recipes and logs have it.
    public var name: String {
      switch self {
      case .accuracy: "accuracy"
      case .format: "format"
      case .language: "language"
      case .length: "length"
      case .command: "command"
      }
    }
  }

  public var kind: Kind
  public var weight: Double
}

/// A program that reads a line of JSON an answer, and prints a number a line.
public struct RewardCommand: Sendable, Equatable {
  public enum ErrorAction: String, Sendable, CaseIterable {
    /// Ends the run, with a checkpoint of the last whole step.
    case stop
    /// The answer's reward is 0.
    case zero
  }

  /// The program and what it is given.
  public var arguments: [String]
  /// For all answers of one call.
  public var seconds: Double
  public var outputBytes: Int
  public var onError: ErrorAction
  /// So many failures in a step stop the run in any case.
  public var failureLimit: Int
}
