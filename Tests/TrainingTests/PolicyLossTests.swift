import Foundation
import SwiftletCheckpoints
import SwiftletJSON
import SwiftletTensors
import Testing

@testable import SwiftletTraining

/// The loss of a policy and advantages against TRL's (make_policy_fixture.py) and against differences.
@Suite struct PolicyLossTests {
  private let file: SafetensorsFile
  private let facts: JSONValue

  init() throws {
    let folder = Fixture.folder.appendingPathComponent("Fixtures")
    file = try SafetensorsFile(path: folder.appendingPathComponent("policy.safetensors").path)
    facts = try JSONValue(parsing: Array(Data(contentsOf: folder.appendingPathComponent("policy.json"))))
  }

  private func tensor(_ name: String) throws -> Tensor { try #require(file.tensors.first { $0.name == name }?.tensor) }

  private func floats(_ name: String) throws -> [Float] { try tensor(name).floatArray() }

  private func expectClose(_ found: [Float], _ expected: [Float], _ name: String) {
    let largest = expected.map(abs).max() ?? 0
    #expect(found.count == expected.count)
    for (index, (found, expected)) in zip(found, expected).enumerated() {
      #expect(abs(found - expected) <= 1e-5 * largest, "\(name)[\(index)]: \(found), expected \(expected)")
    }
  }

  @Test(arguments: ["grpo", "grpo-divergence", "bnpo", "dapo", "dapo-divergence", "dr_grpo", "dr_grpo-divergence"])
  func lossAndGradientsAreThoseOfTRL(_ name: String) throws {
    let facts = try #require(self.facts["cases"]?[name]), hidden = try tensor("hidden")
    let head = Parameter(name: "head", value: Tensor(try floats("head"), shape: tensor("head").shape))
    let answers = hidden.shape.array[0], tokens = hidden.shape.array[1], rows = answers * tokens
    let mask = try #require(try file.integers(named: "mask")), targets = try #require(try file.integers(named: "targets"))
    let values = try floats("advantages")
    let lengths = (0..<answers).map { answer in mask[answer * tokens..<(answer + 1) * tokens].reduce(0, +) }
    let normalization: PolicyNormalization =
      switch facts["loss_type"]?.string {
      case "grpo": .answers
      case "dr_grpo": .constant
      default: .tokens
      }
    let weights = normalization.weights(lengths: lengths, maximumTokens: try #require(self.facts["longest"]?.integer))
    func spread(_ values: [Float]) -> [Float] { (0..<rows).map { values[$0 / tokens] } }
    let beta = Float(facts["beta"]?.double ?? 0), low = Float(facts["low"]?.double ?? 0.2)
    let policy = PolicyRows(
      targets: (0..<rows).map { mask[$0] == 1 ? targets[$0] : -1 }, oldLogProbabilities: try floats("old"),
      referenceLogProbabilities: beta > 0 ? try floats("reference") : nil, advantages: spread(values), weights: spread(weights))
    let tape = Tape(compute: Compute(threadCount: 2), precision: .float32)
    let x = Parameter(name: "hidden", value: Tensor(hidden.floatArray(), shape: [rows, hidden.shape.array[2]]))
    let result = tape.policyLoss(
      tape.embedding(x, Array(0..<rows)), LinearWeights(head), policy,
      PolicyLossOptions(clipLow: low, clipHigh: Float(facts["high"]?.double ?? Double(low)), beta: beta))
    tape.backward()
    let loss = try #require(facts["loss"]?.double), count = Double(result.tokenCount)
    #expect(abs(result.loss - loss) < 1e-5 * abs(loss), "\(result.loss), expected \(loss)")
    #expect(result.tokenCount == lengths.reduce(0, +))
    let sums: [(Double, String)] = [
      (result.entropySum, "entropy"), (result.divergenceSum, "divergence"), (Double(result.clippedLowCount), "clipped_low"),
      (Double(result.clippedHighCount), "clipped_high"),
    ]
    for (sum, key) in sums {
      guard let expected = facts[key]?.double else { continue }
      let mean = sum / count
      #expect(abs(mean - expected) < 1e-5 * max(expected, 1e-3), "\(key): \(mean), expected \(expected)")
    }
    expectClose(x.gradient.floatArray(), try floats("\(name).hidden"), "hidden")
    expectClose(head.gradient.floatArray(), try floats("\(name).head"), "head")
  }

  @Test(arguments: [2, 4]) func advantagesAreThoseOfTRL(_ group: Int) throws {
    let rewards = try floats("rewards").map(Double.init)
    for (name, rule) in [("group", AdvantageRule.group), ("batch", .batch), ("none", .mean)] {
      let groups = stride(from: 0, to: rewards.count, by: group).map { Array(rewards[$0..<$0 + group]) }
      expectClose(rule.advantages(groups).flatMap { $0 }, try floats("advantages.\(group).\(name)"), name)
    }
  }

  /// Ratios inside and outside of the bounds, on both sides, with a reference.
  @Test func gradientsAreThoseOfDifferences() {
    let trial = FiniteDifferenceTests.Trial(seed: 3), x = trial.parameter([12, 9]), head = trial.parameter([37, 9])
    let targets = (0..<12).map { $0 % 5 == 4 ? -1 : $0 * 7 % 37 }
    trial.tape.recordsGradients = false
    let now = trial.tape.logProbabilities(trial.value(x), LinearWeights(head), targets: targets).map { Float($0) }
    trial.tape.reset()
    trial.tape.recordsGradients = true
    let rows = PolicyRows(
      targets: targets, oldLogProbabilities: now.enumerated().map { $1 + [0.05, -0.1, 0.6, -0.7][$0 % 4] },
      referenceLogProbabilities: now.enumerated().map { $1 + [0.3, -0.2, 0.1][$0 % 3] },
      advantages: (0..<12).map { [1, -1.5, 0.5][$0 % 3] }, weights: (0..<12).map { 0.1 + 0.02 * Float($0) })
    trial.check(step: 2e-3) {
      (nil, trial.tape.policyLoss(trial.value(x), LinearWeights(head), rows, PolicyLossOptions(beta: 0.3)).loss)
    }
  }

  /// With the weights that sampled, the ratio is 1 to the last bit, and the gradient that of weighted log-likelihoods.
  @Test func firstRatioIsOne() {
    let trial = FiniteDifferenceTests.Trial(), x = trial.parameter([40, 16]), head = LinearWeights(trial.parameter([90, 16]))
    let targets = (0..<40).map { $0 % 7 == 0 ? -1 : $0 * 11 % 90 }
    let old = trial.tape.logProbabilities(trial.value(x), head, targets: targets).map { Float($0) }
    trial.tape.reset()
    let rows = PolicyRows(
      targets: targets, oldLogProbabilities: old, advantages: [Float](repeating: 1, count: 40),
      weights: [Float](repeating: 1, count: 40))
    let result = trial.tape.policyLoss(trial.value(x), head, rows, PolicyLossOptions())
    #expect(result.largestRatioDeviation == 0)
    #expect(result.loss == -Double(result.tokenCount))
  }
}
