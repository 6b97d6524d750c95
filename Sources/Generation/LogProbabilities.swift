internal import Foundation

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
  /// The logarithm of the sum of all exponentials.
  private let logSum: Double
  private let top: [Int32]

  /// - Parameters:
  ///   - logits: of every token, before anything was changed.
  ///   - top: how many of the most likely tokens are wanted.
  init(_ logits: UnsafeMutableBufferPointer<Float>, top: Int) {
    self.logits = Array(logits)
    let largest = Double(logits.reduce(-Float.infinity) { max($0, $1) })
    // In the order of the ids, so that the sum is always the same.
    logSum = largest + log(logits.reduce(0.0) { $1.isNaN ? $0 : $0 + exp(Double($1) - largest) })
    self.top = top == 0 ? [] : Sampler.largest(top, of: logits)
  }

  func of(_ token: Int32) -> TokenLogProbabilities {
    func value(_ id: Int32) -> Double { Double(logits[Int(id)]) - logSum }
    return TokenLogProbabilities(chosen: value(token), top: top.map { .init(id: $0, logProbability: value($0)) })
  }
}
