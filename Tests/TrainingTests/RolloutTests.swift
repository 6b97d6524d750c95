import SwiftletModels
import SwiftletTensors
import SwiftletTraining
import Testing

/// Generation from the weights of a model in training: its log-probabilities are those of the tape, bit for bit.
@Suite struct RolloutTests {
  static let names = [
    "llama-gqa-tied", "qwen2-untied", "llama-mlp-bias", "qwen2-yarn", "deepseek-v2-lite", "deepseek-v2", "deepseek-v3-plain",
    "deepseek-v3-next-token",
  ]
  static let precisions: [ProductPrecision] = [.float32, .bfloat16]
  static let end: Int32 = 3

  /// Of several lengths, two of them longer than a block of the cache, with a beginning in common.
  static func prompts(_ configuration: ModelConfiguration) -> [[Int32]] {
    let common = (0..<140).map { Int32((7 * $0 * $0 + 13 * $0 + 5) % configuration.vocabularySize) }
    return [[1, 5, 9], Array(common[..<70]), common, Array(common[20..<37])]
  }

  private func tape(_ precision: ProductPrecision, threads: Int, kernels: Kernels = .best) -> Tape {
    let tape = Tape(compute: Compute(threadCount: threads, kernels: kernels), precision: precision)
    tape.matchesGeneration = true
    return tape
  }

  /// Compares the log-probabilities of rollouts with the tape's; they are computed together on the tape and each alone.
  private func expectEqual(_ rollouts: [Rollout], _ prompts: [[Int32]], _ model: TrainableModel, _ tape: Tape, _ comment: String)
  {
    let sampled = rollouts.flatMap(\.logProbabilities)
    func trained(_ rollouts: [Rollout]) -> [Float] {
      let batch = TrainingBatch(rollouts, prompts: prompts), values = model.logProbabilities(of: batch, tape: tape)
      return batch.targets.indices.filter { batch.targets[$0] >= 0 }.map { values[$0] }
    }
    for (way, values) in [("together", trained(rollouts)), ("alone", rollouts.flatMap { trained([$0]) })] {
      let differing = zip(sampled, values).filter { $0.bitPattern != $1.bitPattern }
      let largest = differing.map { abs($0 - $1) }.max() ?? 0
      #expect(
        values.count == sampled.count && differing.isEmpty,
        "\(comment), \(way): \(differing.count) of \(sampled.count) differ, by up to \(largest)")
    }
    #expect(sampled.allSatisfy { $0 <= 0 && $0.isFinite })
  }

  @Test(arguments: names, precisions) func logProbabilitiesAreTheTapes(_ name: String, _ precision: ProductPrecision) async throws
  {
    var first: [Rollout]?
    for threads in [1, 2] {
      let model = try Fixture(name).model(), prompts = Self.prompts(model.configuration), tape = tape(precision, threads: threads)
      let engine = try RolloutEngine(model, tape: tape, endTokens: [Self.end], maximumSequences: 7)
      let rollouts = try await engine.generate(prompts: prompts, samples: 3, step: 1, RolloutOptions(maximumTokens: 90, seed: 7))
      #expect(rollouts.map(\.prompt) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
      #expect(rollouts.allSatisfy { $0.tokens.last == Self.end ? $0.finishReason == .stop : $0.tokens.count == 90 })
      expectEqual(rollouts, prompts, model, tape, "\(name), \(precision), \(threads) threads")
      #expect(first == nil || first == rollouts)
      first = rollouts
    }
  }
}
