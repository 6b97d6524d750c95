public import SwiftletModels

/// How a model was trained, or might be.
public struct TrainingRun: Sendable {
  public var stages: [TrainingStage]
  public var hardware: Hardware
  public var deviceCount: Sourced
  /// Whose activations are in memory at once, by the number of devices: below 1 where several share the work on one.
  public var sequencesPerDevice: Sourced

  /// The published run of a preset; nil where none is published.
  /// - Parameter name: of a `ModelPreset`.
  public static func published(_ name: String, _ configuration: ModelConfiguration) -> TrainingRun? {
    switch name {
    case "deepseek-v3":
      TrainingRun(
        stages: [
          TrainingStage(
            name: "pretraining",
            portions: [portion(14.8e12, 4096, "DeepSeek-V3 report, sections 4.1 and 4.2")],
            deviceHours: Sourced(180e3 * 14.8, .published("DeepSeek-V3 report, section 1: 180K hours for a trillion tokens")),
            of: configuration, on: .h800),
          TrainingStage(
            name: "context extension",
            portions: [
              portion(1000 * 1920 * 32768, 32768, "DeepSeek-V3 report, section 4.3: 1000 steps of 1920 sequences"),
              portion(1000 * 480 * 131072, 131072, "DeepSeek-V3 report, section 4.3: 1000 steps of 480 sequences"),
            ],
            deviceHours: Sourced(119e3, .published("DeepSeek-V3 report, table 1")), of: configuration, on: .h800),
          hoursOnly("post-training", 5e3, "DeepSeek-V3 report, table 1; tokens are not published"),
        ],
        hardware: .h800, deviceCount: Sourced(2048, .published("DeepSeek-V3 report, section 3.1")), sequencesPerDevice: oneEach)
    case "deepseek-r1":
      TrainingRun(
        stages: [
          hoursOnly("R1-Zero", 101e3, "DeepSeek-R1 paper, appendix B.4.4, table 7"),
          hoursOnly("data for fine-tuning", 5e3, "DeepSeek-R1 paper, appendix B.4.4, table 7"),
          hoursOnly("R1", 41e3, "DeepSeek-R1 paper, appendix B.4.4, table 7"),
        ],
        hardware: .h800, deviceCount: Sourced(512, .published("DeepSeek-R1 paper, appendix B.4.4: 64 x 8 devices")),
        sequencesPerDevice: oneEach)
    case "deepseek-v2":
      TrainingRun(
        stages: [
          TrainingStage(
            name: "pretraining", portions: [portion(8.1e12, 4096, "DeepSeek-V2 report, sections 3.1.1 and 3.1.2")],
            deviceHours: Sourced(
              172.8e3 * 8.1, .published("DeepSeek-V2 report, section 3.2.3: 172.8K hours for a trillion tokens")),
            of: configuration, on: .h800)
        ],
        hardware: .h800, deviceCount: Sourced(2048, .assumed("as for V3; not published")), sequencesPerDevice: oneEach)
    case "llama-3.1-405b":
      TrainingRun(
        stages: [
          TrainingStage(
            name: "training", portions: [portion(15.6e12, 8192, "Llama 3 report, sections 1 and 3.4.1")],
            deviceHours: Sourced(30.84e6, .published("Llama 3.1 model card")), of: configuration, on: .h100)
        ],
        hardware: .h100, deviceCount: Sourced(16384, .published("Llama 3 report, table 4")),
        sequencesPerDevice: Sourced(1.0 / 8, .published("Llama 3 report, table 4: tensors over eight devices")))
    default: nil
    }
  }

  /// For a model of which no run is published.
  public static func assumed(_ name: String, _ configuration: ModelConfiguration, hardware: Hardware) -> TrainingRun {
    let tokens =
      name == "deepseek-v2-lite"
      ? Sourced(5.7e12, .published("DeepSeek-V2 report, appendix B"))
      : Sourced(20 * Double(configuration.parameterCount.active), .assumed("20 for an active parameter (Hoffmann et al. 2022)"))
    return TrainingRun(
      stages: [
        TrainingStage(
          name: "pretraining",
          portions: [
            .init(
              tokens: tokens,
              sequenceLength: Sourced(Double(min(4096, configuration.contextLength)), .assumed("as of DeepSeek-V3's pretraining"))
            )
          ],
          pace: .utilization(defaultUtilization))
      ],
      hardware: hardware,
      deviceCount: Sourced(leastDevices(configuration, hardware: hardware), leastDevicesSource),
      sequencesPerDevice: Sourced(1 / Double(hardware.devicesPerServer), .assumed("one a server")))
  }

  private static func leastDevices(_ configuration: ModelConfiguration, hardware: Hardware) -> Double {
    let formats = TrainingMemory.Formats()
    let perParameter =
      formats.weights.bytesPerValue + (formats.masterWeights?.bytesPerValue ?? 0) + formats.gradients.bytesPerValue
      + Double(formats.momentCount) * formats.moments.bytesPerValue
    return leastDevices(bytes: Double(configuration.parameterCount.total) * perParameter, hardware: hardware)
  }

  /// Whole servers, a power of two of them, that hold so many bytes with room for activations.
  static func leastDevices(bytes: Double, hardware: Hardware) -> Double {
    var devices = Double(hardware.devicesPerServer)
    while devices < 65536, bytes / devices > 0.7 * hardware.memoryBytes.value { devices *= 2 }
    return devices
  }

  static let leastDevicesSource = Sourced.Source.assumed("whole servers that hold weights, gradients and moments")

  /// Where nothing is known.
  public static let defaultUtilization = Sourced(
    0.39, .assumed("as DeepSeek-V3 on H800s: 38.9 %, arXiv 2505.09343, table 4"))

  private static let oneEach = Sourced(1, .assumed("as many as there are stages of the pipeline, each with a part of the layers"))

  private static func portion(_ tokens: Double, _ length: Double, _ source: String) -> TrainingStage.Portion {
    .init(tokens: Sourced(tokens, .published(source)), sequenceLength: Sourced(length, .published(source)))
  }

  private static func hoursOnly(_ name: String, _ hours: Double, _ source: String) -> TrainingStage {
    TrainingStage(
      name: name, portions: [],
      pace: .deviceHours(
        Sourced(hours, .published(source)), bf16FLOPsPerSecond: Hardware.h800.bf16FLOPsPerSecond.value))
  }
}
