import SwiftletTensors
import Testing

/// Every operation's gradient against central differences, in F32.
@Suite struct FiniteDifferenceTests {
  /// Numbers of about -1...1 from a linear congruential generator.
  struct Numbers {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 2_654_435_761 &+ 12345 }

    mutating func next() -> Float {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(Int64(bitPattern: state) >> 40) / Float(1 << 23)
    }

    mutating func array(_ count: Int) -> [Float] { (0..<count).map { _ in next() } }
  }

  /// Parameters and what is computed from them.
  final class Trial {
    let tape = Tape(compute: Compute(threadCount: 2), precision: .float32)
    private(set) var parameters: [Parameter] = []
    private var numbers: Numbers

    init(seed: UInt64 = 1) { numbers = Numbers(seed: seed) }

    func parameter(_ shape: Shape, scale: Float = 1, around mean: Float = 0) -> Parameter {
      let values = numbers.array(shape.count).map { $0 * scale + mean }
      parameters.append(Parameter(name: "parameter \(parameters.count)", value: Tensor(values, shape: shape)))
      return parameters[parameters.count - 1]
    }

    /// A parameter's rows as a value.
    func value(_ parameter: Parameter) -> Value { tape.embedding(parameter, Array(0..<parameter.shape.rows)) }

    /// Compares the gradients of a weighted sum of what `body` computes, and of the loss it returns beside, with differences.
    func check(
      tolerance: Double = 3e-3, step: Float = 1e-2, samples: Int = 16, _ body: () -> (value: Value?, loss: Double)
    ) {
      var weights: [Float] = []
      func loss() -> Double {
        let (value, loss) = body()
        guard let value else { return loss }
        if weights.isEmpty { weights = numbers.array(value.shape.count) }
        return zip(tape.array(value), weights).reduce(loss) { $0 + Double($1.0) * Double($1.1) }
      }
      for parameter in parameters { parameter.gradient.floats.update(repeating: 0, count: parameter.shape.count) }
      let (value, _) = body()
      if let value {
        weights = numbers.array(value.shape.count)
        tape.backward(from: value, gradient: weights)
        tape.reset()
      } else {
        tape.backward()
      }
      let gradients = parameters.map { $0.gradient.floatArray() }
      tape.recordsGradients = false
      for (parameter, gradient) in zip(parameters, gradients) {
        let largest = Double(gradient.map(abs).max() ?? 0), count = parameter.shape.count
        #expect(largest > 0, "\(parameter.name) has no gradient")
        for sample in 0..<min(samples, count) {
          let index = sample * count / min(samples, count), original = parameter.value.floats[index]
          func moved(_ by: Float) -> Double {
            parameter.value.floats[index] = original + by
            parameter.valueChanged()
            defer { tape.reset() }
            return loss()
          }
          let difference = (moved(step) - moved(-step)) / Double((original + step) - (original - step))
          _ = moved(0)
          #expect(
            abs(difference - Double(gradient[index])) < tolerance * max(largest, 0.01),
            "\(parameter.name)[\(index)]: gradient \(gradient[index]), difference \(difference), largest \(largest)")
        }
      }
    }
  }

  @Test func linear() {
    let trial = Trial(), x = trial.parameter([37, 21])
    let weights = LinearWeights(
      [trial.parameter([17, 19]), trial.parameter([5, 19])], biases: [trial.parameter([17]), nil])
    trial.check { (trial.tape.join(trial.tape.linear(trial.value(x), weights)), 0) }
  }

  @Test func linearOfManyRows() {
    // More than one sum, and pieces of several rows of the target.
    let trial = Trial(), x = trial.parameter([1100, 24]), weights = LinearWeights(trial.parameter([300, 24]))
    trial.check(samples: 6) { (trial.tape.linear(trial.value(x), weights)[0], 0) }
  }

  @Test func rmsNorm() {
    let trial = Trial(), x = trial.parameter([150, 23]), weight = trial.parameter([19], around: 1)
    trial.check { (trial.tape.rmsNorm(trial.value(x), weight, epsilon: 1e-6), 0) }
  }

  @Test func sums() {
    let trial = Trial(), x = trial.parameter([9, 7]), y = trial.parameter([9, 7])
    trial.check {
      let first = trial.value(x)
      return (trial.tape.add(first, consuming: trial.tape.add(first, consuming: trial.value(y))), 0)
    }
  }

  @Test(arguments: [false, true]) func rotary(_ interleaved: Bool) {
    let trial = Trial(), x = trial.parameter([12, 3 * 11])
    var numbers = Numbers(seed: 5)
    let angles = numbers.array(7 * 4).map { $0 * 3 }
    let table = RotaryAngles(
      cosines: Tensor(angles.map { cosine($0) }, shape: [7, 4]), sines: Tensor(angles.map { sine($0) }, shape: [7, 4]))
    let positions = [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4]
    trial.check {
      let value = trial.value(x)
      trial.tape.rotate(
        value, headStride: 11, offset: 3, dimension: 8, angles: TapeAngles(table, positions: positions), interleaved: interleaved)
      return (value, 0)
    }
  }

  /// cos and sin to the tenth power, enough for angles that need only be the same in both tables.
  private func cosine(_ x: Float) -> Float { 1 - x * x / 2 + x * x * x * x / 24 }
  private func sine(_ x: Float) -> Float { x - x * x * x / 6 }

  /// Documents of one row, of less than a block, and of more than a chunk.
  @Test(arguments: [[5, 1, 70], [530]]) func groupedQueryAttention(_ documents: [Int]) {
    let rows = documents.reduce(0, +), trial = Trial()
    let queries = trial.parameter(Shape(rows, 4 * 6)), keys = trial.parameter(Shape(rows, 2 * 6))
    let values = trial.parameter(Shape(rows, 2 * 5))
    trial.check(samples: documents.count > 1 ? 24 : 5) {
      (
        trial.tape.attention(
          trial.value(queries), keys: HeadPart(trial.value(keys), headStride: 6, dimension: 6),
          values: HeadPart(trial.value(values), headStride: 5, dimension: 5), headCount: 4, keyHeadCount: 2,
          documents: Fixture.documents(documents), scale: 0.7), 0
      )
    }
  }

  @Test func latentAttention() {
    let trial = Trial(), queries = trial.parameter([80, 3 * 10]), up = trial.parameter([80, 3 * (6 + 5)])
    let down = trial.parameter([80, 13])
    trial.check {
      let up = trial.value(up)
      return (
        trial.tape.attention(
          trial.value(queries), keys: HeadPart(up, headStride: 11, dimension: 6),
          sharedKey: HeadPart(trial.value(down), offset: 9, headStride: 0, dimension: 4),
          values: HeadPart(up, offset: 6, headStride: 11, dimension: 5), headCount: 3, keyHeadCount: 3,
          documents: [0..<33, 33..<80], scale: 0.6), 0
      )
    }
  }

  @Test func feedForward() {
    let trial = Trial(), x = trial.parameter([70, 11])
    let weights = FeedForwardWeights(
      gateUp: LinearWeights([trial.parameter([13, 11]), trial.parameter([13, 11])], biases: [trial.parameter([13]), nil]),
      down: LinearWeights(trial.parameter([11, 13]), bias: trial.parameter([11])))
    trial.check { (trial.tape.feedForward(trial.value(x), weights), 0) }
  }

  static let rules = [
    RoutingRule(
      scoring: .softmax, expertCount: 8, expertsPerToken: 3, groupCount: 4, chosenGroupCount: 2, normalizesWeights: false,
      weightScale: 4),
    RoutingRule(
      scoring: .softmax, expertCount: 8, expertsPerToken: 2, groupCount: 1, chosenGroupCount: 1, normalizesWeights: true,
      weightScale: 1),
    RoutingRule(
      scoring: .sigmoid, expertCount: 8, expertsPerToken: 3, groupCount: 4, chosenGroupCount: 2, normalizesWeights: true,
      weightScale: 2.5),
    RoutingRule(
      scoring: .sigmoid, expertCount: 8, expertsPerToken: 3, groupCount: 1, chosenGroupCount: 1, normalizesWeights: false,
      weightScale: 1.5),
  ]

  /// Steps are small, lest one changes a choice.
  @Test(arguments: rules, [Float(0), 2]) func experts(_ rule: RoutingRule, balance: Float) {
    let trial = Trial(), x = trial.parameter([60, 9]), router = LinearWeights(trial.parameter([8, 9]))
    let experts = (0..<8).map { _ in
      FeedForwardWeights(
        gateUp: LinearWeights([trial.parameter([7, 9]), trial.parameter([7, 9])]), down: LinearWeights(trial.parameter([9, 7])))
    }
    let bias = Tensor((0..<8).map { Float($0 % 3) * 0.05 }, shape: [8])
    let sequences = balance == 0 ? nil : BalanceLoss(coefficient: balance, sequences: [0..<25, 25..<60])
    trial.check(tolerance: 2e-2, step: 5e-4, samples: 8) {
      let x = trial.value(x)
      let (routing, weights) = trial.tape.route(
        trial.tape.linear(x, router)[0], rule, bias: rule.scoring == .sigmoid ? bias : nil, balance: sequences)
      return (trial.tape.feedForward(x, experts, routing, weights: weights), routing.balanceLoss)
    }
  }

  @Test func swiglu() {
    let trial = Trial(), gate = trial.parameter([50, 13]), up = trial.parameter([50, 13])
    trial.check { (trial.tape.swiglu(trial.value(gate), trial.value(up)), 0) }
  }

  /// An adapter beside a product.
  @Test func scaledSums() {
    let trial = Trial(), x = trial.parameter([40, 12]), weight = LinearWeights(trial.parameter([9, 12]))
    let down = LinearWeights(trial.parameter([3, 12])), up = LinearWeights(trial.parameter([9, 3]))
    trial.check {
      let tape = trial.tape, x = trial.value(x), inner = tape.linear(x, down)[0]
      return (tape.add(consuming: tape.linear(x, weight)[0], tape.linear(inner, up)[0], scaledBy: -1.7), 0)
    }
  }

  @Test func crossEntropy() {
    let trial = Trial(), x = trial.parameter([40, 12]), head = LinearWeights(trial.parameter([77, 12]))
    let targets = (0..<40).map { $0 % 7 == 3 ? -1 : $0 * 5 % 77 }
    trial.check { (nil, trial.tape.crossEntropy(trial.value(x), head, targets: targets, scale: 0.3)) }
  }

  /// The head's chunks of tokens: a vocabulary of which few rows fit one.
  @Test func crossEntropyOfManyChunks() {
    let trial = Trial(), x = trial.parameter([100, 4]), head = LinearWeights(trial.parameter([90_000, 4]))
    let targets = (0..<100).map { $0 * 811 % 90_000 }
    trial.check(samples: 3) { (nil, trial.tape.crossEntropy(trial.value(x), head, targets: targets, scale: 1)) }
  }

  /// A tied embedding gets both gradients.
  @Test func recomputedPartOfTiedModel() {
    for recomputes in [false, true] {
      let trial = Trial(), embedding = trial.parameter([30, 8]), weight = LinearWeights(trial.parameter([8, 8]))
      let norm = trial.parameter([8], around: 1), head = LinearWeights(embedding), tokens = (0..<50).map { $0 * 7 % 30 }
      trial.tape.recomputesActivations = recomputes
      trial.check {
        var x = trial.tape.embedding(embedding, tokens)
        for _ in 0..<2 {
          x = trial.tape.recomputing(x) { tape, x in
            tape.add(x, consuming: tape.linear(tape.rmsNorm(x, norm, epsilon: 1e-6), weight)[0])
          }
        }
        return (nil, trial.tape.crossEntropy(x, head, targets: tokens.map { ($0 + 3) % 30 }, scale: 1))
      }
    }
  }

  /// After the first step nothing is allocated any more.
  @Test func memoryIsUsedAgain() throws {
    let fixture = try Fixture("deepseek-v3-next-token"), model = try fixture.model()
    let tape = Tape(compute: Compute(threadCount: 2), precision: .bfloat16)
    _ = model.loss(fixture.batch, fixture.options, tape: tape)
    let bytes = tape.byteCount
    for step in 1..<4 { _ = model.loss(fixture.batch(step: step), fixture.options, tape: tape) }
    #expect(tape.byteCount == bytes)
  }
}
