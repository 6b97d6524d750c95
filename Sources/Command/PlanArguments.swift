public import ArgumentParser
public import SwiftletTraining

/// `14.8T`, `671B`, `989e12`, `4096`: a number with a letter for thousands. What is out of range is told by the plan.
struct Quantity: ExpressibleByArgument {
  let value: Double

  init?(argument: String) {
    let scales: [Character: Double] = ["k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12, "p": 1e15]
    let text = argument.lowercased()
    if let plain = Double(text) {
      value = plain
      return
    }
    guard let last = text.last, let scale = scales[last], let number = Double(text.dropLast()) else { return nil }
    value = number * scale
  }
}

extension NumberFormat: ExpressibleByArgument {}
extension TrainingMemory.Recomputation: ExpressibleByArgument {}

/// A device, by its preset's name, with numbers that take the place of the preset's.
struct HardwareArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp("h800, h100, a100, m3-ultra, epyc-avx2, epyc-avx512, xeon-amx, or this: measured.", valueName: "name"))
  var hardware: String?
  @Option(help: ArgumentHelp("BF16 peak of a device, FLOP/s, such as 989T.", valueName: "n"))
  var flops: Quantity?
  @Option(help: ArgumentHelp("FP8 or int8 peak of a device, FLOP/s.", valueName: "n"))
  var eightBitFlops: Quantity?
  @Option(help: ArgumentHelp("Memory of a device, bytes, such as 80G.", valueName: "n"))
  var memory: Quantity?
  @Option(help: ArgumentHelp("What a device reads of its memory, bytes/s.", valueName: "n"))
  var bandwidth: Quantity?
  @Option(help: ArgumentHelp("Part of the peak that kernels reach, 0 to 1.", valueName: "x"))
  var arithmeticEfficiency: Quantity?
  @Option(help: ArgumentHelp("Part of the bandwidth that kernels reach, 0 to 1.", valueName: "x"))
  var memoryEfficiency: Quantity?
  @Option(help: ArgumentHelp("Between devices of a server, bytes/s one way.", valueName: "n"))
  var link: Quantity?
  @Option(help: ArgumentHelp("Between servers, bytes/s of a device, one way.", valueName: "n"))
  var network: Quantity?
  @OptionGroup var running: RunningCostArguments

  /// - Parameter fallback: where none is named.
  func chosen(default fallback: () throws -> Hardware) throws -> Hardware {
    var result: Hardware
    if let hardware {
      let names = Hardware.presets.map(\.name)
      if hardware == "this" {
        result = .measured(threadCount: try ThreadArguments.parse([]).checkedThreadCount())
      } else if let preset = Hardware.presets.first(where: { $0.name == hardware.lowercased() }) {
        result = preset
      } else {
        throw CommandError("--hardware: found '\(hardware)', expected \(names.joined(separator: ", ")) or this.")
      }
    } else {
      result = try fallback()
    }
    result.take(flops, "--flops", \.bf16FLOPsPerSecond)
    if let eightBitFlops { result.eightBitFLOPsPerSecond = Sourced(eightBitFlops.value, .given("--eight-bit-flops")) }
    result.take(memory, "--memory", \.memoryBytes)
    result.take(bandwidth, "--bandwidth", \.memoryBytesPerSecond)
    result.take(arithmeticEfficiency, "--arithmetic-efficiency", \.arithmeticEfficiency)
    result.take(memoryEfficiency, "--memory-efficiency", \.memoryEfficiency)
    result.take(link, "--link", \.linkBytesPerSecond)
    result.take(network, "--network", \.networkBytesPerSecond)
    return running.changed(result)
  }
}

/// What a device draws and costs, and how fast it reads prompts that are stored.
struct RunningCostArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Reading stored prompts, bytes/s of a device.", valueName: "n"))
  var storage: Quantity?
  @Option(help: ArgumentHelp("Power of a device with its share of the server.", valueName: "n"))
  var watts: Quantity?
  @Option(help: ArgumentHelp("Watts of the building for one of the servers.", valueName: "x"))
  var powerUsageEffectiveness: Quantity?
  @Option(help: ArgumentHelp("Price of a device-hour, rented or written off.", valueName: "x"))
  var dollarsPerHour: Quantity?
  @Option(help: ArgumentHelp("Price of electricity, where it is paid apart.", valueName: "x"))
  var dollarsPerKilowattHour: Quantity?

  func changed(_ hardware: Hardware) -> Hardware {
    var result = hardware
    result.take(storage, "--storage", \.storageBytesPerSecond)
    result.take(watts, "--watts", \.watts)
    result.take(powerUsageEffectiveness, "--power-usage-effectiveness", \.powerUsageEffectiveness)
    result.take(dollarsPerHour, "--dollars-per-hour", \.dollarsPerHour)
    result.take(dollarsPerKilowattHour, "--dollars-per-kilowatt-hour", \.dollarsPerKilowattHour)
    return result
  }
}

extension Hardware {
  /// Puts what a flag says in the place of a number.
  fileprivate mutating func take(_ quantity: Quantity?, _ flag: String, _ field: WritableKeyPath<Hardware, Sourced>) {
    if let quantity { self[keyPath: field] = Sourced(quantity.value, .given(flag)) }
  }
}

extension PlanError {
  /// The same error, naming an option as it is typed.
  var asTyped: CommandError {
    CommandError("--\(name.lowercased().replacing(" ", with: "-")): found \(found), expected \(expected).")
  }
}

/// How a model is trained.
struct TrainingArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Tokens of the first stage, such as 14.8T.", valueName: "n"))
  var tokens: Quantity?
  @Option(help: ArgumentHelp("Tokens of a sequence in the first stage.", valueName: "n"))
  var sequenceLength: Quantity?
  @Option(help: ArgumentHelp("Part of the BF16 peak that the model's operations get.", valueName: "x"))
  var utilization: Quantity?
  @Option(help: ArgumentHelp("Device-hours of a trillion tokens of the first stage, instead of --utilization.", valueName: "n"))
  var hoursPerTrillion: Quantity?
  @Option(help: ArgumentHelp("Format of master weights beside --weights, or none (default: f32).", valueName: "format"))
  var masterWeights: String?
  @Option(help: ArgumentHelp("Format of gradients (default: f32).", valueName: "format"))
  var gradients: NumberFormat?
  @Option(
    help: ArgumentHelp("Values that the optimizer keeps of a parameter: 2 AdamW (default), 1 Muon.", valueName: "n"))
  var moments: Int?
  @Option(help: ArgumentHelp("Format of these (default: bf16, or the recipe's).", valueName: "format"))
  var momentFormat: NumberFormat?
  @Option(help: ArgumentHelp("Format of kept activations (default: bf16; of a recipe f32).", valueName: "format"))
  var activations: NumberFormat?
  @Option(
    help: ArgumentHelp(
      "What is computed again instead of kept: none, selective or layer (default: selective, or the recipe's).",
      valueName: "kind"))
  var recompute: TrainingMemory.Recomputation?
  @Option(help: ArgumentHelp("Tokens whose activations are in memory (default: a sequence a device or server).", valueName: "n"))
  var tokensInFlight: Quantity?

  /// The names of those that were given.
  var given: [String] {
    let all = [
      ("tokens", tokens != nil), ("sequence-length", sequenceLength != nil), ("utilization", utilization != nil),
      ("hours-per-trillion", hoursPerTrillion != nil), ("master-weights", masterWeights != nil),
      ("gradients", gradients != nil), ("moments", moments != nil), ("moment-format", momentFormat != nil),
      ("activations", activations != nil), ("recompute", recompute != nil), ("tokens-in-flight", tokensInFlight != nil),
    ]
    return all.filter { $0.1 }.map { $0.0 }
  }

  /// What was given in the place of the formats.
  func changed(_ formats: TrainingMemory.Formats, weights: NumberFormat?) throws -> TrainingMemory.Formats {
    var formats = formats
    if let weights { formats.weights = weights }
    if let masterWeights {
      let format = NumberFormat(rawValue: masterWeights)
      guard format != nil || masterWeights == "none" else {
        let names = NumberFormat.allCases.map(\.rawValue).joined(separator: ", ")
        throw CommandError("--master-weights: found '\(masterWeights)', expected none, \(names).")
      }
      formats.masterWeights = format
    }
    if let gradients { formats.gradients = gradients }
    if let moments { formats.momentCount = moments }
    if let momentFormat { formats.moments = momentFormat }
    if let activations { formats.activations = activations }
    if let recompute { formats.recomputation = recompute }
    return formats
  }

  /// The run with what was given in the place of its own numbers; other stages stay.
  func changed(_ run: TrainingRun, peak: Double) throws -> TrainingRun {
    var run = run
    let isGiven = tokens != nil || sequenceLength != nil || utilization != nil || hoursPerTrillion != nil
    guard isGiven, var first = run.stages.first else { return run }
    guard var portion = first.portions.first else {
      throw CommandError(
        "--tokens, --sequence-length, --utilization and --hours-per-trillion: no tokens are published of this model's training.")
    }
    if let tokens { portion.tokens = Sourced(tokens.value, .given("--tokens")) }
    if let sequenceLength { portion.sequenceLength = Sourced(sequenceLength.value, .given("--sequence-length")) }
    first.portions = [portion]
    if let utilization { first.pace = .utilization(Sourced(utilization.value, .given("--utilization"))) }
    if let hoursPerTrillion {
      if utilization != nil { throw CommandError("--hours-per-trillion does not go with --utilization.") }
      let range = 1e-9...1e12, hours = hoursPerTrillion.value * portion.tokens.value / 1e12
      guard range.contains(hoursPerTrillion.value), hours <= range.upperBound || !(portion.tokens.value <= 1e18) else {
        throw CommandError(
          "--hours-per-trillion: found \(hoursPerTrillion.value), expected a number from 1e-9 to 1e12, and at most 1e12 hours in all."
        )
      }
      first.pace = .deviceHours(Sourced(hours, .given("--hours-per-trillion")), bf16FLOPsPerSecond: peak)
    }
    run.stages[0] = first
    return run
  }
}

/// How a model is served.
struct ServingArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Devices that compute prompts together (default: as --count).", valueName: "n"))
  var prefillCount: Quantity?
  @Option(help: ArgumentHelp("Sequences that a device decodes at once.", valueName: "n"))
  var batch: Int?
  @Option(help: ArgumentHelp("Positions that a generated token sees.", valueName: "n"))
  var positions: Quantity?
  @Option(help: ArgumentHelp("Tokens of a prompt.", valueName: "n"))
  var promptTokens: Quantity?
  @Option(help: ArgumentHelp("Part of prompts that is stored, 0 to 1.", valueName: "x"))
  var hitShare: Quantity?
  @Option(help: ArgumentHelp("The slowest that an answer may be, tokens/s.", valueName: "x"))
  var tokensPerSecond: Quantity?
  @Option(help: ArgumentHelp("Part of the computed bound that a service reaches.", valueName: "x"))
  var reachedShare: Quantity?
  @Option(help: ArgumentHelp("Tokens of an answer a pass: more than 1 with guesses.", valueName: "x"))
  var tokensPerPass: Quantity?
  @Option(help: ArgumentHelp("Format of the cache.", valueName: "format"))
  var cacheFormat: NumberFormat?

  /// The names of those that were given.
  var given: [String] {
    let all = [
      ("prefill-count", prefillCount != nil), ("batch", batch != nil), ("positions", positions != nil),
      ("prompt-tokens", promptTokens != nil), ("hit-share", hitShare != nil), ("tokens-per-second", tokensPerSecond != nil),
      ("reached-share", reachedShare != nil), ("tokens-per-pass", tokensPerPass != nil), ("cache-format", cacheFormat != nil),
    ]
    return all.filter { $0.1 }.map { $0.0 }
  }

  func changed(_ setup: ServingPlan.Setup, count: Quantity?) -> ServingPlan.Setup {
    var setup = setup
    func take(_ quantity: Quantity?, _ flag: String, _ field: WritableKeyPath<ServingPlan.Setup, Sourced>) {
      if let quantity { setup[keyPath: field] = Sourced(quantity.value, .given(flag)) }
    }
    take(count, "--count", \.decodeDevices)
    take(count, "--count", \.prefillDevices)
    take(prefillCount, "--prefill-count", \.prefillDevices)
    if let batch { setup.sequencesPerDevice = Sourced(Double(batch), .given("--batch")) }
    take(positions, "--positions", \.positions)
    take(promptTokens, "--prompt-tokens", \.promptTokens)
    take(hitShare, "--hit-share", \.hitShare)
    take(tokensPerSecond, "--tokens-per-second", \.tokensPerSecond)
    take(reachedShare, "--reached-share", \.reachedShare)
    take(tokensPerPass, "--tokens-per-pass", \.tokensPerPass)
    if let cacheFormat { setup.cache = cacheFormat }
    return setup
  }
}
