/// What the loss of a policy takes of every row: of sampled tokens, how likely they were and what they were worth.
public struct PolicyRows: Sendable {
  /// The token that was sampled behind the row, or a negative number for none.
  public var targets: [Int]
  /// Of the targets, by the policy that sampled them.
  public var oldLogProbabilities: [Float]
  /// The same by the reference; nil without one, and then there is no penalty.
  public var referenceLogProbabilities: [Float]?
  public var advantages: [Float]
  /// What a row counts in the loss: how losses of tokens become one.
  public var weights: [Float]

  public init(
    targets: [Int], oldLogProbabilities: [Float], referenceLogProbabilities: [Float]? = nil, advantages: [Float], weights: [Float]
  ) {
    self.targets = targets
    self.oldLogProbabilities = oldLogProbabilities
    self.referenceLogProbabilities = referenceLogProbabilities
    self.advantages = advantages
    self.weights = weights
  }
}

/// The bounds of a policy's loss.
public struct PolicyLossOptions: Sendable, Equatable {
  /// Ratios below 1 - `clipLow` and above 1 + `clipHigh` teach nothing more (GRPO: 0.2 and 0.2; DAPO: 0.2 and 0.28).
  public var clipLow: Float
  public var clipHigh: Float
  /// What the divergence from the reference is multiplied with.
  public var beta: Float

  public init(clipLow: Float = 0.2, clipHigh: Float = 0.28, beta: Float = 0) {
    self.clipLow = clipLow
    self.clipHigh = clipHigh
    self.beta = beta
  }
}

/// A policy's loss, and sums over its tokens.
public struct PolicyLoss: Sendable, Equatable {
  /// With the weights of the rows.
  public var loss = 0.0
  public var tokenCount = 0
  /// Of the k3 estimates of the divergence from the reference (Schulman 2020).
  public var divergenceSum = 0.0
  /// Of the entropies of the next token's distribution, in nats.
  public var entropySum = 0.0
  /// Tokens whose ratio was cut below, with a negative advantage, and above, with a positive one.
  public var clippedLowCount = 0
  public var clippedHighCount = 0
  /// The largest |ratio - 1|.
  public var largestRatioDeviation = 0.0

  public init() {}

  public static func += (left: inout Self, right: Self) {
    left.loss += right.loss
    left.tokenCount += right.tokenCount
    left.divergenceSum += right.divergenceSum
    left.entropySum += right.entropySum
    left.clippedLowCount += right.clippedLowCount
    left.clippedHighCount += right.clippedHighCount
    // A number that is none stays visible.
    if !(right.largestRatioDeviation <= left.largestRatioDeviation) { left.largestRatioDeviation = right.largestRatioDeviation }
  }
}

extension Tape {
  /// The loss of a policy by the logits of a head (DeepSeekMath, equation 21; DAPO, equation 8): the sum over rows with a target of
  /// weight * (-min(r A, clip(r, 1 - low, 1 + high) A) + beta * k3), where r is the probability of the target over that by the old policy,
  /// A the advantage, and k3 = q - log q - 1 with the reference's probability over the policy's as q.
  ///
  /// Log-probabilities have the bits of those that `logProbability` gives elsewhere, so r is exactly 1 while the weights are the old ones.
  /// - Parameters:
  ///   - hidden: `[rows, hidden]`
  ///   - head: one weight, `[vocabulary, hidden]`; the embedding when they are tied.
  public func policyLoss(_ hidden: Value, _ head: LinearWeights, _ rows: PolicyRows, _ options: PolicyLossOptions) -> PolicyLoss {
    measured("headLoss") {
      let vocabulary = head.weights[0].shape.rows, count = rows.targets.count
      precondition(
        rows.oldLogProbabilities.count == count && rows.advantages.count == count && rows.weights.count == count
          && (rows.referenceLogProbabilities?.count ?? count) == count, "policyLoss: rows")
      var terms = [PolicyTerm?](repeating: nil, count: count)
      terms.withUnsafeMutableBufferPointer { terms in
        let terms = terms.baseAddress
        differentiateHead(hidden, head, targets: rows.targets) { row, logits, spare in
          spare.update(from: logits, count: vocabulary)
          var margin: Float = 0, total: Float = 0
          kernels.table.pointee.cross_entropy(logits, vocabulary, rows.targets[row], 1, &margin, &total)
          let term = PolicyTerm(
            logProbability: Float(logProbability(margin: margin, total: total)),
            entropy: Self.entropy(gradients: logits, logits: spare, count: vocabulary, target: rows.targets[row], total: total),
            row: row, rows, options)
          terms?[row] = term
          guard recordsGradients else { return }
          // The kernel leaves what the target's log-probability has of each logit, but for its sign.
          let factor = -term.slope
          for token in 0..<vocabulary { logits[token] *= factor }
        }
      }
      var result = PolicyLoss()
      for term in terms {
        guard let term else { continue }
        var part = PolicyLoss()
        part.loss = term.loss
        part.tokenCount = 1
        part.divergenceSum = term.divergence
        part.entropySum = term.entropy
        part.clippedLowCount = term.isClippedLow ? 1 : 0
        part.clippedHighCount = term.isClippedHigh ? 1 : 0
        part.largestRatioDeviation = Double(abs(term.ratio - 1))
        result += part
      }
      return result
    }
  }

  /// log Z - sum of p x, with logits x from the largest one on and their probabilities p.
  /// - Parameter gradients: p, but for the target, which has 1 less.
  private static func entropy(
    gradients: UnsafePointer<Float>, logits: UnsafePointer<Float>, count: Int, target: Int, total: Float
  ) -> Double {
    // In the order of the tokens, so that the sum is the same everywhere.
    typealias Lanes = SIMD16<Float>
    var sums = Lanes.zero, largest = Lanes(repeating: logits[0]), token = 0
    func lanes(_ source: UnsafePointer<Float>) -> Lanes { UnsafeRawPointer(source).loadUnaligned(as: Lanes.self) }
    while token + 16 <= count {
      largest = pointwiseMax(largest, lanes(logits + token))
      token += 16
    }
    var maximum = largest.max()
    for index in token..<count { maximum = max(maximum, logits[index]) }
    token = 0
    while token + 16 <= count {
      sums += lanes(gradients + token) * (lanes(logits + token) - maximum)
      token += 16
    }
    var sum = Double(sums.sum()) + Double(logits[target] - maximum)
    for index in token..<count { sum += Double(gradients[index] * (logits[index] - maximum)) }
    return naturalLogarithm(Double(total)) - sum
  }
}

/// The loss of one token.
private struct PolicyTerm {
  var loss: Double
  var ratio: Float
  var divergence = 0.0
  var entropy: Double
  var isClippedLow: Bool
  var isClippedHigh: Bool
  /// The loss's derivative to the log-probability.
  var slope: Float

  init(logProbability: Float, entropy: Double, row: Int, _ rows: PolicyRows, _ options: PolicyLossOptions) {
    self.entropy = entropy
    let advantage = rows.advantages[row], weight = rows.weights[row]
    ratio = exponential(logProbability - rows.oldLogProbabilities[row])
    let low = 1 - options.clipLow, high = 1 + options.clipHigh
    let plain = ratio * advantage, clipped = min(max(ratio, low), high) * advantage
    isClippedLow = ratio < low && advantage < 0
    isClippedHigh = ratio > high && advantage > 0
    var value = -Double(min(plain, clipped)), slope = isClippedLow || isClippedHigh ? 0 : -plain
    if let reference = rows.referenceLogProbabilities, options.beta != 0 {
      let difference = Double(reference[row] - logProbability), excess = exponentialLessOne(difference)
      divergence = excess - difference
      value += Double(options.beta) * divergence
      slope -= options.beta * Float(excess)
    }
    loss = Double(weight) * value
    self.slope = weight * slope
  }
}
