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
  /// Running means of gradients and of their squares, in the parameters' order; F32.
  public let means: [Tensor]
  public let squares: [Tensor]
  /// Steps taken; to be set when a run goes on.
  public var stepCount = 0
  private let pieces: ParameterPieces

  public init(_ parameters: [Parameter], options: Options = Options()) {
    self.parameters = parameters.filter(\.isTrainable)
    self.options = options
    means = self.parameters.map { Tensor(zeros: $0.shape) }
    squares = self.parameters.map { Tensor(zeros: $0.shape) }
    pieces = ParameterPieces(self.parameters)
  }

  /// - Parameters:
  ///   - rate: the learning rate of this step.
  ///   - gradientScale: gradients are multiplied with it first; see `GradientNorm.scale`.
  public func step(rate: Float, gradientScale: Float = 1, compute: Compute) {
    stepCount += 1
    let count = stepCount
    compute.pool.run(pieces.pieces.count) { index, _ in
      let piece = pieces.pieces[index], parameter = parameters[piece.parameter], start = piece.range.lowerBound
      let step = AdamWStep(
        gradientScale: gradientScale, rate: rate, beta1: options.beta1, beta2: options.beta2, epsilon: options.epsilon,
        decay: parameter.decays ? options.weightDecay : 0, step: count)
      compute.kernels.adamW(
        parameter.value.floats + start, parameter.gradient.floats + start, means[piece.parameter].floats + start,
        squares[piece.parameter].floats + start, count: piece.range.count, step)
    }
    for parameter in parameters { parameter.valueChanged() }
  }
}
