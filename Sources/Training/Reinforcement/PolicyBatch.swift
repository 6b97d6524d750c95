internal import SwiftletTensors

/// An answer that a step learns from.
struct LearnedAnswer {
  var rollout: Rollout
  var advantage: Float
  /// Whether its tokens count.
  var isLearned: Bool
  /// Of its tokens by the reference.
  var reference: [Float]?

  /// Tokens that count.
  var length: Int { isLearned ? rollout.tokens.count : 0 }
}

extension PolicyRows {
  /// The rows of a batch of answers.
  /// - Parameter weights: what a token of each answer counts.
  init(_ answers: [LearnedAnswer], weights: [Float], batch: TrainingBatch) {
    let count = batch.targets.count
    self.init(
      targets: batch.targets, oldLogProbabilities: [Float](repeating: 0, count: count),
      referenceLogProbabilities: answers.contains { $0.reference != nil } ? [Float](repeating: 0, count: count) : nil,
      advantages: [Float](repeating: 0, count: count), weights: [Float](repeating: 0, count: count))
    for ((answer, weight), document) in zip(zip(answers, weights), batch.answers) {
      let first = document.upperBound - answer.rollout.tokens.count
      for (index, old) in answer.rollout.logProbabilities.enumerated() {
        oldLogProbabilities[first + index] = old
        advantages[first + index] = answer.advantage
        self.weights[first + index] = weight
        if let reference = answer.reference { referenceLogProbabilities?[first + index] = reference[index] }
      }
    }
  }
}

extension TrainableModel {
  /// Computes the loss of a policy on a batch and, when the tape records, adds the gradients to the parameters'.
  /// - Parameters:
  ///   - rows: those of the batch.
  ///   - balanceCoefficient: as in `LossOptions`.
  /// - Returns: the loss, and the balance loss.
  func policyLoss(
    _ batch: TrainingBatch, _ rows: PolicyRows, _ options: PolicyLossOptions, balanceCoefficient: Float, tape: Tape
  ) -> (policy: PolicyLoss, balance: Double) {
    let (normed, pass) = hidden(batch, balanceCoefficient: balanceCoefficient, tape: tape)
    let loss = tape.policyLoss(normed, head, rows, options)
    if tape.recordsGradients { tape.backward() } else { tape.reset() }
    tape.trimMemory()
    return (loss, pass.balanceSum.value)
  }
}
