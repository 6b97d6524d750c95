internal import Foundation
internal import SwiftletTensors

/// Chooses the next token from logits. What it chooses depends on logits, options, the tokens so far and the position alone.
struct Sampler {
  let options: GenerationOptions
  /// How often each token stands in the answer.
  private var answerCounts: [Int32: Int] = [:]
  private var seen: Set<Int32>

  /// - Parameter prompt: counted by the repetition penalty only.
  init(_ options: GenerationOptions, prompt: [Int32]) {
    self.options = options
    seen = options.repetitionPenalty == 1 ? [] : Set(prompt)
  }

  /// Notes a token of the answer.
  mutating func accept(_ token: Int32) {
    answerCounts[token, default: 0] += 1
    if options.repetitionPenalty != 1 { seen.insert(token) }
  }

  /// The next token.
  /// - Parameters:
  ///   - logits: of every token; changed in place.
  ///   - position: of the token that is chosen, from the start of the sequence.
  /// - Returns: nil when no logit is a number.
  func sample(_ logits: UnsafeMutableBufferPointer<Float>, position: Int, kernels: Kernels) -> Int32? {
    penalize(logits)
    let best = kernels.argmax(UnsafeBufferPointer(logits))
    guard logits.indices.contains(best), logits[best].isFinite else { return nil }
    // Below the smallest temperature whose inverse is a number, only the most likely token is left.
    let largest = logits[best], inverse = Float(1 / options.temperature)
    if !inverse.isFinite { return Int32(best) }
    let sums = kernels.softmaxWeights(logits, largest: largest, scale: inverse)
    let uniform = RandomNumbers.uniform(seed: options.seed, sample: options.sampleIndex, position: position)
    let narrows = options.topK > 0 && options.topK < logits.count || options.topP < 1 || options.minP > 0
    return narrows ? drawNarrowed(logits, sums: sums, at: uniform) : drawFromAll(logits, sums: sums, at: uniform)
  }

  private func penalize(_ logits: UnsafeMutableBufferPointer<Float>) {
    if options.repetitionPenalty != 1 {
      let penalty = Float(options.repetitionPenalty)
      for token in seen where logits.indices.contains(Int(token)) {
        logits[Int(token)] *= logits[Int(token)] > 0 ? 1 / penalty : penalty
      }
    }
    if options.frequencyPenalty != 0 || options.presencePenalty != 0 {
      for (token, count) in answerCounts {
        logits[Int(token)] -= Float(options.frequencyPenalty * Double(count) + options.presencePenalty)
      }
    }
    for (token, bias) in options.logitBias { logits[Int(token)] += Float(bias) }
  }

  /// Inverts the distribution function, tokens in the order of their ids: first which block of them, then which token.
  private func drawFromAll(_ weights: UnsafeMutableBufferPointer<Float>, sums: [Double], at uniform: Double) -> Int32 {
    var left = uniform * sums.reduce(0, +), last = 0
    for (block, sum) in sums.enumerated() where sum > 0 {
      let start = block * Kernels.sumBlock
      if left >= sum, block < sums.count - 1 {
        left -= sum
        last = start
        continue
      }
      for token in start..<min(start + Kernels.sumBlock, weights.count) where weights[token] > 0 {
        last = token
        left -= Double(weights[token])
        if left < 0 { return Int32(token) }
      }
    }
    // Rounding left nothing: the last that is possible, of the last block with any.
    let end = min(last + Kernels.sumBlock, weights.count)
    return Int32((last..<end).last { weights[$0] > 0 } ?? last)
  }

  /// Top-k, then top-p, then min-p, then a draw from what is left, most likely token first.
  private func drawNarrowed(_ weights: UnsafeMutableBufferPointer<Float>, sums: [Double], at uniform: Double) -> Int32 {
    let limit = options.topK > 0 ? min(options.topK, weights.count) : weights.count
    let total = options.topP < 1 && limit == weights.count ? sums.reduce(0, +) : nil
    // Few tokens carry nearly everything: look at the best 256, then at four times as many, until they suffice. After top-k, top-p
    // is a share of the k, so all of them are looked at.
    var count = options.topP < 1 && total == nil ? limit : min(limit, 256)
    while true {
      let candidates = Self.largest(count, of: weights)
      let mass = candidates.reduce(0.0) { $0 + Double(weights[Int($1)]) }
      let floor = options.minP * Double(candidates.first.map { weights[Int($0)] } ?? 0)
      let isBelowFloor = candidates.last.map { Double(weights[Int($0)]) < floor } ?? true
      let hasTopP = total.map { mass >= options.topP * $0 } ?? false
      if count == limit || hasTopP || isBelowFloor {
        return draw(from: candidates, weights, mass: total ?? mass, at: uniform)
      }
      count = min(limit, count * 4)
    }
  }

  private func draw(
    from candidates: [Int32], _ weights: UnsafeMutableBufferPointer<Float>, mass: Double, at uniform: Double
  ) -> Int32 {
    var kept = 0, keptMass = 0.0
    let floor = options.minP * Double(weights[Int(candidates[0])])
    for token in candidates {
      let weight = Double(weights[Int(token)])
      if kept > 0, keptMass >= options.topP * mass || weight < floor || weight == 0 { break }
      kept += 1
      keptMass += weight
    }
    var left = uniform * keptMass
    for token in candidates[..<kept] {
      left -= Double(weights[Int(token)])
      if left < 0 { return token }
    }
    return candidates[kept - 1]
  }

  /// The tokens of the `count` largest values, largest first, the lower id first among equals.
  static func largest(_ count: Int, of values: UnsafeMutableBufferPointer<Float>) -> [Int32] {
    func precedes(_ first: Int32, _ second: Int32) -> Bool {
      let a = values[Int(first)], b = values[Int(second)]
      return a > b || (a == b && first < second)
    }
    if count >= values.count { return values.indices.map { Int32($0) }.sorted(by: precedes) }
    // The `count` best so far, kept sorted in bunches: a value below the worst of them is dropped at once.
    var best: [Int32] = []
    best.reserveCapacity(2 * count)
    var threshold = -Float.infinity
    for index in values.indices where values[index] > threshold {
      best.append(Int32(index))
      if best.count == 2 * count {
        best.sort(by: precedes)
        best.removeSubrange(count...)
        threshold = values[Int(best[count - 1])]
      }
    }
    best.sort(by: precedes)
    return Array(best.prefix(count))
  }
}

/// Random numbers that are a function of where they are used, so that they do not depend on what else runs.
enum RandomNumbers {
  /// A number in 0..<1 for a position of a sample of a seed.
  static func uniform(seed: UInt64, sample: Int, position: Int) -> Double {
    let mixed = mix(mix(mix(seed) &+ UInt64(bitPattern: Int64(sample))) &+ UInt64(bitPattern: Int64(position)))
    return Double(mixed >> 11) * 0x1p-53
  }

  /// SplitMix64 (Steele, Lea and Flood 2014).
  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
