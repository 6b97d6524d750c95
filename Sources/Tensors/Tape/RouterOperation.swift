internal import CSwiftletKernels

/// How a router chooses experts and weighs them.
public struct RoutingRule: Sendable, Equatable {
  public enum Scoring: Sendable {
    /// A group's score is its best expert's (DeepSeek-V2).
    case softmax
    /// A group's score is the sum of its two best (DeepSeek-V3).
    case sigmoid
  }

  public var scoring: Scoring
  public var expertCount: Int
  public var expertsPerToken: Int
  public var groupCount: Int
  public var chosenGroupCount: Int
  public var normalizesWeights: Bool
  public var weightScale: Float

  public init(
    scoring: Scoring, expertCount: Int, expertsPerToken: Int, groupCount: Int, chosenGroupCount: Int, normalizesWeights: Bool,
    weightScale: Float
  ) {
    self.scoring = scoring
    self.expertCount = expertCount
    self.expertsPerToken = expertsPerToken
    self.groupCount = groupCount
    self.chosenGroupCount = chosenGroupCount
    self.normalizesWeights = normalizesWeights
    self.weightScale = weightScale
  }
}

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

/// Which expert every row goes to, and in which order experts have their rows.
public final class Routing {
  /// Where each expert's rows begin among all rows sorted by expert; one more than experts.
  fileprivate(set) var offsets: [Int]
  /// For each row and choice its place among the sorted.
  fileprivate(set) var places: [UInt32]
  /// For each place its row.
  fileprivate(set) var rows: [UInt32]
  /// For each place its index among rows and choices.
  fileprivate(set) var choices: [UInt32]
  /// The balance loss with its coefficient; 0 without one.
  public fileprivate(set) var balanceLoss = 0.0
  fileprivate(set) var experts: [UInt32]

  private let rowCount: Int

  fileprivate init(rows count: Int, rule: RoutingRule) {
    rowCount = count
    let choiceCount = count * rule.expertsPerToken
    offsets = [Int](repeating: 0, count: rule.expertCount + 1)
    places = [UInt32](repeating: 0, count: choiceCount)
    rows = places
    choices = places
    experts = places
  }

  /// How often rows in these ranges chose each expert.
  public func loads(of ranges: [Range<Int>]) -> [Int] {
    var result = [Int](repeating: 0, count: offsets.count - 1)
    let perToken = experts.count / max(1, rowCount)
    for range in ranges {
      for choice in experts[range.lowerBound * perToken..<range.upperBound * perToken] { result[Int(choice)] += 1 }
    }
    return result
  }

  /// Groups the choices by expert.
  fileprivate func sort(perToken: Int) {
    for expert in experts { offsets[Int(expert) + 1] += 1 }
    for expert in offsets.indices.dropFirst() { offsets[expert] += offsets[expert - 1] }
    var next = offsets
    for (choice, expert) in experts.enumerated() {
      let place = next[Int(expert)]
      next[Int(expert)] += 1
      places[choice] = UInt32(place)
      rows[place] = UInt32(choice / perToken)
      choices[place] = UInt32(choice)
    }
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
  /// Added to sums that weights are divided by, as in DeepSeek's code.
  static let smallest: Float = 1e-20

  func score(_ logits: UnsafePointer<Float>, _ scores: UnsafeMutablePointer<Float>) {
    switch scoring {
    case .softmax:
      var largest = logits[0]
      for expert in 1..<max(1, expertCount) { largest = max(largest, logits[expert]) }
      var sum: Float = 0
      for expert in 0..<expertCount {
        scores[expert] = exponential(logits[expert] - largest)
        sum += scores[expert]
      }
      for expert in 0..<expertCount { scores[expert] /= sum }
    case .sigmoid:
      for expert in 0..<expertCount { scores[expert] = 1 / (1 + exponential(-logits[expert])) }
    }
  }

  /// Puts the indices of the `count` largest values into `chosen`, the largest first, the lower index first among equals.
  static func largest(
    _ count: Int, of values: UnsafePointer<Float>, _ valueCount: Int, _ chosen: UnsafeMutablePointer<UInt32>
  ) {
    var found = 0
    for index in 0..<valueCount {
      let value = values[index].isNaN ? -Float.infinity : values[index]
      var place = found
      while place > 0 {
        let other = values[Int(chosen[place - 1])]
        if (other.isNaN ? -Float.infinity : other) >= value { break }
        place -= 1
      }
      if place >= count { continue }
      let last = min(found, count - 1)
      var moved = last
      while moved > place {
        chosen[moved] = chosen[moved - 1]
        moved -= 1
      }
      chosen[place] = UInt32(index)
      found = min(found + 1, count)
    }
  }

  /// The experts of one row in ascending order, and their weights.
  /// - Parameters:
  ///   - bias: added to the scores for the choice only.
  ///   - choice: scratch for `expertCount + groupCount` values.
  ///   - groups: scratch for `groupCount` indices.
  func choose(
    _ scores: UnsafePointer<Float>, bias: UnsafePointer<Float>?, choice: UnsafeMutablePointer<Float>,
    groups: UnsafeMutablePointer<UInt32>, experts: UnsafeMutablePointer<UInt32>, weights: UnsafeMutablePointer<Float>
  ) {
    for expert in 0..<expertCount { choice[expert] = scores[expert] + (bias?[expert] ?? 0) }
    if groupCount > 1 { maskGroups(choice, groupScores: choice + expertCount, groups) }
    Self.largest(expertsPerToken, of: choice, expertCount, experts)
    var chosen = UnsafeMutableBufferPointer(start: experts, count: expertsPerToken)
    chosen.sort()
    var sum: Float = 0
    for index in 0..<expertsPerToken {
      weights[index] = scores[Int(experts[index])]
      sum += weights[index]
    }
    sum += Self.smallest
    for index in 0..<expertsPerToken {
      if normalizesWeights { weights[index] /= sum }
      weights[index] *= weightScale
    }
  }

  private func maskGroups(
    _ choice: UnsafeMutablePointer<Float>, groupScores: UnsafeMutablePointer<Float>, _ groups: UnsafeMutablePointer<UInt32>
  ) {
    let size = expertCount / groupCount
    for group in 0..<groupCount {
      var best = -Float.infinity, second = -Float.infinity
      for expert in group * size..<(group + 1) * size {
        let value = choice[expert]
        if value > best { (best, second) = (value, best) } else if value > second { second = value }
      }
      groupScores[group] = scoring == .softmax ? best : size > 1 ? best + second : best
    }
    Self.largest(chosenGroupCount, of: groupScores, groupCount, groups)
    let kept = UnsafeBufferPointer(start: groups, count: chosenGroupCount)
    for group in 0..<groupCount where !kept.contains(UInt32(group)) {
      for expert in group * size..<(group + 1) * size { choice[expert] = -.infinity }
    }
  }

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
      let rows = logits.shape.rows, count = rule.expertCount, perToken = rule.expertsPerToken
      let routing = Routing(rows: rows, rule: rule), weights = makeValue(Shape(rows, perToken))
      let source = floats(logits), weightTarget = floats(weights), biases = bias?.floats
      routing.experts.withUnsafeMutableBufferPointer { experts in
        guard let experts = experts.baseAddress else { return }
        compute.forRows(rows, costPerRow: count * 16) { range in
          withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * count + rule.groupCount) { memory in
            withUnsafeTemporaryAllocation(of: UInt32.self, capacity: rule.groupCount) { groups in
              guard let scores = memory.baseAddress, let groups = groups.baseAddress else { return }
              for row in range {
                rule.score(source + row * count, scores)
                rule.choose(
                  scores, bias: biases, choice: scores + count, groups: groups, experts: experts + row * perToken,
                  weights: weightTarget + row * perToken)
              }
            }
          }
        }
      }
      routing.sort(perToken: perToken)
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
