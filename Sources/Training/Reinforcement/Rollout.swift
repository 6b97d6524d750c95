public import SwiftletGeneration

/// An answer that a model in training gave.
public struct Rollout: Sendable, Equatable {
  /// Which of the prompts, and which answer to it.
  public var prompt: Int
  public var sample: Int
  /// Of the answer, with the token that ended it where one did.
  public var tokens: [Int32]
  /// Of each of these tokens the logarithm of its probability.
  public var logProbabilities: [Float]
  public var finishReason: FinishReason

  public init(prompt: Int, sample: Int, tokens: [Int32], logProbabilities: [Float], finishReason: FinishReason) {
    self.prompt = prompt
    self.sample = sample
    self.tokens = tokens
    self.logProbabilities = logProbabilities
    self.finishReason = finishReason
  }
}

/// How rollouts are sampled: from the softmax of all logits, which is the distribution whose logarithms they carry.
public struct RolloutOptions: Sendable, Equatable {
  /// The most tokens of an answer.
  public var maximumTokens: Int
  public var seed: UInt64

  public init(maximumTokens: Int, seed: UInt64 = 0) {
    self.maximumTokens = maximumTokens
    self.seed = seed
  }
}

extension TrainingBatch {
  /// A document for each rollout: the prompt and the answer, whose tokens are the targets.
  public init(_ rollouts: [Rollout], prompts: [[Int32]]) {
    var tokens: [Int] = [], targets: [Int] = [], documents: [Range<Int>] = []
    for rollout in rollouts {
      let prompt = prompts[rollout.prompt], start = tokens.count
      tokens += (prompt + rollout.tokens.dropLast()).map(Int.init)
      targets += [Int](repeating: -1, count: prompt.count - 1) + rollout.tokens.map(Int.init)
      documents.append(start..<tokens.count)
    }
    self.init(tokens: tokens, targets: targets, documents: documents)
  }
}
