/// A device that models are trained or served on: a graphics card with its share of a server, or a whole computer.
public struct Hardware: Sendable, Equatable {
  public var name: String
  public var description: String
  /// Dense products of BF16 values with F32 sums; of F32 where the device has no BF16.
  public var bf16FLOPsPerSecond: Sourced
  /// Dense products of FP8 or int8 values; nil where they are no faster than BF16.
  public var eightBitFLOPsPerSecond: Sourced?
  public var memoryBytes: Sourced
  public var memoryBytesPerSecond: Sourced
  /// The parts of the peaks above that good kernels reach.
  public var arithmeticEfficiency: Sourced
  public var memoryEfficiency: Sourced
  /// From one device to the others of its server, one way; 0 without.
  public var linkBytesPerSecond: Sourced
  /// From one device to other servers, one way; 0 without.
  public var networkBytesPerSecond: Sourced
  /// Reading stored beginnings of prompts, a device.
  public var storageBytesPerSecond: Sourced
  public var devicesPerServer: Int
  /// Of a device at work with its share of the server, before cooling.
  public var watts: Sourced
  /// Watts of the building for one of the servers.
  public var powerUsageEffectiveness: Sourced
  /// Of a device, rented or written off.
  public var dollarsPerHour: Sourced
  /// 0 where the price of an hour has electricity in it.
  public var dollarsPerKilowattHour: Sourced

  /// Dense products of weights in a format.
  public func flopsPerSecond(_ format: NumberFormat) -> Double {
    switch format {
    case .fp8, .q8_0, .q4_0, .q4_k_m: (eightBitFLOPsPerSecond ?? bf16FLOPsPerSecond).value
    case .f32, .bf16: bf16FLOPsPerSecond.value
    }
  }

  /// What an hour costs, with electricity where that is paid for apart.
  public var dollarsPerDeviceHour: Double { dollarsPerHour.value + kilowatts * dollarsPerKilowattHour.value }

  /// Of a device, with cooling.
  public var kilowatts: Double { watts.value * powerUsageEffectiveness.value / 1000 }

  /// What a million tokens cost that take so long each, one after the other, on one device.
  public func price(secondsPerToken: Double) -> ServingPlan.Price {
    let hours = secondsPerToken * 1e6 / 3600
    return ServingPlan.Price(dollars: hours * dollarsPerDeviceHour, kilowattHours: hours * kilowatts)
  }

  /// What a million tokens cost whose cache is read from where it is stored; the disks themselves are not counted.
  /// - Parameter cacheBytes: of a token.
  public func storedPrice(cacheBytes: Double) -> ServingPlan.Price {
    price(secondsPerToken: cacheBytes / storageBytesPerSecond.value)
  }

  /// - Throws: `PlanError` naming the first number that is out of range.
  public func validate() throws(PlanError) {
    let rates = 1.0...1e18
    try PlanError.check("flops", bf16FLOPsPerSecond.value, rates)
    if let eightBitFLOPsPerSecond { try PlanError.check("eight-bit flops", eightBitFLOPsPerSecond.value, rates) }
    try PlanError.check("memory", memoryBytes.value, rates)
    try PlanError.check("bandwidth", memoryBytesPerSecond.value, rates)
    try PlanError.check("arithmetic efficiency", arithmeticEfficiency.value, 1e-3...1)
    try PlanError.check("memory efficiency", memoryEfficiency.value, 1e-3...1)
    try PlanError.check("link", linkBytesPerSecond.value, 0...1e18)
    try PlanError.check("network", networkBytesPerSecond.value, 0...1e18)
    try PlanError.check("storage", storageBytesPerSecond.value, rates)
    try PlanError.check("devices in a server", Double(devicesPerServer), 1...1024)
    try PlanError.check("watts", watts.value, 0...1e6)
    try PlanError.check("power usage effectiveness", powerUsageEffectiveness.value, 1...10)
    try PlanError.check("dollars per hour", dollarsPerHour.value, 0...1e6)
    try PlanError.check("dollars per kilowatt-hour", dollarsPerKilowattHour.value, 0...1e3)
  }

  /// Those that training uses.
  var trainingAssumptions: [Assumption] {
    [
      Assumption("BF16 peak of a device", bf16FLOPsPerSecond, unit: "FLOP/s"), Assumption("memory", memoryBytes, unit: "bytes"),
    ] + runningAssumptions
  }

  /// What an hour of a device rests on.
  private var runningAssumptions: [Assumption] {
    [
      Assumption("price of a device", dollarsPerHour, unit: "USD/h"), Assumption("power of a device", watts, unit: "W"),
      Assumption("power usage effectiveness", powerUsageEffectiveness, unit: ""),
      Assumption("electricity paid apart", dollarsPerKilowattHour, unit: "USD/kWh"),
    ]
  }

  private var storageAssumption: Assumption { Assumption("storage of prompts", storageBytesPerSecond, unit: "bytes/s") }

  /// Those of tokens whose speed is measured.
  public var measuredServingAssumptions: [Assumption] { runningAssumptions + [storageAssumption] }

  /// Those that serving uses.
  var servingAssumptions: [Assumption] {
    let eightBit = eightBitFLOPsPerSecond.map { [Assumption("8-bit peak of a device", $0, unit: "FLOP/s")] } ?? []
    return trainingAssumptions + eightBit + [
      Assumption("memory bandwidth", memoryBytesPerSecond, unit: "bytes/s"),
      Assumption("arithmetic efficiency", arithmeticEfficiency, unit: ""),
      Assumption("memory efficiency", memoryEfficiency, unit: ""), Assumption("link", linkBytesPerSecond, unit: "bytes/s"),
      Assumption("network", networkBytesPerSecond, unit: "bytes/s"), storageAssumption,
    ]
  }
}
