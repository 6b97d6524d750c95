internal import CSwiftletKernels

/// A loss that keeps the experts of each sequence in balance (DeepSeek-V3 report, section 2.1.2, equations 17 to 20).
public struct BalanceLoss: Sendable {
  /// What the mean over sequences is multiplied with.
  public var coefficient: Float
  /// Rows of each sequence.
  public var sequences: [Range<Int>]

  public init(coefficient: Float, sequences: [Range<Int>]) {
    self.coefficient = coefficient
    self.sequences = sequences
  }
}

struct RouterOperation {
  let logits: Value
  let weights: Value
  let routing: Routing
  let rule: RoutingRule
  let balance: BalanceLoss?
  /// Of each sequence and expert, times the coefficient: how often it was among the best, against a mean of one.
  let frequencies: [Float]

  func backward(_ tape: Tape) -> Int {
    let gradient = tape.takeGradient(logits), count = rule.expertCount, perToken = rule.expertsPerToken, rows = logits.shape.rows
    let source = tape.floats(logits), weightGradient = tape.gradient(weights), rule = rule
    var sequenceOfRow = [Int](repeating: -1, count: rows)
    for (index, sequence) in (balance?.sequences ?? []).enumerated() {
      for row in sequence { sequenceOfRow[row] = index }
    }
    frequencies.withUnsafeBufferPointer { frequencies in
      routing.experts.withUnsafeBufferPointer { experts in
        tape.compute.forRows(rows, costPerRow: count * 16) { range in
          withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * count) { memory in
            guard let scores = memory.baseAddress else { return }
            let scoreGradients = scores + count
            for row in range {
              rule.score(source + row * count, scores)
              scoreGradients.update(repeating: 0, count: count)
              let chosen = experts.baseAddress.map { $0 + row * perToken }
              if let weightGradient, let chosen {
                rule.addWeightGradient(weightGradient + row * perToken, chosen, scores, scoreGradients)
              }
              if let balance, sequenceOfRow[row] >= 0, let all = frequencies.baseAddress {
                let sequence = sequenceOfRow[row]
                addBalance(all + sequence * count, length: balance.sequences[sequence].count, scores, scoreGradients)
              }
              rule.logitGradient(scores, scoreGradients, gradient.floats + row * count)
            }
          }
        }
      }
    }
    tape.give(gradient, to: logits)
    return weights.index
  }

  /// The loss's derivative by the scores, which are first divided by their sum.
  private func addBalance(
    _ frequencies: UnsafePointer<Float>, length: Int, _ scores: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>
  ) {
    var sum: Float = 0, product: Float = 0
    for expert in 0..<rule.expertCount {
      sum += scores[expert]
      product += frequencies[expert] * scores[expert]
    }
    sum += RoutingRule.smallest
    for expert in 0..<rule.expertCount { target[expert] += (frequencies[expert] - product / sum) / sum / Float(length) }
  }
}

extension RoutingRule {
  /// Adds to the scores' gradients what those of the weights mean for them.
  func addWeightGradient(
    _ gradient: UnsafePointer<Float>, _ chosen: UnsafePointer<UInt32>, _ scores: UnsafePointer<Float>,
    _ target: UnsafeMutablePointer<Float>
  ) {
    guard normalizesWeights else {
      for index in 0..<expertsPerToken { target[Int(chosen[index])] += gradient[index] * weightScale }
      return
    }
    var sum = Float(0), product = Float(0)
    for index in 0..<expertsPerToken {
      sum += scores[Int(chosen[index])]
      product += gradient[index] * scores[Int(chosen[index])]
    }
    sum += Self.smallest
    for index in 0..<expertsPerToken { target[Int(chosen[index])] += weightScale * (gradient[index] - product / sum) / sum }
  }

  /// From the scores' gradients to those of the logits.
  func logitGradient(_ scores: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>) {
    switch scoring {
    case .softmax:
      var product: Float = 0
      for expert in 0..<expertCount { product += scores[expert] * gradients[expert] }
      for expert in 0..<expertCount { target[expert] = scores[expert] * (gradients[expert] - product) }
    case .sigmoid:
      for expert in 0..<expertCount { target[expert] = gradients[expert] * scores[expert] * (1 - scores[expert]) }
    }
  }
}

extension Tape {
  /// Chooses the experts of every row.
  /// - Parameters:
  ///   - logits: `[rows, experts]`
  ///   - bias: `[experts]`, F32, added to the scores for the choice only.
  /// - Returns: the choice, and its weights `[rows, expertsPerToken]`, experts in ascending order.
  public func route(_ logits: Value, _ rule: RoutingRule, bias: Tensor?, balance: BalanceLoss? = nil) -> (Routing, weights: Value)
  {
    measured("router") {
      let weights = makeValue(Shape(logits.shape.rows, rule.expertsPerToken)), source = floats(logits)
      let routing = compute.route(source, rows: logits.shape.rows, rule, bias: bias?.floats, weights: floats(weights))
      let frequencies = balance.map { balanceFrequencies($0, rule, source, routing) } ?? []
      record(
        .router(
          RouterOperation(
            logits: logits, weights: weights, routing: routing, rule: rule, balance: balance, frequencies: frequencies)))
      return (routing, weights)
    }
  }

  /// Equations 18 to 20: how often each expert is among the best of a sequence's rows by score alone, and the mean of its share of
  /// the scores; the loss is their product. Returned are the first, times the loss's coefficient.
  private func balanceFrequencies(
    _ balance: BalanceLoss, _ rule: RoutingRule, _ logits: UnsafePointer<Float>, _ routing: Routing
  ) -> [Float] {
    let count = rule.expertCount, sequences = balance.sequences
    var frequencies = [Float](repeating: 0, count: sequences.count * count)
    var losses = [Double](repeating: 0, count: sequences.count)
    let coefficient = balance.coefficient / Float(max(1, sequences.count))
    frequencies.withUnsafeMutableBufferPointer { frequencies in
      losses.withUnsafeMutableBufferPointer { losses in
        guard let frequencies = frequencies.baseAddress, let losses = losses.baseAddress else { return }
        compute.pool.run(sequences.count) { index, _ in
          let mine = frequencies + index * count, length = sequences[index].count
          withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * count) { memory in
            withUnsafeTemporaryAllocation(of: UInt32.self, capacity: rule.expertsPerToken) { best in
              guard let scores = memory.baseAddress, let best = best.baseAddress else { return }
              let shares = scores + count
              shares.update(repeating: 0, count: count)
              for row in sequences[index] {
                rule.score(logits + row * count, scores)
                RoutingRule.largest(rule.expertsPerToken, of: scores, count, best)
                for index in 0..<rule.expertsPerToken { mine[Int(best[index])] += 1 }
                var sum: Float = 0
                for expert in 0..<count { sum += scores[expert] }
                for expert in 0..<count { shares[expert] += scores[expert] / (sum + RoutingRule.smallest) }
              }
              let scale = coefficient * Float(count) / Float(rule.expertsPerToken * max(1, length))
              for expert in 0..<count {
                mine[expert] *= scale
                losses[index] += Double(mine[expert]) * Double(shares[expert]) / Double(max(1, length))
              }
            }
          }
        }
      }
    }
    routing.balanceLoss = losses.reduce(0, +)
    return frequencies
  }
}
