internal import Foundation
public import SwiftletModels
public import SwiftletTensors

/// Speeds of a model on this machine. Tokens are arbitrary: speed does not depend on them, but for which experts they choose.
public struct Benchmark: Sendable {
  public struct Batch: Sendable {
    public var sequences: Int
    /// Of all sequences together.
    public var decodeTokensPerSecond: Double
  }

  /// Prompt and generated tokens of each sequence when several are decoded together.
  public static let batchPromptTokens = 64, batchGeneratedTokens = 32

  public var prefillTokensPerSecond: Double
  public var decodeTokensPerSecond: Double
  public var batches: [Batch]

  /// - Parameters:
  ///   - promptTokens: computed in one piece, on an empty cache.
  ///   - generatedTokens: decoded one by one.
  ///   - depth: positions in the cache before them. Of more than 64, the first 64 are computed and then repeated.
  ///   - batches: numbers of sequences to decode together.
  ///   - repetitions: each measurement's; the median is reported.
  /// - Throws: `GenerationError` for numbers out of range; `CheckpointError` when a file of weights was cut or written to meanwhile.
  public init(
    _ decoder: Decoder, promptTokens: Int, generatedTokens: Int, depth: Int = 1, batches: [Int], repetitions: Int,
    compute: Compute
  ) throws {
    let contextLength = decoder.configuration.contextLength
    for (name, value) in [
      ("prompt", promptTokens), ("generate", generatedTokens), ("depth", depth), ("repetitions", repetitions),
    ]
      + batches.map({ ("batch", $0) })
    {
      guard value >= 1 else { throw GenerationError.invalidOption(name: name, reason: "found \(value), expected at least 1") }
    }
    // At least one position stands before the generated tokens.
    for (name, value, most, others) in [
      ("prompt", promptTokens, contextLength, ""), ("generate", generatedTokens, contextLength - 1, ", one of them before those"),
      ("depth", depth, contextLength - generatedTokens, ", \(generatedTokens) of them for generated ones"),
    ] where value > most {
      throw GenerationError.invalidOption(
        name: name, reason: "found \(value), expected at most \(most): the context holds \(contextLength) tokens\(others)")
    }
    // Pages of the mapped weights come in, and threads start, before anything is timed.
    _ = Self.prefill(decoder, sequences: 1, tokens: min(32, promptTokens), compute)
    prefillTokensPerSecond = Self.median(repetitions) {
      let start = ContinuousClock.now
      _ = Self.prefill(decoder, sequences: 1, tokens: promptTokens, compute)
      return Double(promptTokens) / ContinuousClock.now.secondsSince(start)
    }
    decodeTokensPerSecond = Self.median(repetitions) {
      Self.decodeSpeed(decoder, sequences: 1, promptTokens: depth, tokens: generatedTokens, compute)
    }
    self.batches = batches.map { sequences in
      let speed = Self.median(repetitions) {
        Self.decodeSpeed(
          decoder, sequences: sequences, promptTokens: Self.batchPromptTokens, tokens: Self.batchGeneratedTokens, compute)
      }
      return Batch(sequences: sequences, decodeTokensPerSecond: speed)
    }
    try decoder.checkWeights()
  }

  /// An arbitrary token.
  public static func token(_ sequence: Int, _ position: Int, _ decoder: Decoder) -> Int {
    (sequence * 7919 + position * 104_729 + 17) % decoder.configuration.vocabularySize
  }

  /// In chunks of 512, as the engine computes prompts.
  private static func prefill(_ decoder: Decoder, sequences: Int, tokens: Int, _ compute: Compute) -> [KeyValueCache] {
    (0..<sequences).map { sequence in
      let cache = decoder.makeCache(capacity: decoder.configuration.contextLength)
      for start in stride(from: 0, to: tokens, by: 512) {
        let chunk = (start..<min(start + 512, tokens)).map { token(sequence, $0, decoder) }
        let output: Decoder.Input.Output = start + chunk.count == tokens ? .last : .none
        _ = decoder.forward([.init(tokens: chunk, cache: cache, output: output)], role: .prompt, compute: compute)
      }
      return cache
    }
  }

  private static func decodeSpeed(
    _ decoder: Decoder, sequences: Int, promptTokens: Int, tokens: Int, _ compute: Compute
  ) -> Double {
    let caches = prefill(decoder, sequences: sequences, tokens: min(promptTokens, batchPromptTokens), compute)
    for cache in caches where promptTokens > batchPromptTokens { cache.repeatBlocks(until: promptTokens) }
    let start = ContinuousClock.now
    for position in 0..<tokens {
      let inputs = caches.enumerated().map { sequence, cache in
        Decoder.Input(tokens: [token(sequence, promptTokens + position, decoder)], cache: cache, output: .last)
      }
      _ = decoder.forward(inputs, role: .generated, compute: compute)
    }
    return Double(sequences * tokens) / ContinuousClock.now.secondsSince(start)
  }

  private static func median(_ count: Int, _ measure: () -> Double) -> Double {
    median((0..<count).map { _ in measure() })
  }

  /// - Parameter values: one at least.
  static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted(), middle = values.count / 2
    return values.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}
