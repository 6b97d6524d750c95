import Foundation
import SwiftletCheckpoints
import SwiftletGeneration
import SwiftletJSON
import SwiftletModels
import SwiftletTensors
import SwiftletTraining
import Testing

/// Times rollouts of the model of `StepBenchmark`, 64 answers of 128 tokens to prompts of 16, beside the engine with the same weights in a
/// file of BF16; and what attention by the way of generation costs a training step. Run by hand:
/// `SWIFTLET_ROLLOUT_BENCHMARK=bfloat16 swift test … --filter RolloutBenchmark` (or `float32`).
@Suite(.enabled(if: ProcessInfo.processInfo.environment["SWIFTLET_ROLLOUT_BENCHMARK"] != nil)) struct RolloutBenchmark {
  private static let sequences = 64, promptLength = 16, tokens = 128, rounds = 5

  private func model() throws -> (TrainableModel, Tape) {
    let name = ProcessInfo.processInfo.environment["SWIFTLET_ROLLOUT_BENCHMARK"] ?? ""
    let configuration = try ModelConfiguration(
      json: JSONValue(parsing: Array(StepBenchmark.configuration.utf8)), source: "configuration")
    let tape = Tape(compute: Compute(threadCount: 2), precision: ProductPrecision(rawValue: name) ?? .bfloat16)
    tape.matchesGeneration = true
    return (TrainableModel(configuration, deviation: 0.02, seed: 1), tape)
  }

  @Test func rollouts() async throws {
    let (model, tape) = try model(), folder = FileManager.default.temporaryDirectory.path + "/rollout-benchmark"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try model.parameters.save(to: folder + "/model.safetensors", as: .bfloat16)
    let stored = try Engine(
      decoder: Decoder(model.configuration, weights: .safetensors(SafetensorsFolder(path: folder))), tokenizer: nil,
      endTokens: [],
      threadCount: 2)
    let engine = try RolloutEngine(model, tape: tape, endTokens: [], maximumSequences: Self.sequences)
    var prompts: [[Int32]] = []
    for first in 0..<Self.sequences { prompts.append((0..<Self.promptLength).map { Int32(($0 * 31 + first * 17) % 512) }) }
    for round in 0..<Self.rounds {
      var start = ContinuousClock.now
      let rollouts = try await engine.generate(
        prompts: prompts, samples: 1, step: round, RolloutOptions(maximumTokens: Self.tokens))
      let matching = ContinuousClock.now - start
      start = .now
      let streams = try prompts.map { prompt in
        try stored.generate(
          GenerationRequest(
            prompt: prompt,
            options: GenerationOptions(
              temperature: 1, topP: 1, seed: UInt64(round), maximumResponseTokens: Self.tokens, drafting: .none)))
      }
      for stream in streams { for try await _ in stream {} }
      let file = ContinuousClock.now - start
      start = .now
      try engine.update()
      let update = ContinuousClock.now - start
      start = .now
      let values = model.logProbabilities(of: TrainingBatch(rollouts, prompts: prompts), tape: tape)
      let trained = ContinuousClock.now - start
      #expect(values.filter { $0 != 0 }.map(\.bitPattern) == rollouts.flatMap(\.logProbabilities).map(\.bitPattern))
      let count = Double(Self.sequences * Self.tokens)
      print(
        "round \(round): \(Int(count / seconds(matching))) tokens/s, from a file \(Int(count / seconds(file))); update "
          + "\(seconds(update)) s, log-probabilities on the tape \(seconds(trained)) s")
    }
  }

  @Test func steps() throws {
    let (model, tape) = try model()
    for (count, length) in [(57, 144), (16, 512)] {
      let tokens = (0..<count * length).map { ($0 * $0 * 31 + $0 * 17) % 510 + 2 }
      let documents = (0..<count).map { $0 * length..<($0 + 1) * length }
      let batch = TrainingBatch(tokens: tokens, targets: tokens.dropFirst() + [-1], documents: documents)
      var times: [Bool: [Double]] = [:]
      for round in 0..<2 * Self.rounds {
        tape.matchesGeneration = round % 2 == 0
        let start = ContinuousClock.now
        _ = model.loss(batch, tape: tape)
        times[tape.matchesGeneration, default: []].append(seconds(ContinuousClock.now - start))
      }
      print("\(count) sequences of \(length): \(times.mapValues { $0.min() ?? 0 }) s by whether generation is matched")
    }
  }

  private func seconds(_ duration: Duration) -> Double { duration / .seconds(1) }
}
