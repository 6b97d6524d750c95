import Foundation
import SwiftletTensors
import Testing

@testable import SwiftletTraining

/// Answers to one prompt that share its rows: losses and gradients are those of a prompt for each.
@Suite struct SharedPromptTests {
  private static func rollouts(_ prompts: [[Int32]], _ vocabulary: Int) -> [Rollout] {
    prompts.indices.flatMap { prompt in
      (0..<3).map { sample in
        // The second prompt has one answer alone, which shares nothing.
        let count = 1 + (prompt * 37 + sample * 53) % 90
        let tokens = (0..<count).map { Int32((3 * $0 * $0 + 11 * sample + 7 * prompt + $0) % vocabulary) }
        return Rollout(
          prompt: prompt, sample: sample, tokens: tokens, logProbabilities: tokens.map { _ in 0 }, finishReason: .stop)
      }.prefix(prompt == 1 ? 1 : 3)
    }
  }

  private static func gradients(_ name: String, threads: Int, sharesPrompts: Bool) throws -> (loss: Double, [(String, [Float])]) {
    let model = try Fixture(name).model(), tape = Tape(compute: Compute(threadCount: threads), precision: .float32)
    tape.matchesGeneration = true
    // One of a single token, of which nothing is left to share.
    let prompts = RolloutTests.prompts(model.configuration) + [[4]]
    let batch = TrainingBatch(
      rollouts(prompts, model.configuration.vocabularySize), prompts: prompts, sharesPrompts: sharesPrompts)
    model.parameters.clearGradients(tape.compute)
    let loss = model.loss(batch, tape: tape).total
    return (loss, model.parameters.parameters.filter(\.isTrainable).map { ($0.name, $0.gradient.floatArray()) })
  }

  @Test(arguments: RolloutTests.names) func givesTheSameGradients(_ name: String) throws {
    let whole = try Self.gradients(name, threads: 2, sharesPrompts: false)
    let shared = try Self.gradients(name, threads: 2, sharesPrompts: true)
    #expect(abs(whole.loss - shared.loss) <= 1e-6 * abs(whole.loss))
    for ((parameter, expected), (_, found)) in zip(whole.1, shared.1) {
      let largest = expected.reduce(0) { max($0, abs($1)) }
      let difference = zip(expected, found).reduce(0) { max($0, abs($1.0 - $1.1)) }
      #expect(difference <= 2e-5 * largest, "\(parameter): \(difference) of \(largest)")
    }
    let alone = try Self.gradients(name, threads: 1, sharesPrompts: true)
    #expect(alone.loss == shared.loss && zip(alone.1, shared.1).allSatisfy { $0.1 == $1.1 })
  }

  @Test func rowsAreThoseOfThePromptOnce() {
    let prompts: [[Int32]] = [[1, 2, 3], [4, 5]]
    func answer(_ prompt: Int, _ sample: Int, _ tokens: [Int32]) -> Rollout {
      Rollout(prompt: prompt, sample: sample, tokens: tokens, logProbabilities: tokens.map { _ in 0 }, finishReason: .stop)
    }
    let rollouts = [answer(0, 0, [7, 8]), answer(0, 1, [9]), answer(1, 0, [6, 6, 6])]
    let batch = TrainingBatch(rollouts, prompts: prompts, sharesPrompts: true)
    #expect(batch.tokens == [1, 2, 3, 7, 3, 4, 5, 6, 6])
    #expect(batch.targets == [-1, -1, 7, 8, 9, -1, 6, 6, 6])
    #expect(batch.documents == [0..<2, 2..<4, 4..<5, 5..<9])
    #expect(batch.prefixes == [0..<0, 0..<2, 0..<2, 0..<0])
    #expect(batch.answers == [2..<4, 4..<5, 5..<9])
    #expect(batch.sequences == [0..<5, 5..<9])
  }
}
