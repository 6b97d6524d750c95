import SwiftletTensors
import Testing

/// Frozen weights: products from what is stored, and no gradients.
@Suite struct FrozenWeightTests {
  /// A matrix in a stored type, and its values.
  private func weights(_ type: ElementType, rows: Int, columns: Int, seed: UInt64) -> (stored: Tensor, floats: Tensor) {
    var numbers = FiniteDifferenceTests.Numbers(seed: seed)
    let values = numbers.array(rows * columns)
    guard type != .float32 else {
      let tensor = Tensor(values, shape: Shape(rows, columns))
      return (tensor, tensor)
    }
    let stored = Tensor(
      storage: Storage(byteCount: type.byteCount(of: values.count) ?? 0), byteOffset: 0, shape: Shape(rows, columns), type: type)
    #expect(Kernels.best.quantize(values, count: values.count, to: type, into: stored.address))
    return (stored, Tensor(stored.floatArray(), shape: stored.shape))
  }

  /// The bits are those of the expanded weights, for all products and for whole rows.
  @Test(arguments: [ElementType.float32, .bfloat16, .float16, .q4_1, .q8_0, .q6_K], [ProductPrecision.float32, .bfloat16])
  func haveTheBitsOfExpandedOnes(_ type: ElementType, precision: ProductPrecision) throws {
    let rows = 150, hidden = 256
    let first = weights(type, rows: 100, columns: hidden, seed: 1), second = weights(type, rows: 45, columns: hidden, seed: 2)
    let down = weights(type, rows: hidden, columns: 256, seed: 3), gate = weights(type, rows: 256, columns: hidden, seed: 4)
    var numbers = FiniteDifferenceTests.Numbers(seed: 9)
    let input = numbers.array(rows * hidden), norm = Tensor(numbers.array(hidden), shape: [hidden])
    func run(_ isFrozen: Bool) -> [[UInt32]] {
      func parameter(_ weights: (stored: Tensor, floats: Tensor)) -> Parameter {
        if isFrozen { return Parameter(name: "w", frozen: weights.stored) }
        let parameter = Parameter(name: "w", value: weights.floats)
        parameter.isTrainable = false
        return parameter
      }
      let tape = Tape(compute: Compute(threadCount: 2), precision: precision)
      let x = tape.constant(input, shape: Shape(rows, hidden)), size = Parameter(name: "norm", value: norm)
      size.isTrainable = false
      let normed = tape.rmsNorm(x, size, epsilon: 1e-6)
      let parts = tape.linear(normed, LinearWeights([parameter(first), parameter(second)]))
      let weights = FeedForwardWeights(
        gateUp: LinearWeights([parameter(gate), parameter(gate)]), down: LinearWeights(parameter(down)))
      let fed = tape.feedForward(normed, weights), embedded = tape.embedding(parameter(first), [3, 99, 0])
      let joined = tape.join(parts + [fed])
      let loss = tape.crossEntropy(
        tape.rmsNorm(joined, size, epsilon: 1e-6), LinearWeights(parameter(second)), targets: (0..<rows).map { $0 % 45 }, scale: 1
      )
      let outputs = tape.array(joined) + tape.array(embedded) + [Float(loss)]
      tape.backward(from: joined, gradient: numbers.array(joined.shape.count))
      return [outputs, tape.gradientArray(x) ?? [], size.gradient.floatArray()].map { $0.map(\.bitPattern) }
    }
    let (before, frozen) = (numbers, run(true))
    numbers = before
    let expanded = run(false)
    #expect(frozen == expanded)
    // The norm gathered nothing.
    #expect(frozen[2].allSatisfy { $0 == 0 } && frozen[1].contains { $0 != 0 })
  }

  /// Of a feed-forward layer only what is trained gathers gradients.
  @Test func partsOfFeedForwardsAreFrozenApart() {
    for trained in 0..<3 {
      var numbers = FiniteDifferenceTests.Numbers(seed: 5)
      let parameters = [[24, 16], [24, 16], [16, 24]].map { shape in
        Parameter(name: "w", value: Tensor(numbers.array(shape[0] * shape[1]), shape: Shape(shape)))
      }
      for (index, parameter) in parameters.enumerated() { parameter.isTrainable = index == trained }
      let tape = Tape(compute: Compute(threadCount: 2), precision: .float32)
      let weights = FeedForwardWeights(gateUp: LinearWeights(Array(parameters[..<2])), down: LinearWeights(parameters[2]))
      let output = tape.feedForward(tape.constant(numbers.array(20 * 16), shape: [20, 16]), weights)
      tape.backward(from: output, gradient: numbers.array(20 * 16))
      for (index, parameter) in parameters.enumerated() {
        #expect(parameter.gradient.floatArray().contains { $0 != 0 } == (index == trained))
      }
    }
  }
}
