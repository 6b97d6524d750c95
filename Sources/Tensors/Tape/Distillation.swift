internal import CSwiftletKernels

/// What a teacher expects next in some rows: its `k` most likely tokens, and all others together as one more class, the tail.
public struct TeacherRows: Sendable, Equatable {
  public let k: Int
  /// `[rows, k]`, the likeliest first; in a row no token twice.
  public var tokens: [UInt32]
  /// Natural logarithms of their probabilities, `[rows, k]`.
  public var logProbabilities: [Float]
  /// That of the tail, `[rows]`; minus infinity where `k` is the whole vocabulary.
  public var tails: [Float]

  public var rowCount: Int { tails.count }

  public init(k: Int, tokens: [UInt32] = [], logProbabilities: [Float] = [], tails: [Float] = []) {
    precondition(tokens.count == tails.count * k && logProbabilities.count == tokens.count, "\(k) tokens a row")
    (self.k, self.tokens, self.logProbabilities, self.tails) = (k, tokens, logProbabilities, tails)
  }
}

/// Which of two distributions is asked how unlikely the other finds what it says.
public enum KullbackLeibler: String, Sendable, CaseIterable {
  /// KL(teacher || student): the student covers all that the teacher does (Hinton et al. 2015).
  case forward = "forward_kl"
  /// KL(student || teacher): the student keeps to what the teacher does most (Gu et al. 2024, MiniLLM).
  case reverse = "reverse_kl"
}

/// How a student's loss is made of cross-entropy and divergence: `(1 - weight) * CE + weight * temperature^2 * KL`.
public struct DistillationOptions: Sendable, Equatable {
  public var divergence: KullbackLeibler
  /// Divides the logits of both. Its square keeps the gradient's size (Hinton et al. 2015, section 2).
  public var temperature: Float
  /// From 0 to 1.
  public var weight: Float

  public init(divergence: KullbackLeibler = .forward, temperature: Float = 1, weight: Float = 1) {
    (self.divergence, self.temperature, self.weight) = (divergence, temperature, weight)
  }
}

extension Tape {
  /// The loss of a student beside a teacher, over rows with a target. The tail's tokens are one class: their gradient is shared out as the
  /// student's own probabilities are.
  /// - Parameters:
  ///   - hidden, head, targets, scale: as of `crossEntropy`.
  ///   - teacher: of the rows with a target, one after the other, at the options' temperature.
  /// - Returns: sums over the rows times `scale`: the cross-entropy, and the divergence times the square of the temperature. Neither has
  ///   its weight; the gradients have it.
  public func distillation(
    _ hidden: Value, _ head: LinearWeights, targets: [Int], teacher: TeacherRows, _ options: DistillationOptions, scale: Float
  ) -> (crossEntropy: Double, divergence: Double) {
    measured("distillation") {
      let vocabulary = head.weights[0].shape.rows, k = teacher.k, temperature = options.temperature
      let (rows, places) = Self.placesOfTargets(targets)
      precondition(
        teacher.rowCount == rows.count && k > 0 && k <= vocabulary && teacher.tokens.allSatisfy { $0 < vocabulary },
        "distillation: the teacher's rows")
      let facts = pool.take(3 * max(1, rows.count))
      defer { pool.release(facts) }
      let factor = Double(options.weight * scale * temperature)
      differentiateHead(hidden, head, targets: targets) { row, logits, scratch in
        let place = places[row], fact = facts.floats + 3 * place
        scratch.update(from: logits, count: vocabulary)
        kernels.table.pointee.cross_entropy(
          logits, vocabulary, targets[row], (1 - options.weight) * scale, fact, fact + 1)
        if temperature != 1 { for index in 0..<vocabulary { scratch[index] /= temperature } }
        let loss = teacher.tokens.withUnsafeBufferPointer { tokens in
          teacher.logProbabilities.withUnsafeBufferPointer { logProbabilities in
            divergence(
              options.divergence, scratch, vocabulary, tokens: UnsafeBufferPointer(rebasing: tokens[place * k..<(place + 1) * k]),
              logProbabilities: UnsafeBufferPointer(rebasing: logProbabilities[place * k..<(place + 1) * k]),
              tail: teacher.tails[place], factor: factor, gradient: logits)
          }
        }
        fact[2] = Float(loss)
      }
      var result = (crossEntropy: 0.0, divergence: 0.0)
      for place in rows.indices {
        let fact = facts.floats + 3 * place
        result.crossEntropy -= logProbability(margin: fact[0], total: fact[1])
        result.divergence += Double(fact[2])
      }
      result.crossEntropy *= Double(scale)
      result.divergence *= Double(scale) * Double(temperature) * Double(temperature)
      return result
    }
  }

  /// The rows with a target, and of every row how many such rows are before it.
  private static func placesOfTargets(_ targets: [Int]) -> (rows: [Int], places: [Int]) {
    var rows: [Int] = [], places: [Int] = []
    for (row, target) in targets.enumerated() {
      places.append(rows.count)
      if target >= 0 { rows.append(row) }
    }
    return (rows, places)
  }

  /// The divergence of one row.
  /// - Parameters:
  ///   - logits: of the student; overwritten.
  ///   - gradient: that by the logits, times `factor`, is added to it.
  private func divergence(
    _ kind: KullbackLeibler, _ logits: UnsafeMutablePointer<Float>, _ count: Int, tokens: UnsafeBufferPointer<UInt32>,
    logProbabilities: UnsafeBufferPointer<Float>, tail: Float, factor: Double, gradient: UnsafeMutablePointer<Float>
  ) -> Double {
    withUnsafeTemporaryAllocation(of: Double.self, capacity: tokens.count) { top in
      let student = separateTail(logits, count, tokens, top), hasTail = tokens.count < count
      // A teacher's tail may be too unlikely for a Float.
      let tail = Double(max(tail, -Float.greatestFiniteMagnitude))
      var divergence = 0.0, mass = 0.0
      switch kind {
      case .forward:
        for (place, logProbability) in logProbabilities.enumerated() {
          let probability = exponential(Double(logProbability))
          divergence += probability * (Double(logProbability) - top[place])
          mass += probability
        }
        let share = hasTail ? exponential(tail) : 0
        if share > 0 { divergence += share * (tail - student) }
        mass += share
        for (place, token) in tokens.enumerated() {
          let slope = exponential(top[place]) * mass - exponential(Double(logProbabilities[place]))
          gradient[Int(token)] += Float(slope * factor)
        }
        if hasTail {
          kernels.table.pointee.add_scaled(
            logits, Float((exponential(student) * mass - share) * factor), count, gradient)
        }
      case .reverse:
        for place in tokens.indices {
          let probability = exponential(top[place])
          // Both may be too unlikely for anything to be left of them.
          if probability > 0 { divergence += probability * (top[place] - Double(logProbabilities[place])) }
        }
        let share = hasTail ? exponential(student) : 0
        if share > 0 { divergence += share * (student - tail) }
        for (place, token) in tokens.enumerated() {
          let probability = exponential(top[place])
          guard probability > 0 else { continue }
          let slope = probability * (top[place] - Double(logProbabilities[place]) - divergence)
          gradient[Int(token)] += Float(slope * factor)
        }
        if share > 0 {
          kernels.table.pointee.add_scaled(logits, Float(share * (student - tail - divergence) * factor), count, gradient)
        }
      }
      return divergence
    }
  }

  /// Splits logits into some tokens and all others.
  /// - Parameters:
  ///   - logits: become, of the others, their probabilities among themselves; 0 of the tokens.
  ///   - top: gets the tokens' logarithms of probabilities.
  /// - Returns: that of the others together; minus infinity where there are none.
  private func separateTail(
    _ logits: UnsafeMutablePointer<Float>, _ count: Int, _ tokens: UnsafeBufferPointer<UInt32>,
    _ top: UnsafeMutableBufferPointer<Double>
  ) -> Double {
    var largest = -Double.infinity
    for (place, token) in tokens.enumerated() {
      top[place] = Double(logits[Int(token)])
      largest = max(largest, top[place])
      logits[Int(token)] = -.infinity
    }
    var tail = -Double.infinity
    if tokens.count < count, let first = tokens.first {
      let most = Double(logits[kernels.table.pointee.argmax(logits, count)])
      var margin: Float = 0, total: Float = 0
      kernels.table.pointee.cross_entropy(logits, count, Int(first), 1, &margin, &total)
      tail = most + naturalLogarithm(Double(total))
    }
    for token in tokens { logits[Int(token)] = 0 }
    largest = max(largest, tail)
    var sum = exponential(tail - largest)
    for place in tokens.indices { sum += exponential(top[place] - largest) }
    let logSum = largest + naturalLogarithm(sum)
    for place in tokens.indices { top[place] -= logSum }
    return tail - logSum
  }

  /// What a head expects next in rows with a target.
  /// - Parameters:
  ///   - hidden, head, targets: as of `crossEntropy`.
  ///   - k: tokens that are kept of a row.
  ///   - temperature: divides the logits.
  ///   - vocabulary: the first so many tokens are all there are; at most the head's.
  public func teacherRows(
    _ hidden: Value, _ head: LinearWeights, targets: [Int], k: Int, temperature: Float, vocabulary: Int
  ) -> TeacherRows {
    precondition(!recordsGradients && k > 0 && k <= vocabulary && vocabulary <= head.weights[0].shape.rows, "teacherRows")
    return measured("teacherRows") {
      let (rows, places) = Self.placesOfTargets(targets)
      var result = TeacherRows(
        k: k, tokens: [UInt32](repeating: 0, count: rows.count * k),
        logProbabilities: [Float](repeating: 0, count: rows.count * k),
        tails: [Float](repeating: 0, count: rows.count))
      result.tokens.withUnsafeMutableBufferPointer { tokens in
        result.logProbabilities.withUnsafeMutableBufferPointer { logProbabilities in
          result.tails.withUnsafeMutableBufferPointer { tails in
            let (tokens, logProbabilities, tails) = (tokens, logProbabilities, tails)
            differentiateHead(hidden, head, targets: targets) { row, logits, _ in
              let place = places[row]
              if temperature != 1 { for index in 0..<vocabulary { logits[index] /= temperature } }
              let chosen = UnsafeMutableBufferPointer(rebasing: tokens[place * k..<(place + 1) * k])
              Self.chooseLargest(logits, vocabulary, chosen)
              withUnsafeTemporaryAllocation(of: Double.self, capacity: k) { top in
                tails[place] = Float(separateTail(logits, vocabulary, UnsafeBufferPointer(chosen), top))
                for index in 0..<k { logProbabilities[place * k + index] = Float(top[index]) }
              }
            }
          }
        }
      }
      return result
    }
  }

  /// The places of the largest values, the largest first, of equal ones the first.
  private static func chooseLargest(
    _ values: UnsafeMutablePointer<Float>, _ count: Int, _ places: UnsafeMutableBufferPointer<UInt32>
  ) {
    var found = 0
    for index in 0..<count where found < places.count || values[index] > values[Int(places[found - 1])] {
      var place = found < places.count ? found : found - 1
      while place > 0, values[index] > values[Int(places[place - 1])] {
        places[place] = places[place - 1]
        place -= 1
      }
      places[place] = UInt32(index)
      found = min(found + 1, places.count)
    }
  }
}
