public import SwiftletModels

/// What it takes to train a model: device-hours, days, energy and money, stage by stage.
public struct TrainingPlan: Sendable {
  public var configuration: ModelConfiguration
  public var stages: [TrainingStage]
  public var hardware: Hardware
  public var deviceCount: Sourced
  /// What changes beside the stages, for `Sensitivity`.
  var scenario = Scenario()

  /// How far a plan is from what was assumed; factors but for the shares.
  struct Scenario: Sendable, Equatable {
    var utilization = 1.0
    var price = 1.0
    var tokens = 1.0
    /// Of the products of every token.
    var products = 1.0
    var sequenceLength = 1.0
    /// Of stages after the first.
    var laterStages = 1.0
    /// Of the layers that predict further tokens, what is counted where a stage does not say it.
    var predictionShare = 0.0
    /// Hours beside the useful ones, as a part of these: crashes, restarts, steps taken back.
    var lostShare = 0.0
    /// Hours of experiments before the run, as a part of its own.
    var experimentShare = 0.0
  }

  public struct StageCost: Sendable, Equatable {
    public var name: String
    public var tokens: Double
    /// Forward and backward, of all tokens; 0 where tokens are not known.
    public var flops: Double
    public var deviceHours: Double
    /// nil where tokens are not known.
    public var utilization: Double?
    public var days: Double
    public var dollars: Double
    public var kilowattHours: Double
  }

  /// - Throws: `PlanError` naming the first number that is out of range.
  public init(
    _ configuration: ModelConfiguration, stages: [TrainingStage], hardware: Hardware, deviceCount: Sourced
  ) throws(PlanError) {
    guard !stages.isEmpty else { throw PlanError(name: "stages", found: "none", expected: "at least one") }
    try hardware.validate()
    for stage in stages { try stage.validate() }
    try PlanError.check("count", deviceCount.value, 1...1e9)
    (self.configuration, self.stages, self.hardware, self.deviceCount) = (configuration, stages, hardware, deviceCount)
  }

  public var costs: [StageCost] {
    let token = TokenFLOPs(configuration)
    return stages.indices.map { cost(stages[$0], token, isFirst: $0 == 0) }
  }

  public var deviceHours: Double { costs.reduce(0) { $0 + $1.deviceHours } }
  public var dollars: Double { costs.reduce(0) { $0 + $1.dollars } }
  public var days: Double { costs.reduce(0) { $0 + $1.days } }
  public var kilowattHours: Double { costs.reduce(0) { $0 + $1.kilowattHours } }
  public var flops: Double { costs.reduce(0) { $0 + $1.flops } }

  /// Of the first stage.
  public var deviceHoursPerTrillionTokens: Double? {
    costs.first.flatMap { $0.tokens > 0 ? $0.deviceHours / $0.tokens * 1e12 : nil }
  }

  private func cost(_ stage: TrainingStage, _ token: TokenFLOPs, isFirst: Bool) -> StageCost {
    let peak = hardware.bf16FLOPsPerSecond.value
    var tokens = 0.0, flops = 0.0
    for portion in stage.portions {
      let positions = TokenFLOPs.meanPositions(portion.sequenceLength.value * scenario.sequenceLength)
      let count = portion.tokens.value * (isFirst ? scenario.tokens : 1)
      tokens += count
      flops += count * stage.work.flops(token, positions: positions, scenario)
    }
    var hours: Double
    var share: Double?
    switch stage.pace {
    case .utilization(let utilization):
      let reached = min(1, utilization.value * scenario.utilization)
      share = reached
      hours = flops / (peak * reached * 3600)
    case .deviceHours(let known, let knownPeak): hours = known.value * knownPeak / peak
    }
    if !isFirst { hours *= scenario.laterStages }
    hours *= 1 + scenario.lostShare + scenario.experimentShare
    return StageCost(
      name: stage.name, tokens: tokens, flops: flops, deviceHours: hours, utilization: share,
      days: hours / deviceCount.value / 24,
      dollars: hours * hardware.dollarsPerDeviceHour * scenario.price, kilowattHours: hours * hardware.kilowatts)
  }

  public var assumptions: [Assumption] {
    [Assumption("devices", deviceCount, unit: "")] + stages.flatMap(\.assumptions) + hardware.trainingAssumptions
  }
}
