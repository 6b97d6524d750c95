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
  /// In the parameters' order.
  public let momenta: [MomentTensor]
  private let iteration: NewtonSchulz

  /// - Parameters:
  ///   - state: how the momentum is kept.
  ///   - precision: of the iteration's products.
  public init(
    _ parameters: [Parameter], options: Options = Options(), state: MomentFormat = .float32,
    precision: ProductPrecision = .float32,
    compute: Compute
  ) {
    self.parameters = parameters.filter(\.isTrainable)
    precondition(self.parameters.allSatisfy { $0.shape.rank == 2 }, "Muon is for matrices")
    self.options = options
    momenta = self.parameters.map { MomentTensor($0.shape, format: state, isSigned: true) }
    iteration = NewtonSchulz(
      compute: compute, precision: precision, largest: self.parameters.map(\.shape))
  }

  /// - Parameter resting: names of parameters that stay as they are, decay and momentum too.
  public func step(rate: Float, gradientScale: Float = 1, resting: Set<String> = [], compute: Compute) {
    // A thread takes a whole matrix, the largest first.
    let order = parameters.indices.filter { !resting.contains(parameters[$0].name) }.sorted {
      parameters[$0].shape.count > parameters[$1].shape.count
    }
    compute.pool.run(order.count) { index, thread in
      let parameter = parameters[order[index]], count = parameter.shape.count, rows = parameter.shape.rows
      let update = iteration.matrix(thread)
      gather(parameter.gradient.floats, gradientScale, momenta[order[index]], count: count, to: update, compute.kernels)
      iteration.orthogonalize(rows: rows, columns: parameter.shape.columns, thread: thread)
      let decay = parameter.decays ? options.weightDecay : 0, value = parameter.value.floats
      let scale = rate * Self.stepSize * Float(max(rows, parameter.shape.columns)).squareRoot(), kept = 1 - rate * decay
      for i in 0..<count { value[i] = kept * value[i] - scale * update[i] }
    }
    for parameter in parameters { parameter.valueChanged() }
  }
  /// Brings the momentum up to date, and puts what is to be made orthogonal (Nesterov's) into `update`.
  private func gather(
    _ gradient: UnsafePointer<Float>, _ scale: Float, _ moment: MomentTensor, count: Int, to update: UnsafeMutablePointer<Float>,
    _ kernels: Kernels
  ) {
    let size = MomentTensor.chunk
    withUnsafeTemporaryAllocation(of: Float.self, capacity: size) { memory in
      guard let momentum = memory.baseAddress else { return }
      for start in stride(from: 0, to: count, by: size) {
        let range = start..<min(count, start + size)
        moment.load(range, into: momentum, kernels: kernels)
        for i in 0..<range.count {
          let scaled = gradient[start + i] * scale
          momentum[i] = options.momentum * momentum[i] + scaled
          update[start + i] = scaled + options.momentum * momentum[i]
        }
        moment.store(momentum, range, kernels: kernels)
      }
    }
  }
}
