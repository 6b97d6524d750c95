extension Sensitivity {
  private struct Changed {
    var setup: ServingPlan.Setup
    var hardware: Hardware
  }

  /// How the cost of a million generated tokens moves. Unless a batch is given, it follows: it stays the largest that fits and is fast
  /// enough.
  public init(_ plan: ServingPlan) {
    let base = plan.outputPrice.dollars, setup = plan.setup, hardware = plan.hardware
    /// nil where the changed plan cannot be made.
    func cost(_ change: (inout Changed) -> Void) -> Double? {
      var changed = Changed(setup: setup, hardware: hardware)
      change(&changed)
      return (try? ServingPlan(plan.configuration, hardware: changed.hardware, setup: changed.setup))?.outputPrice.dollars
    }
    var rows: [Row] = []
    /// - Parameter most: what the value cannot be above.
    func add(
      _ name: String, _ value: Double, _ low: Double, _ high: Double, most: Double = .infinity, _ reason: String,
      _ text: (Double) -> String, _ change: (Double, inout Changed) -> Void
    ) {
      guard value > 0 else { return }
      let ends = (low: value * low, high: min(most, value * high))
      guard let atLow = cost({ change(ends.low, &$0) }), let atHigh = cost({ change(ends.high, &$0) }) else { return }
      rows.append(
        Row(
          name: name, value: text(value), low: text(ends.low), high: text(ends.high), reason: reason, dollarsAtLow: atLow,
          dollarsAtHigh: atHigh, elasticity: nil))
    }
    add(
      "price of a device", hardware.dollarsPerDeviceHour, 0.5, 2, "rents differ by place, term and year",
      { "$\(PlanText.short($0))/h" }
    ) {
      // Electricity, where it is paid apart, moves too.
      $1.hardware.dollarsPerHour.value *= $0 / hardware.dollarsPerDeviceHour
      $1.hardware.dollarsPerKilowattHour.value *= $0 / hardware.dollarsPerDeviceHour
    }
    add("positions that a token sees", setup.positions.value, 0.5, 2, "depends on what is asked", PlanText.count) {
      $1.setup.positions.value = $0
    }
    if let batch = setup.sequencesPerDevice {
      add("sequences a device", batch.value, 0.5, 2, "depends on load", PlanText.count) {
        $1.setup.sequencesPerDevice?.value = max(1, $0.rounded())
      }
    } else {
      add(
        "slowest answer", setup.tokensPerSecond.value, 0.5, 2, "slower answers allow larger batches",
        { "\(PlanText.short($0))/s" }
      ) {
        $1.setup.tokensPerSecond.value = $0
      }
    }
    add(
      "share of the bound reached", setup.reachedShare.value, 0.75, 1.25, most: 1, "load, imbalance and waiting are in it",
      PlanText.percent
    ) {
      $1.setup.reachedShare.value = $0
    }
    add(
      "memory bandwidth", hardware.memoryBytesPerSecond.value, 0.75, 1.25, "a quarter less or more", { PlanText.bytes($0) + "/s" }
    ) {
      $1.hardware.memoryBytesPerSecond.value = $0
    }
    add(
      "peak arithmetic", hardware.bf16FLOPsPerSecond.value, 0.75, 1.25, "a quarter less or more",
      { PlanText.prefixed($0) + "FLOP/s" }
    ) {
      $1.hardware.eightBitFLOPsPerSecond?.value *= $0 / hardware.bf16FLOPsPerSecond.value
      $1.hardware.bf16FLOPsPerSecond.value = $0
    }
    if setup.decodeDevices.value > 1 {
      let isInside = setup.decodeDevices.value <= Double(hardware.devicesPerServer)
      let field = isInside ? \Hardware.linkBytesPerSecond : \Hardware.networkBytesPerSecond
      add(
        isInside ? "link" : "network", hardware[keyPath: field].value, 0.75, 1.25, "a quarter less or more",
        { PlanText.bytes($0) + "/s" }
      ) {
        $1.hardware[keyPath: field].value = $0
      }
    }
    if plan.configuration.predictionLayerCount > 0 {
      add(
        "tokens a pass", setup.tokensPerPass.value, 1, 1.8,
        "DeepSeek-V3 report, section 5.4.3: 1.8 times the tokens with guesses", PlanText.short
      ) {
        $1.setup.tokensPerPass.value = $0
      }
    }
    rows.append(
      Row(
        name: "time without work", value: "0 %", low: "0 %", high: "50 %", reason: "devices cost as much while nobody asks",
        dollarsAtLow: base, dollarsAtHigh: base * 2, elasticity: nil))
    self.init(dollars: base, rows: rows.filter { $0.swingDollars > 0 }.sorted { $0.swingDollars > $1.swingDollars })
  }
}
