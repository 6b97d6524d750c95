public import SwiftletConstraints

/// What keeping answers to a grammar costs on this machine: greedy answers with and without it, by turns, of as many tokens.
public struct ConstraintBenchmark: Sendable {
  /// Until the grammar was ready, the vocabulary's part included.
  public var preparationSeconds: Double
  /// Of one answer.
  public var tokens: Int
  public var decodeTokensPerSecond: Double
  public var plainDecodeTokensPerSecond: Double
  /// Of the first answer, for which everything about the grammar's places was found out.
  public var firstDecodeTokensPerSecond: Double
  /// How much longer a token took, as a share of its time without the grammar; the median of all turns.
  public var overhead: Double

  /// - Parameters:
  ///   - prompt: what is continued.
  ///   - generatedTokens: the most tokens of an answer.
  ///   - repetitions: turns; medians are reported.
  /// - Throws: `GenerationError`, among others when no answer that keeps to the grammar is so short.
  public init(
    _ engine: Engine, prompt: [Int32], generatedTokens: Int, constraint: Grammar, repetitions: Int
  ) async throws {
    func run(_ constraint: Grammar?, tokens: Int) async throws -> GenerationSummary? {
      var options = GenerationOptions.greedy
      options.ignoresEnd = true
      options.maximumResponseTokens = tokens
      options.drafting = .none
      options.constraint = constraint
      let request = GenerationRequest(prompt: prompt, options: options, splitsReasoning: false)
      var summary: GenerationSummary?
      for try await event in try engine.generate(request) {
        if case .finished(let last) = event { summary = last }
      }
      return summary
    }
    // The prompt's cache and the weights' pages, before anything is timed.
    _ = try await run(nil, tokens: generatedTokens)
    let start = ContinuousClock.now
    try engine.prepare(constraint)
    preparationSeconds = ContinuousClock.now.secondsSince(start)
    let first = try await run(constraint, tokens: generatedTokens)
    let tokens = first?.completionTokens ?? 0
    guard tokens >= 2 else {
      throw GenerationError.invalidOption(name: "json_schema", reason: "its answer has \(tokens) tokens, too few to be timed")
    }
    firstDecodeTokensPerSecond = first?.decodeTokensPerSecond ?? 0
    var with: [Double] = [], without: [Double] = []
    for _ in 0..<max(1, repetitions) {
      without.append(try await run(nil, tokens: tokens)?.decodeTokensPerSecond ?? 0)
      with.append(try await run(constraint, tokens: generatedTokens)?.decodeTokensPerSecond ?? 0)
    }
    self.tokens = tokens
    decodeTokensPerSecond = Benchmark.median(with)
    plainDecodeTokensPerSecond = Benchmark.median(without)
    overhead = Benchmark.median(zip(with, without).map { $0 > 0 ? $1 / $0 - 1 : 0 })
  }
}
