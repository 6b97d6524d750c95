public import SwiftletModels

/// What a million tokens cost on given hardware: those whose beginning is stored, those computed as prompt, those generated.
///
/// A pass takes, part by part, the longer of reading its bytes and doing its operations, then the longer of that sum and of what
/// devices send each other; a service reaches a share of this bound (`reachedShare`).
public struct ServingPlan: Sendable {
  public struct Setup: Sendable, Equatable {
    public var weights: NumberFormat
    public var cache = NumberFormat.bf16
    /// Devices that hold one copy of the model's experts, or of a dense model, for generated tokens and for prompts.
    public var decodeDevices: Sourced
    public var prefillDevices: Sourced
    /// Positions that a generated token sees on average, and tokens of a prompt.
    public var positions: Sourced
    public var promptTokens: Sourced
    /// Of prompts, the share whose cache is stored.
    public var hitShare: Sourced
    /// Sequences that a device decodes at once; nil for the most that fit and that keep `tokensPerSecond`.
    public var sequencesPerDevice: Sourced?
    /// The slowest that an answer may be.
    public var tokensPerSecond: Sourced
    /// Of the bound, what a whole service reaches.
    public var reachedShare: Sourced
    /// Generated tokens of a sequence and pass: more than 1 with guesses that are checked (DeepSeek-V3 report, section 5.4.3).
    public var tokensPerPass: Sourced
    /// Prompt tokens that a device computes at once.
    public var prefillTokensPerPass: Sourced
  }

  public let configuration: ModelConfiguration
  public let hardware: Hardware
  public let setup: Setup
  let rates: ServingRates

  /// - Throws: `PlanError` naming the first number that is out of range, or what a model does not fit.
  public init(_ configuration: ModelConfiguration, hardware: Hardware, setup: Setup) throws(PlanError) {
    try hardware.validate()
    try setup.validate()
    (self.configuration, self.hardware, self.setup) = (configuration, hardware, setup)
    rates = ServingRates(configuration, hardware: hardware, setup: setup)
    for (name, devices) in [("count", setup.decodeDevices.value), ("prefill count", setup.prefillDevices.value)] {
      guard devices == 1 || rates.sendingBytesPerSecond(devices: devices) > 0 else {
        throw PlanError(
          name: name, found: "\(Int(devices))", expected: "1, since \(hardware.name) has no way to others")
      }
      let weights = rates.weightBytesPerDevice(devices: devices), memory = hardware.memoryBytes.value * ServingRates.usableMemory
      guard weights < memory else {
        throw PlanError(
          name: name,
          found: "\(Int(devices)) of \(PlanText.bytes(hardware.memoryBytes.value)), which leaves each with "
            + "\(PlanText.bytes(weights)) of weights",
          expected: "more devices, more memory or smaller weights")
      }
    }
  }

  /// Decoding with a number of sequences on each device.
  public struct Decode: Sendable, Equatable {
    public var sequencesPerDevice: Int
    /// Of a layer's experts, those that any token of the pass chose, on average; nil without experts.
    public var distinctExperts: Double?
    /// The pass as bound, with no regard to the share that is reached.
    public var seconds: Double
    /// What takes the most of it: `memory`, `arithmetic` or `network`.
    public var limit: String
    /// As reached.
    public var tokensPerSecondOfSequence: Double
    public var tokensPerSecondOfDevice: Double
    public var memoryBytesPerDevice: Double
    public var fits: Bool
    public var price: Price
  }

  /// Of a million tokens.
  public struct Price: Sendable, Equatable {
    public var dollars: Double
    public var kilowattHours: Double
  }

  public func decode(sequencesPerDevice count: Int) -> Decode {
    let pass = rates.decodePass(sequencesPerDevice: Double(count))
    let speed = setup.reachedShare.value * setup.tokensPerPass.value / pass.seconds
    let memory =
      rates.weightBytesPerDevice(devices: setup.decodeDevices.value)
      + Double(count) * setup.positions.value * rates.cacheBytesPerPosition
    return Decode(
      sequencesPerDevice: count, distinctExperts: pass.distinctExperts, seconds: pass.seconds, limit: pass.limit,
      tokensPerSecondOfSequence: speed, tokensPerSecondOfDevice: speed * Double(count), memoryBytesPerDevice: memory,
      fits: memory <= hardware.memoryBytes.value * ServingRates.usableMemory,
      price: hardware.price(secondsPerToken: 1 / (speed * Double(count))))
  }

  /// The one that is given, or the most sequences that fit and are fast enough, at least one.
  public var chosenDecode: Decode {
    if let given = setup.sequencesPerDevice { return decode(sequencesPerDevice: Int(given.value)) }
    var low = 1, high = Self.mostSequences + 1
    // Speed falls and memory grows with the number.
    while high - low > 1 {
      let middle = (low + high) / 2, point = decode(sequencesPerDevice: middle)
      if point.fits && point.tokensPerSecondOfSequence >= setup.tokensPerSecond.value { low = middle } else { high = middle }
    }
    return decode(sequencesPerDevice: low)
  }

  /// Powers of two as long as they fit.
  public var decodeTable: [Decode] {
    var result: [Decode] = [], count = 1
    while count <= Self.mostSequences {
      let point = decode(sequencesPerDevice: count)
      if !point.fits && count > 1 { break }
      result.append(point)
      count *= 2
    }
    return result
  }

  private static let mostSequences = 4096

  /// Prompt tokens that a device computes in a second.
  public var prefillTokensPerSecondOfDevice: Double {
    setup.prefillTokensPerPass.value / rates.prefillPass.seconds * setup.reachedShare.value
  }
  public var prefillLimit: String { rates.prefillPass.limit }

  /// Input that must be computed.
  public var missPrice: Price { hardware.price(secondsPerToken: 1 / prefillTokensPerSecondOfDevice) }
  /// Input whose cache is read from where it is stored.
  public var hitPrice: Price { hardware.storedPrice(cacheBytes: rates.cacheBytesPerPosition / setup.reachedShare.value) }
  public var outputPrice: Price { chosenDecode.price }

  public var assumptions: [Assumption] {
    var result = [
      Assumption("devices that decode together", setup.decodeDevices, unit: ""),
      Assumption("devices that compute prompts together", setup.prefillDevices, unit: ""),
      Assumption("positions that a generated token sees", setup.positions, unit: "tokens"),
      Assumption("length of a prompt", setup.promptTokens, unit: "tokens"),
      Assumption("share of prompts that is stored", setup.hitShare, unit: ""),
    ]
    if let count = setup.sequencesPerDevice { result.append(Assumption("sequences of a device", count, unit: "")) }
    return result + [
      Assumption("slowest answer", setup.tokensPerSecond, unit: "tokens/s"),
      Assumption("share of the bound that is reached", setup.reachedShare, unit: ""),
      Assumption("generated tokens a pass", setup.tokensPerPass, unit: "tokens"),
      Assumption("prompt tokens a pass and device", setup.prefillTokensPerPass, unit: "tokens"),
      Assumption(
        "usable memory", Sourced(ServingRates.usableMemory, .assumed("the rest is for activations and programs")), unit: ""),
    ] + hardware.servingAssumptions
  }
}

extension ServingPlan.Setup {
  func validate() throws(PlanError) {
    try PlanError.check("count", decodeDevices.value, 1...1e6)
    try PlanError.check("prefill count", prefillDevices.value, 1...1e6)
    try PlanError.check("positions", positions.value, 1...1e9)
    try PlanError.check("prompt tokens", promptTokens.value, 1...1e9)
    try PlanError.check("hit share", hitShare.value, 0...1)
    if let sequencesPerDevice { try PlanError.check("batch", sequencesPerDevice.value, 1...1e6) }
    try PlanError.check("tokens per second", tokensPerSecond.value, 1e-9...1e9)
    try PlanError.check("reached share", reachedShare.value, 1e-3...1)
    try PlanError.check("tokens per pass", tokensPerPass.value, 1...64)
    try PlanError.check("prefill tokens per pass", prefillTokensPerPass.value, 1...1e9)
  }
}
