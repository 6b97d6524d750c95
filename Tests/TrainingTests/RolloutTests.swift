import Foundation
import SwiftletConversion
import SwiftletModels
import SwiftletTensors
import Testing

@testable import SwiftletTraining

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

  /// Compares the log-probabilities of rollouts with the tape's; they are computed together on the tape, with the rows of a prompt once
  /// for all answers to it, and each alone.
  private func expectEqual(_ rollouts: [Rollout], _ prompts: [[Int32]], _ model: TrainableModel, _ tape: Tape, _ comment: String)
  {
    let sampled = rollouts.flatMap(\.logProbabilities)
    func trained(_ rollouts: [Rollout], sharesPrompts: Bool = false) -> [Float] {
      let batch = TrainingBatch(rollouts, prompts: prompts, sharesPrompts: sharesPrompts)
      let values = model.logProbabilities(of: batch, tape: tape)
      return batch.targets.indices.filter { batch.targets[$0] >= 0 }.map { values[$0] }
    }
    let ways = [
      ("together", trained(rollouts)), ("sharing prompts", trained(rollouts, sharesPrompts: true)),
      ("alone", rollouts.flatMap { trained([$0]) }),
    ]
    for (way, values) in ways {
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

  /// Of positions beyond the first segment of attention; and the plain tape, whose attention adds in another order, has other bits.
  @Test(arguments: ["llama-gqa-tied", "deepseek-v3-plain"], precisions) func longOnesToo(
    _ name: String, _ precision: ProductPrecision
  ) async throws {
    let model = try Fixture(name).model(), tape = tape(precision, threads: 2)
    let prompts = [(0..<330).map { Int32((5 * $0 * $0 + 3 * $0 + 1) % model.configuration.vocabularySize) }, [7, 8]]
    let engine = try RolloutEngine(model, tape: tape, endTokens: [])
    let rollouts = try await engine.generate(prompts: prompts, samples: 2, step: 0, RolloutOptions(maximumTokens: 150))
    expectEqual(rollouts, prompts, model, tape, "\(name), \(precision)")
    let batch = TrainingBatch(rollouts, prompts: prompts), matching = model.logProbabilities(of: batch, tape: tape)
    tape.matchesGeneration = false
    let plain = model.logProbabilities(of: batch, tape: tape)
    // In BF16 it also rounds queries, keys and values.
    let difference = zip(plain, matching).reduce(0) { $0 + abs($1.0 - $1.1) } / Float(batch.targetCount)
    #expect(plain != matching && difference < (precision == .float32 ? 1e-5 : 0.05), "\(difference)")
  }

  @Test(arguments: Kernels.available.map(\.name), ["qwen2-untied", "deepseek-v2", "deepseek-v3-plain"]) func withEveryVariant(
    _ variant: String, _ name: String
  ) async throws {
    let kernels = try #require(Kernels.available.first { $0.name == variant })
    for precision in Self.precisions {
      let model = try Fixture(name).model(), prompts = Self.prompts(model.configuration)
      let tape = tape(precision, threads: 2, kernels: kernels),
        engine = try RolloutEngine(model, tape: tape, endTokens: [Self.end])
      let rollouts = try await engine.generate(prompts: prompts, samples: 2, step: 0, RolloutOptions(maximumTokens: 40))
      expectEqual(rollouts, prompts, model, tape, "\(name), \(precision), \(variant)")
    }
  }

  @Test(arguments: ["llama-gqa-tied", "deepseek-v3-next-token"], precisions) func followTheWeights(
    _ name: String, _ precision: ProductPrecision
  ) async throws {
    let model = try Fixture(name).model(), prompts = Self.prompts(model.configuration), tape = tape(precision, threads: 2)
    let engine = try RolloutEngine(model, tape: tape, endTokens: [Self.end]), optimizer = AdamW(model.parameters.parameters)
    let options = RolloutOptions(maximumTokens: 30)
    for step in 0..<3 {
      let rollouts = try await engine.generate(prompts: prompts, samples: 2, step: step, options)
      expectEqual(rollouts, prompts, model, tape, "\(name), \(precision), step \(step)")
      model.parameters.clearGradients(tape.compute)
      _ = model.loss(TrainingBatch(rollouts, prompts: prompts), tape: tape)
      optimizer.step(rate: 1e-2, gradientScale: 1, compute: tape.compute)
      // Until it is told, the engine goes on with the weights it has.
      #expect(try await engine.generate(prompts: prompts, samples: 2, step: step, options) == rollouts)
      try engine.update()
      #expect(try await engine.generate(prompts: prompts, samples: 2, step: step, options) != rollouts)
    }
  }

  /// An answer does not depend on those beside it, and every step and sample has another.
  @Test func dependOnSeedStepAndSampleAlone() async throws {
    let model = try Fixture("deepseek-v2-lite").model(), prompts = Self.prompts(model.configuration)
    let tape = tape(.bfloat16, threads: 2), engine = try RolloutEngine(model, tape: tape, endTokens: [])
    func generate(_ prompts: [[Int32]], _ samples: Int, step: Int = 0, seed: UInt64 = 0) async throws -> [Rollout] {
      try await engine.generate(
        prompts: prompts, samples: samples, step: step, RolloutOptions(maximumTokens: 20, seed: seed))
    }
    let all = try await generate(prompts, 4)
    #expect(try await generate(Array(prompts[..<1]), 1) == Array(all[..<1]))
    let further = try await generate(prompts, 1, step: 1), seeded = try await generate(prompts, 1, seed: 1)
    #expect(Set((all + further + seeded).map(\.tokens)).count == 24)
  }

  /// Adapters beside frozen weights, of files in F32 and quantised.
  @Test(
    arguments: [
      "ModelsTests/Fixtures/checkpoints/qwen2-untied", "ModelsTests/Fixtures/checkpoints/deepseek-v2",
      "ModelsTests/Fixtures/gguf/llama-gqa-tied.gguf", "GenerationTests/Fixtures/quantized-llama.gguf",
      "GenerationTests/Fixtures/quantized-deepseek2.gguf",
    ], precisions)
  func withAdapters(_ path: String, _ precision: ProductPrecision) async throws {
    let base = try HubModel(path: Fixture.folder.deletingLastPathComponent().appendingPathComponent(path).path)
    let options = LowRankOptions(rank: 4, alpha: 8, targets: LowRankOptions.allowedTargets)
    let model = try TrainableModel(base, adapters: options, seed: 1), prompts = Self.prompts(model.configuration)
    var random = NormalGenerator(seed: 2)
    for parameter in model.parameters.saved {
      for index in 0..<parameter.shape.count { parameter.value.floats[index] += 0.05 * random.next() }
      parameter.valueChanged()
    }
    let tape = tape(precision, threads: 2), engine = try RolloutEngine(model, tape: tape, endTokens: [Self.end])
    let rollouts = try await engine.generate(prompts: prompts, samples: 2, step: 0, RolloutOptions(maximumTokens: 30))
    expectEqual(rollouts, prompts, model, tape, "\(path), \(precision)")
  }

  /// The way back, from what the way of generation computed.
  @Test(arguments: names, [false, true]) func gradientsEqualTorch(_ name: String, recomputes: Bool) throws {
    let fixture = try Fixture(name), model = try fixture.model(), tape = tape(.float32, threads: 2)
    tape.recomputesActivations = recomputes
    _ = model.loss(fixture.batch, fixture.options, tape: tape)
    #expect(!fixture.gradients.isEmpty)
    for (key, tensor) in fixture.gradients {
      let expected = tensor.floatArray(), found = model.parameters[key]?.gradient.floatArray() ?? []
      let difference = zip(found, expected).map { abs($0 - $1) }.max() ?? .infinity
      #expect(difference <= 1e-4 * (expected.map(abs).max() ?? 0), "\(name): \(key) differs by \(difference)")
    }
  }

  @Test func refusesFloat8() throws {
    let model = try Fixture("llama-gqa-tied").model()
    let error = try #require(throws: RolloutError.self) {
      _ = try RolloutEngine(model, tape: tape(.float8, threads: 1), endTokens: [])
    }
    #expect(error.description.contains("fp8"))
  }
}
