import Foundation
import SwiftletJSON
import SwiftletTensors
import SwiftletTraining
import Testing

/// Ten steps against torch's: clipping, AdamW, Muon, the rule for the routing bias.
@Suite struct OptimizerTests {
  static let rate: Float = 1e-3

  @Test(arguments: ["llama-gqa-tied", "qwen2-untied", "deepseek-v2", "deepseek-v3-next-token"]) func adamWEqualsTorch(
    _ name: String
  ) throws {
    let fixture = try Fixture(name), model = try fixture.model(), compute = Compute(threadCount: 2)
    let optimizer = AdamW(model.parameters.parameters)
    try compare(fixture, model, compute, fixture.losses("adamw")) {
      optimizer.step(rate: Self.rate, gradientScale: $0, compute: compute)
    }
  }

  @Test func muonEqualsTorch() throws {
    let fixture = try Fixture("llama-gqa-tied"), model = try fixture.model(), compute = Compute(threadCount: 2)
    let matrices = model.parameters.parameters.filter(\.isHiddenMatrix)
    let muon = Muon(matrices, compute: compute), adamW = AdamW(model.parameters.parameters.filter { !$0.isHiddenMatrix })
    #expect(!matrices.isEmpty)
    try compare(fixture, model, compute, fixture.losses("muon")) {
      muon.step(rate: Self.rate, gradientScale: $0, compute: compute)
      adamW.step(rate: Self.rate, gradientScale: $0, compute: compute)
    }
  }

  private func compare(
    _ fixture: Fixture, _ model: TrainableModel, _ compute: Compute, _ expected: [Double], _ step: (Float) -> Void
  ) throws {
    let tape = Tape(compute: compute, precision: .float32)
    let trained = model.parameters.parameters.filter(\.isTrainable), norm = GradientNorm(trained)
    #expect(expected.count == 10)
    for (index, expected) in expected.enumerated() {
      model.parameters.clearGradients(compute)
      let loss = model.loss(fixture.batch(step: index), fixture.options, tape: tape).total
      #expect(abs(loss - expected) < 1e-3 * expected, "\(fixture.name), step \(index): \(loss), expected \(expected)")
      step(GradientNorm.scale(norm: norm.norm(compute), limit: 1))
      RouterBiasRule(speed: 0.01).apply(to: model)
    }
  }

  @Test func decayIsForMatricesAlone() throws {
    let url = Fixture.folder.appendingPathComponent("Fixtures/decayed.json")
    let expected = try JSONValue(parsing: Array(Data(contentsOf: url)))
    let shapes: [(name: String, shape: [Int])] = [
      ("model.layers.0.mlp.up_proj.weight", [2, 3]), ("model.norm.weight", [3]), ("model.embed_tokens.weight", [3, 2]),
    ]
    let parameters = shapes.map { name, shape in
      let values = (0..<shape.reduce(1, *)).map { Float($0) / 4 - 0.5 }
      return Parameter(name: name, value: Tensor(values, shape: Shape(shape)))
    }
    let optimizer = AdamW(parameters, options: AdamW.Options(weightDecay: 0.5)), compute = Compute(threadCount: 2)
    for step in 0..<4 {
      for parameter in parameters {
        for index in 0..<parameter.shape.count { parameter.gradient.floats[index] = sin(Float(index + step)) }
      }
      optimizer.step(rate: 0.1, compute: compute)
    }
    for parameter in parameters {
      let values = expected[parameter.name]?.elements?.compactMap(\.double) ?? []
      #expect(values.count == parameter.shape.count)
      for (value, expected) in zip(parameter.value.floatArray(), values) {
        #expect(abs(Double(value) - expected) < 1e-5, "\(parameter.name)")
      }
    }
  }

  @Test func schedules() {
    let cosine = LearningRateSchedule(
      peak: 1, warmUpSteps: 4, decay: .cosine(from: 10, to: 20, final: 0.1), tail: (step: 30, rate: 0.05))
    #expect([0, 1, 3, 4, 10].map(cosine.rate(step:)) == [0.25, 0.5, 1, 1, 1])
    #expect(abs(cosine.rate(step: 15) - 0.55) < 1e-6)
    #expect([20, 29, 30, 99].map(cosine.rate(step:)) == [0.1, 0.1, 0.05, 0.05])
    let steps = LearningRateSchedule(
      peak: 2, decay: .multiStep([.init(step: 80, factor: 0.316), .init(step: 90, factor: 0.1)]))
    #expect([0, 79, 80, 89, 90].map(steps.rate(step:)) == [2, 2, 0.632, 0.632, 0.2])
  }
}
