import SwiftletTensors
import SwiftletTraining
import Testing

/// Losses and gradients against torch's, in F32.
@Suite struct GradientTests {
  @Test(arguments: Fixture.names, [false, true]) func equalTorch(_ name: String, recomputes: Bool) throws {
    let fixture = try Fixture(name), model = try fixture.model()
    let tape = Tape(compute: Compute(threadCount: 2), precision: .float32)
    tape.recomputesActivations = recomputes
    let losses = model.loss(fixture.batch, fixture.options, tape: tape)
    for (key, found) in [
      ("cross_entropy", losses.crossEntropy), ("prediction", losses.prediction), ("balance", losses.balance),
    ] {
      let expected = fixture.facts["loss"]?[key]?.double ?? 0
      #expect(abs(found - expected) <= 1e-5 * abs(expected), "\(name): \(key) is \(found), expected \(expected)")
    }
    var compared = 0
    for (key, tensor) in fixture.gradients {
      let parameter = try #require(model.parameters[key], "\(key)"), expected = tensor.floatArray()
      let found = parameter.gradient.floatArray(), largest = expected.map(abs).max() ?? 0
      let difference = zip(found, expected).map { abs($0 - $1) }.max() ?? .infinity
      #expect(difference <= 1e-4 * largest, "\(name): \(key) differs by \(difference) of \(largest)")
      compared += 1
    }
    #expect(compared > 0)
    let norm = GradientNorm(model.parameters.parameters.filter(\.isTrainable)).norm(tape.compute)
    let expected = fixture.facts["gradient_norm"]?.double ?? 0
    #expect(abs(norm - expected) < 1e-4 * expected, "\(name): norm \(norm), expected \(expected)")
  }

  /// Several threads, recomputation, and a used tape give the same bits.
  @Test(arguments: Fixture.names, ProductPrecision.allCases) func areTheSameBits(_ name: String, _ precision: ProductPrecision) throws {
    let fixture = try Fixture(name)
    var first: [[UInt32]] = []
    for threads in [1, 2, 3] {
      let model = try fixture.model(), tape = Tape(compute: Compute(threadCount: threads), precision: precision)
      for recomputes in [false, true] {
        tape.recomputesActivations = recomputes
        model.parameters.clearGradients(tape.compute)
        _ = model.loss(fixture.batch, fixture.options, tape: tape)
        let bits = model.parameters.parameters.map { $0.gradient.floatArray().map(\.bitPattern) }
        if first.isEmpty { first = bits }
        for (parameter, (found, expected)) in zip(model.parameters.parameters, zip(bits, first)) where found != expected {
          Issue.record("\(name): \(parameter.name) differs with \(threads) threads, recomputing \(recomputes)")
        }
      }
    }
  }

  @Test(arguments: Fixture.names) func bfloat16IsNear(_ name: String) throws {
    let fixture = try Fixture(name)
    func norm(_ precision: ProductPrecision) throws -> (Double, Double) {
      let model = try fixture.model(), tape = Tape(compute: Compute(threadCount: 2), precision: precision)
      let loss = model.loss(fixture.batch, fixture.options, tape: tape).total
      return (loss, GradientNorm(model.parameters.parameters.filter(\.isTrainable)).norm(tape.compute))
    }
    let exact = try norm(.float32), rounded = try norm(.bfloat16)
    #expect(abs(exact.0 - rounded.0) < 0.005 * exact.0, "\(name): loss \(rounded.0), in F32 \(exact.0)")
    #expect(abs(exact.1 - rounded.1) < 0.1 * exact.1, "\(name): norm \(rounded.1), in F32 \(exact.1)")
  }
}
