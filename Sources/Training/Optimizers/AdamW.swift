public import SwiftletTensors

/// AdamW (Loshchilov & Hutter 2019): decay apart from the gradient's step.
public final class AdamW {
  public struct Options: Sendable, Equatable {
    public var beta1: Float
    public var beta2: Float
    public var epsilon: Float
    /// Of parameters that decay; see `Parameter.decays`.
    public var weightDecay: Float

    /// DeepSeek-V3's are the defaults (report, section 4.2).
    public init(beta1: Float = 0.9, beta2: Float = 0.95, epsilon: Float = 1e-8, weightDecay: Float = 0.1) {
      self.beta1 = beta1
      self.beta2 = beta2
      self.epsilon = epsilon
      self.weightDecay = weightDecay
    }
  }

  public var options: Options
  public let parameters: [Parameter]
  /// Running means of gradients and of their squares, in the parameters' order.
  public let means: [MomentTensor]
  public let squares: [MomentTensor]
  /// Steps taken; to be set when a run goes on.
  public var stepCount = 0
  private let pieces: ParameterPieces

  /// - Parameter state: how the means are kept.
  public init(_ parameters: [Parameter], options: Options = Options(), state: MomentFormat = .float32) {
    self.parameters = parameters.filter(\.isTrainable)
    self.options = options
    means = self.parameters.map { MomentTensor($0.shape, format: state, isSigned: true) }
    squares = self.parameters.map { MomentTensor($0.shape, format: state, isSigned: false) }
    pieces = ParameterPieces(self.parameters)
  }

  /// - Parameters:
  ///   - rate: the learning rate of this step.
  ///   - gradientScale: gradients are multiplied with it first; see `GradientNorm.scale`.
  ///   - resting: names of parameters that stay as they are, decay and moments too.
  public func step(rate: Float, gradientScale: Float = 1, resting: Set<String> = [], compute: Compute) {
    stepCount += 1
    let count = stepCount
    compute.pool.run(pieces.pieces.count) { index, _ in
      let piece = pieces.pieces[index], parameter = parameters[piece.parameter]
      guard !resting.contains(parameter.name) else { return }
      let step = AdamWStep(
        gradientScale: gradientScale, rate: rate, beta1: options.beta1, beta2: options.beta2, epsilon: options.epsilon,
        decay: parameter.decays ? options.weightDecay : 0, step: count)
      update(parameter, means[piece.parameter], squares[piece.parameter], piece.range, step, compute.kernels)
    }
    for parameter in parameters { parameter.valueChanged() }
  }

  private func update(
    _ parameter: Parameter, _ mean: MomentTensor, _ square: MomentTensor, _ range: Range<Int>, _ step: AdamWStep,
    _ kernels: Kernels
  ) {
    let values = parameter.value.floats, gradients = parameter.gradient.floats
    if let means = mean.floats, let squares = square.floats {
      let start = range.lowerBound
      kernels.adamW(values + start, gradients + start, means + start, squares + start, count: range.count, step)
      return
    }
    let size = MomentTensor.chunk
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * size) { memory in
      guard let means = memory.baseAddress else { return }
      let squares = means + size
      for start in stride(from: range.lowerBound, to: range.upperBound, by: size) {
        let part = start..<min(range.upperBound, start + size)
        mean.load(part, into: means, kernels: kernels)
        square.load(part, into: squares, kernels: kernels)
        kernels.adamW(values + start, gradients + start, means, squares, count: part.count, step)
        mean.store(means, part, kernels: kernels)
        square.store(squares, part, kernels: kernels)
      }
    }
  }
}
