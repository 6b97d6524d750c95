internal import Foundation
public import SwiftletModels
public import SwiftletTensors

/// How well a model predicts a text, computed as llama.cpp's llama-perplexity does.
public struct Perplexity: Sendable {
  /// exp of the mean negative log-likelihood of the scored tokens.
  public var value: Double
  /// How many tokens were scored.
  public var scoredTokens: Int

  /// The text is cut into windows of `context` tokens, each computed alone; only tokens of its second half are scored. Where
  /// the model expects a beginning of sequence, that takes the place of each window's first token. What is left after the last
  /// whole window is not used.
  /// - Parameters:
  ///   - tokens: of the whole text.
  ///   - progress: called after each window with the windows done, all windows, and the perplexity so far.
  /// - Throws: `GenerationError.invalidOption` when the text has fewer than two windows;
  ///   `CheckpointError` when a file of weights was cut or written to meanwhile.
  public init(
    of tokens: [Int32], decoder: Decoder, beginningOfSequence: Int32?, context: Int, compute: Compute,
    progress: (Int, Int, Double) -> Void = { _, _, _ in }
  ) throws {
    guard context >= 4, context <= decoder.configuration.contextLength else {
      throw GenerationError.invalidOption(
        name: "context", reason: "found \(context), expected 4 to the model's \(decoder.configuration.contextLength)")
    }
    let windows = tokens.count / context
    guard windows >= 2 else {
      throw GenerationError.invalidOption(
        name: "text",
        reason:
          "found \(tokens.count) tokens, expected at least two windows of \(context); use a longer text or a smaller context")
    }
    var sum = 0.0, scored = 0
    for window in 0..<windows {
      var ids = tokens[window * context..<(window + 1) * context].map(Int.init)
      if let beginningOfSequence { ids[0] = Int(beginningOfSequence) }
      let cache = decoder.makeCache(capacity: context)
      let first = context / 2
      _ = decoder.forward([.init(tokens: Array(ids[..<first]), cache: cache, output: .none)], role: .prompt, compute: compute)
      let logits = decoder.forward(
        [.init(tokens: Array(ids[first...]), cache: cache, output: .all)], role: .prompt, compute: compute)
      try decoder.checkWeights()
      let size = logits.shape.columns
      var losses = [Double](repeating: 0, count: context - first - 1)
      losses.withUnsafeMutableBufferPointer { losses in
        compute.pool.run(losses.count) { row, _ in
          let values = UnsafeBufferPointer(start: logits.floats + row * size, count: size)
          losses[row] = Self.loss(values, of: ids[first + row + 1])
        }
      }
      sum += losses.reduce(0, +)
      scored += losses.count
      progress(window + 1, windows, exp(sum / Double(scored)))
    }
    value = exp(sum / Double(scored))
    scoredTokens = scored
  }

  /// The negative log-likelihood of a token under logits, in double precision.
  private static func loss(_ logits: UnsafeBufferPointer<Float>, of token: Int) -> Double {
    let largest = logits.max() ?? 0
    let sum = logits.reduce(0.0) { $0 + exp(Double($1 - largest)) }
    return log(sum) - Double(logits[token] - largest)
  }
}
