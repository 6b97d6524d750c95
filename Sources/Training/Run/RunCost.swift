/// What a run took, and what the same work takes on the devices that DeepSeek trained with.
public struct RunCost: Sendable, Equatable {
  public var tokens: Int
  /// Forward and backward, with the prediction layer's, and the way forward of a teacher or a reference.
  public var flops: Double
  /// By the clock, with evaluation and checkpoints, and with steps that were done again.
  public var hours: Double
  /// Of these, what steps took that were done again since the run was killed.
  public var lostHours: Double
  /// Of processors at work, all together.
  public var coreHours: Double
  /// By the watts that the machine is assumed to draw, or the recipe's.
  public var kilowattHours: Double
  public var dollars: Double
  /// Useful operations of the steps over the peak of their time.
  public var utilization: Double
  /// Device-hours of the same operations at the rate of DeepSeek-V3's pretraining: 180K H800-hours for a trillion tokens
  /// (DeepSeek-V3 report, section 1), operations counted as here.
  public var h800Hours: Double
  /// At $2 an hour, as that report reckons (table 1).
  public var h800Dollars: Double

  init(_ records: [StepRecord], hardware: Hardware, peak: Double) {
    tokens = records.reduce(0) { $0 + $1.tokens }
    let steps = records.reduce(0) { $0 + $1.flops }
    flops = records.reduce(steps) { $0 + ($1.preparationFlops ?? 0) }
    lostHours = records.reduce(0) { $0 + ($1.lostSeconds ?? 0) } / 3600
    hours = records.reduce(0) { $0 + $1.elapsedSeconds } / 3600 + lostHours
    coreHours = records.reduce(0) { $0 + $1.processorSeconds + ($1.lostProcessorSeconds ?? 0) } / 3600
    kilowattHours = hours * hardware.kilowatts
    dollars = hours * hardware.dollarsPerDeviceHour
    utilization = steps / max(1e-9, records.reduce(0) { $0 + $1.seconds }) / peak
    h800Hours = flops / Self.publishedFLOPsPerHour
    h800Dollars = h800Hours * Hardware.h800.dollarsPerHour.value
  }

  /// Of one H800 in DeepSeek-V3's pretraining, which trained the prediction layer too: those hours hold its operations.
  static let publishedFLOPsPerHour: Double = {
    guard let preset = ModelPreset.named("deepseek-v3"), let configuration = try? preset.configuration,
      let run = TrainingRun.published(preset.name, configuration), var stage = run.stages.first,
      let plan = try? TrainingPlan(
        configuration, stages: run.stages, hardware: run.hardware, deviceCount: run.deviceCount),
      let cost = plan.costs.first
    else { preconditionFailure("the published run of DeepSeek-V3 is part of this module") }
    stage.work.prediction = 3
    return stage.flops(TokenFLOPs(configuration)) / cost.deviceHours
  }()
}
