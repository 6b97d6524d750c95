public import SwiftletTensors

/// Muon (Jordan 2024): a momentum of gradients, made orthogonal by Newton and Schulz's iteration. The step is scaled so that rates and
/// decay are those of AdamW (Liu et al. 2025, "Muon is Scalable for LLM Training").
public final class Muon {
  public struct Options: Sendable, Equatable {
    public var momentum: Float
    public var weightDecay: Float

    public init(momentum: Float = 0.95, weightDecay: Float = 0.1) {
      self.momentum = momentum
      self.weightDecay = weightDecay
    }
  }

  /// What a step's root mean square is: about AdamW's.
  private static let stepSize: Float = 0.2
  public var options: Options
  /// Matrices.
  public let parameters: [Parameter]
  /// Of the parameters' shapes, F32.
  public let momenta: [Tensor]
  private let iteration: NewtonSchulz

  /// - Parameter precision: of the iteration's products.
  public init(
    _ parameters: [Parameter], options: Options = Options(), precision: ProductPrecision = .float32, compute: Compute
  ) {
    self.parameters = parameters.filter(\.isTrainable)
    precondition(self.parameters.allSatisfy { $0.shape.rank == 2 }, "Muon is for matrices")
    self.options = options
    momenta = self.parameters.map { Tensor(zeros: $0.shape) }
    iteration = NewtonSchulz(
      compute: compute, precision: precision, largest: self.parameters.map(\.shape))
  }

  public func step(rate: Float, gradientScale: Float = 1, compute: Compute) {
    // A thread takes a whole matrix, the largest first.
    let order = parameters.indices.sorted { parameters[$0].shape.count > parameters[$1].shape.count }
    compute.pool.run(order.count) { index, thread in
      let parameter = parameters[order[index]], count = parameter.shape.count, rows = parameter.shape.rows
      let momentum = momenta[order[index]].floats, gradient = parameter.gradient.floats
      let update = iteration.matrix(thread)
      for i in 0..<count {
        let scaled = gradient[i] * gradientScale, next = options.momentum * momentum[i] + scaled
        momentum[i] = next
        update[i] = scaled + options.momentum * next
      }
      iteration.orthogonalize(rows: rows, columns: parameter.shape.columns, thread: thread)
      let decay = parameter.decays ? options.weightDecay : 0, value = parameter.value.floats
      let scale = rate * Self.stepSize * Float(max(rows, parameter.shape.columns)).squareRoot(), kept = 1 - rate * decay
      for i in 0..<count { value[i] = kept * value[i] - scale * update[i] }
    }
    for parameter in parameters { parameter.valueChanged() }
  }
}
