public import SwiftletModels

extension ServingPlan.Setup {
  /// How a model would be served when nothing else is said.
  /// - Parameters:
  ///   - name: of a `ModelPreset`, or anything else.
  ///   - weights: how weights are stored; nil for FP8 of DeepSeek-V3, as it is published, else BF16.
  public init(
    _ name: String, _ configuration: ModelConfiguration, hardware: Hardware, weights: NumberFormat? = nil
  ) {
    let isPublished = ["deepseek-v3", "deepseek-r1"].contains(name) && ["h800", "h100"].contains(hardware.name)
    let overview = "DeepSeek, inference system overview, 2025-03-01"
    self.weights = weights ?? (configuration.architecture == .deepseekV3 ? .fp8 : .bf16)
    let least = Self.leastDevices(configuration, hardware: hardware, weights: self.weights)
    let devices = Sourced(least, .assumed("the fewest that hold the weights, a power of two"))
    decodeDevices = isPublished ? Sourced(144, .published(overview)) : devices
    prefillDevices = isPublished ? Sourced(32, .published(overview)) : devices
    let length = min(4989, Double(configuration.contextLength))
    positions = Sourced(length, .published("\(overview): mean length of the cache"))
    promptTokens = Sourced(length, .assumed("as many as a generated token sees"))
    hitShare = Sourced(342.0 / 608, .published("\(overview): 342B of 608B"))
    sequencesPerDevice = nil
    tokensPerSecond = Sourced(21, .published("\(overview): 20 to 22 tokens a second"))
    reachedShare =
      least == 1 && !isPublished
      ? Sourced(1, .assumed("one device: the efficiencies say it"))
      : Sourced(Self.fittedShare, .fitted("14.8K tokens/s of output and 73.7K of input from eight H800s, \(overview)"))
    tokensPerPass = Sourced(1, .assumed("no guesses"))
    prefillTokensPerPass = Sourced(8192, .assumed("enough that weights are read seldom"))
  }

  /// Of the bound on H800s, what brings about the published 14.8K tokens/s of output and 73.7K of input at once, within a tenth.
  static let fittedShare = 0.43

  private static func leastDevices(
    _ configuration: ModelConfiguration, hardware: Hardware, weights: NumberFormat
  ) -> Double {
    let room = 0.7 * hardware.memoryBytes.value, parts = configuration.parameterParts
    let experts = Double(parts.routedExperts) * weights.bytesPerValue
    let others = Double(parts.total - parts.routedExperts) * weights.bytesPerValue
    var devices = 1.0
    while devices < 65536, experts / devices + (configuration.mixture == nil ? others / devices : others) > room { devices *= 2 }
    return devices
  }
}
