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

/// Which expert every row goes to, and in which order experts have their rows.
public final class Routing {
  /// Where each expert's rows begin among all rows sorted by expert; one more than experts.
  public fileprivate(set) var offsets: [Int]
  /// For each row and choice its place among the sorted; choices of a row are in ascending order of experts.
  public fileprivate(set) var places: [UInt32]
  /// For each place its row.
  public fileprivate(set) var rows: [UInt32]
  /// For each place its index among rows and choices.
  fileprivate(set) var choices: [UInt32]
  /// The balance loss with its coefficient; 0 without one.
  public internal(set) var balanceLoss = 0.0
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
}

extension Compute {
  /// Chooses the experts of every row.
  /// - Parameters:
  ///   - logits: `[rows, experts]`
  ///   - bias: `[experts]`, added to the scores for the choice only.
  /// - Returns: the choice, and its weights `[rows, expertsPerToken]`, experts in ascending order.
  public func route(_ logits: Tensor, _ rule: RoutingRule, bias: Tensor?) -> (Routing, weights: Tensor) {
    let weights = make(Shape(logits.shape.rows, rule.expertsPerToken))
    return (route(logits.floats, rows: logits.shape.rows, rule, bias: bias?.floats, weights: weights.floats), weights)
  }

  func route(
    _ logits: UnsafePointer<Float>, rows: Int, _ rule: RoutingRule, bias: UnsafePointer<Float>?,
    weights: UnsafeMutablePointer<Float>
  ) -> Routing {
    let routing = Routing(rows: rows, rule: rule), count = rule.expertCount, perToken = rule.expertsPerToken
    routing.experts.withUnsafeMutableBufferPointer { experts in
      guard let experts = experts.baseAddress else { return }
      forRows(rows, costPerRow: count * 16) { range in
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * count + rule.groupCount) { memory in
          withUnsafeTemporaryAllocation(of: UInt32.self, capacity: rule.groupCount) { groups in
            guard let scores = memory.baseAddress, let groups = groups.baseAddress else { return }
            for row in range {
              rule.score(logits + row * count, scores)
              rule.choose(
                scores, bias: bias, choice: scores + count, groups: groups, experts: experts + row * perToken,
                weights: weights + row * perToken)
            }
          }
        }
      }
    }
    routing.sort(perToken: perToken)
    return routing
  }
}
