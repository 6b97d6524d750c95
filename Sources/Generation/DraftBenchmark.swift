/// What guessing the next tokens gains on this machine: the same greedy continuation with and without, by turns.
public struct DraftBenchmark: Sendable {
  /// Of one continuation.
  public var counts: DraftCounts
  public var decodeTokensPerSecond: Double
  public var plainDecodeTokensPerSecond: Double
  /// The speed with guesses divided by that without, the median of all turns.
  public var gain: Double

  /// - Parameters:
  ///   - prompt: what is continued.
  ///   - generatedTokens: the tokens of a continuation.
  ///   - repetitions: turns; medians are reported.
  /// - Throws: `GenerationError`, among others when the checkpoint cannot draft in this way; `CheckpointError` for broken weights.
  public init(
    _ engine: Engine, prompt: [Int32], generatedTokens: Int, drafting: Drafting, maximumDraftTokens: Int, repetitions: Int
  ) async throws {
    var options = GenerationOptions.greedy
    options.ignoresEnd = true
    options.maximumResponseTokens = generatedTokens
    options.maximumDraftTokens = maximumDraftTokens
    func run(_ drafting: Drafting) async throws -> GenerationSummary? {
      options.drafting = drafting
      var summary: GenerationSummary?
      for try await event in try engine.generate(GenerationRequest(prompt: prompt, options: options)) {
        if case .finished(let last) = event { summary = last }
      }
      return summary
    }
    // The prompt's cache and the weights' pages, before anything is timed.
    _ = try await run(drafting)
    var with: [Double] = [], without: [Double] = [], counts = DraftCounts(drafting: drafting)
    for _ in 0..<max(1, repetitions) {
      without.append(try await run(.none)?.decodeTokensPerSecond ?? 0)
      let drafted = try await run(drafting)
      with.append(drafted?.decodeTokensPerSecond ?? 0)
      if let found = drafted?.drafts { counts = found }
    }
    self.counts = counts
    decodeTokensPerSecond = Benchmark.median(with)
    plainDecodeTokensPerSecond = Benchmark.median(without)
    gain = Benchmark.median(zip(with, without).map { $1 > 0 ? $0 / $1 : 0 })
  }
}
