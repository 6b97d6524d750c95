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
  /// A document for each rollout: the prompt and the answer, whose tokens are the targets. Answers in a row to one prompt share its rows
  /// where `sharesPrompts` says so: all but the last one, behind which each answer goes on in its own way.
  public init(_ rollouts: [Rollout], prompts: [[Int32]], sharesPrompts: Bool = false) {
    precondition(rollouts.allSatisfy { !$0.tokens.isEmpty }, "an answer without tokens")
    self.init(tokens: [], targets: [], documents: [])
    var first = 0
    while first < rollouts.count {
      let prompt = prompts[rollouts[first].prompt]
      var group = rollouts[first...].prefix { $0.prompt == rollouts[first].prompt }
      first = group.endIndex
      let start = tokens.count, isShared = sharesPrompts && group.count > 1 && prompt.count > 1
      var prefix = 0..<0
      if isShared {
        append(prompt.dropLast(), answer: [])
        prefix = start..<tokens.count
        prefixes.append(0..<0)
      }
      while let rollout = group.popFirst() {
        append(isShared ? prompt.suffix(1) : prompt[...], answer: rollout.tokens)
        prefixes.append(prefix)
        if !isShared { sequences.append(documents[documents.count - 1]) }
      }
      if isShared { sequences.append(start..<tokens.count) }
    }
    if prefixes.allSatisfy(\.isEmpty) { prefixes = [] }
  }

  /// The documents that answers end, in the order of the rollouts.
  var answers: [Range<Int>] { documents.filter { targets[$0.upperBound - 1] >= 0 } }

  /// Adds a document, whose targets are the answer's tokens.
  private mutating func append(_ prompt: ArraySlice<Int32>, answer: [Int32]) {
    let start = tokens.count
    tokens += (prompt + answer.dropLast()).map(Int.init)
    targets += [Int](repeating: -1, count: answer.isEmpty ? prompt.count : prompt.count - 1) + answer.map(Int.init)
    documents.append(start..<tokens.count)
  }
}
