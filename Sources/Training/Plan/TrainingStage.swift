internal import SwiftletModels

/// A part of a training run that is counted by itself, such as pretraining.
public struct TrainingStage: Sendable, Equatable {
  /// Tokens of sequences of one length.
  public struct Portion: Sendable, Equatable {
    public var tokens: Sourced
    public var sequenceLength: Sourced

    public init(tokens: Sourced, sequenceLength: Sourced) { (self.tokens, self.sequenceLength) = (tokens, sequenceLength) }
  }

  /// How fast a stage is.
  public enum Pace: Sendable, Equatable {
    /// The part of the devices' BF16 peak that the model's own operations get (MFU), whatever the products' format and whatever is
    /// computed twice.
    case utilization(Sourced)
    /// Device-hours, where tokens are not known, on devices of this BF16 peak; others take as much longer as their peak is lower.
    case deviceHours(Sourced, bf16FLOPsPerSecond: Double)
  }

  /// What is computed of a token, in forward directions: the gradients of inputs and those of weights take as much again each (Kaplan
  /// et al. 2020, section 2.1).
  public struct Work: Sendable, Equatable {
    public var products = 3.0
    /// Attention over positions.
    public var attention = 3.0
    /// Of layers that predict further tokens; nil where they are not counted, as usual.
    public var prediction: Double?
    /// What another model computes beside, such as a teacher, once.
    public var beside: TokenFLOPs?

    public init() {}

    /// - Parameter positions: how many the token sees; a mean may be broken.
    public func flops(_ token: TokenFLOPs, positions: Double) -> Double {
      flops(token, positions: positions, TrainingPlan.Scenario())
    }

    func flops(_ token: TokenFLOPs, positions: Double, _ scenario: TrainingPlan.Scenario) -> Double {
      let main = products * token.products * scenario.products + attention * token.attentionPerPosition * positions
      let extra = token.prediction * scenario.products + token.predictionPerPosition * positions
      return main + extra * (prediction ?? 3 * scenario.predictionShare) + (beside?.forward(positions: positions) ?? 0)
    }
  }

  public var name: String
  public var portions: [Portion]
  public var pace: Pace
  public var work: Work

  public init(name: String, portions: [Portion], pace: Pace, work: Work = Work()) {
    (self.name, self.portions, self.pace, self.work) = (name, portions, pace, work)
  }

  /// A stage whose hours are known: its utilisation is what they make of its tokens' operations.
  init(
    name: String, portions: [Portion], deviceHours: Sourced, of configuration: ModelConfiguration, on hardware: Hardware
  ) {
    self.init(
      name: name, portions: portions, pace: .deviceHours(deviceHours, bf16FLOPsPerSecond: hardware.bf16FLOPsPerSecond.value))
    let peak = deviceHours.value * 3600 * hardware.bf16FLOPsPerSecond.value
    let share = flops(TokenFLOPs(configuration)) / peak
    let hours = (deviceHours.value / 1000).rounded()
    pace = .utilization(Sourced(share, .fitted("\(Int(hours))K hours on \(hardware.name) (\(deviceHours.source.text))")))
  }

  public var tokens: Double { portions.reduce(0) { $0 + $1.tokens.value } }

  /// Of the whole stage.
  public func flops(_ token: TokenFLOPs) -> Double {
    portions.reduce(0) {
      $0 + $1.tokens.value * work.flops(token, positions: TokenFLOPs.meanPositions($1.sequenceLength.value))
    }
  }
}

extension TrainingStage {
  func validate() throws(PlanError) {
    for portion in portions {
      try PlanError.check("tokens", portion.tokens.value, 1...1e18)
      try PlanError.check("sequence length", portion.sequenceLength.value, 1...1e9)
    }
    switch pace {
    case .utilization(let share): try PlanError.check("utilization", share.value, 1e-6...1)
    case .deviceHours(let hours, let peak):
      try PlanError.check("hours of \(name)", hours.value, 0...1e12)
      try PlanError.check("flops", peak, 1...1e18)
    }
  }

  var assumptions: [Assumption] {
    var result: [Assumption] = []
    for portion in portions {
      result.append(Assumption("\(name), tokens", portion.tokens, unit: "tokens"))
      result.append(Assumption("\(name), length of a sequence", portion.sequenceLength, unit: "tokens"))
    }
    switch pace {
    case .utilization(let share): result.append(Assumption("\(name), utilization", share, unit: ""))
    case .deviceHours(let hours, _): result.append(Assumption("\(name), hours", hours, unit: "h"))
    }
    return result
  }
}
