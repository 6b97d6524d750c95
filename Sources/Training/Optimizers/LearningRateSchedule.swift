internal import Foundation

/// The learning rate of every step: warm-up from 0, then the peak, then a way down.
public struct LearningRateSchedule: Sendable, Equatable {
  public enum Decay: Sendable, Equatable {
    case constant
    /// Half a cosine between two steps, down to a rate; that rate afterwards (DeepSeek-V3 report, section 4.2).
    case cosine(from: Int, to: Int, final: Float)
    /// The peak times a factor from each of these steps on, in ascending order (DeepSeek LLM report, section 2.3).
    case multiStep([Drop])
  }

  public struct Drop: Sendable, Equatable {
    public var step: Int
    /// Of the peak.
    public var factor: Float

    public init(step: Int, factor: Float) {
      self.step = step
      self.factor = factor
    }
  }

  public var peak: Float
  /// Steps until the peak is reached.
  public var warmUpSteps: Int
  public var decay: Decay
  /// A constant rate from a step on, whatever was before (of DeepSeek-V3, the last 167B tokens).
  public var tail: (step: Int, rate: Float)? {
    get { tailStep.map { ($0, tailRate) } }
    set { (tailStep, tailRate) = (newValue?.step, newValue?.rate ?? 0) }
  }
  private var tailStep: Int?
  private var tailRate: Float = 0

  public init(peak: Float, warmUpSteps: Int = 0, decay: Decay = .constant, tail: (step: Int, rate: Float)? = nil) {
    self.peak = peak
    self.warmUpSteps = warmUpSteps
    self.decay = decay
    self.tail = tail
  }

  /// - Parameter step: from 0.
  public func rate(step: Int) -> Float {
    if let tailStep, step >= tailStep { return tailRate }
    if step < warmUpSteps { return peak * Float(step + 1) / Float(warmUpSteps) }
    switch decay {
    case .constant: return peak
    case .cosine(let first, let last, let final):
      if step <= first { return peak }
      if step >= last { return final }
      let progress = Double(step - first) / Double(last - first)
      return final + (peak - final) * Float(0.5 * (1 + cos(.pi * progress)))
    case .multiStep(let drops): return peak * (drops.last { $0.step <= step }?.factor ?? 1)
    }
  }
}
