internal import SwiftletTensors

/// The mean log-probability of an answer's tokens, of those that the model chose itself.
public struct MeanLogProbability: Sendable, Equatable {
  private var sum = 0.0
  private var count = 0

  public init() {}

  /// Counts a token, where it comes with its log-probability (`GenerationOptions.topLogProbabilities`).
  public mutating func add(_ token: GeneratedToken) {
    guard let chosen = token.logProbabilities?.chosen, !token.isForced else { return }
    sum += chosen
    count += 1
  }

  /// nil where no token was counted.
  public var value: Double? { count > 0 ? sum / Double(count) : nil }
}

/// How likely each token is by the model's logits as they are.
struct LogProbabilities {
  private let logits: [Float]
  private let largest: Float
  /// The sum of exp(logit - largest).
  private let total: Float
  private let top: [Int32]

  /// - Parameters:
  ///   - logits: of every token, before anything was changed.
  ///   - top: how many of the most likely tokens are wanted.
  init(_ logits: UnsafeMutableBufferPointer<Float>, top: Int, kernels: Kernels) {
    self.logits = Array(logits)
    // Training's arithmetic, whose bits reinforcement learning compares. What is no number counts as impossible.
    var scratch = logits.map { $0.isNaN ? -.infinity : $0 }
    (largest, total) = scratch.withUnsafeMutableBufferPointer {
      let best = kernels.argmax(UnsafeBufferPointer($0))
      return ($0.indices.contains(best) ? $0[best] : 0, kernels.exponentialSum($0))
    }
    self.top = top == 0 ? [] : Sampler.largest(top, of: logits)
  }

  func of(_ token: Int32) -> TokenLogProbabilities {
    func value(_ id: Int32) -> Double { logProbability(margin: largest - logits[Int(id)], total: total) }
    return TokenLogProbabilities(chosen: value(token), top: top.map { .init(id: $0, logProbability: value($0)) })
  }
}
