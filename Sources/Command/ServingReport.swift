import SwiftletJSON
import SwiftletTraining

/// What `plan --serve` tells of a million tokens.
struct ServingReport {
  var subject: PlanSubject
  var plan: ServingPlan
  var figures: [PublishedFigure]
  var sensitivity: Sensitivity

  var text: String {
    PlanReport.header(subject) + prices + batches + PlanReport.published(figures) + PlanReport.sensitivity(sensitivity)
      + PlanReport.section("Memory", PlanReport.weightMemory(subject)) + PlanReport.assumptions(plan.assumptions)
  }

  private var prices: String {
    let hardware = plan.hardware, setup = plan.setup
    let title =
      "A million tokens on \(hardware.description), \(PlanText.count(setup.decodeDevices.value)) to decode and "
      + "\(PlanText.count(setup.prefillDevices.value)) for prompts together, weights in \(setup.weights.rawValue)"
    let table = PriceTable(
      stored: plan.hitPrice, computed: plan.missPrice, outputs: [(name: "output", price: plan.outputPrice)], asked: asked)
    return table.text(title)
  }

  /// What was asked for tokens of this very model.
  private var asked: [PublishedPrice] { subject.isPublishedService ? PublishedPrice.all : [] }

  private var batches: String {
    func row(_ point: ServingPlan.Decode, mark: String) -> [String] {
      [
        "\(point.sequencesPerDevice)\(mark)", point.distinctExperts.map { PlanText.short($0) } ?? "",
        PlanText.bytes(point.memoryBytesPerDevice), PlanText.short(point.seconds * 1000) + " ms", point.limit,
        PlanText.short(point.tokensPerSecondOfSequence), PlanText.short(point.tokensPerSecondOfDevice),
        PlanText.dollars(point.price.dollars), PlanText.prefixed(point.price.kilowattHours * 1000) + "Wh",
      ]
    }
    let chosen = plan.chosenDecode
    var points = plan.decodeTable.filter { $0.sequencesPerDevice != chosen.sequencesPerDevice }.map { ($0, "") }
    points.append((chosen, " *"))
    points.sort { $0.0.sequencesPerDevice < $1.0.sequencesPerDevice }
    let heads = [
      "sequences a device", "experts of a layer", "memory a device", "pass at best", "bound by", "tokens/s each", "a device",
      "cost of output", "energy",
    ]
    let slowest = plan.setup.tokensPerSecond.value
    var flaws: [String] = []
    if !chosen.fits { flaws.append("it does not fit") }
    if chosen.tokensPerSecondOfSequence < slowest {
      flaws.append("an answer is slower than the \(PlanText.count(slowest)) tokens/s of --tokens-per-second")
    }
    let note =
      "* taken above" + (flaws.isEmpty ? "" : ", although " + flaws.joined(separator: " and "))
      + "; prompts: \(PlanText.count(plan.prefillTokensPerSecondOfDevice)) tokens/s a device, bound by \(plan.prefillLimit)"
    return PlanReport.section("Generating, by batch", [heads] + points.map { row($0.0, mark: $0.1) }, leftAligned: 0, note: note)
  }

  var json: JSONValue {
    func point(_ point: ServingPlan.Decode) -> JSONValue {
      [
        "sequences_per_device": .integer(point.sequencesPerDevice),
        "distinct_experts": point.distinctExperts.map { .number($0) } ?? .null, "pass_seconds": .number(point.seconds),
        "limit": .string(point.limit), "tokens_per_second_of_sequence": .number(point.tokensPerSecondOfSequence),
        "tokens_per_second_of_device": .number(point.tokensPerSecondOfDevice),
        "memory_bytes_per_device": .number(point.memoryBytesPerDevice), "fits": .bool(point.fits),
        "dollars_per_million": .number(point.price.dollars),
      ]
    }
    let members: JSONValue = [
      "serving": [
        "hardware": .string(plan.hardware.name), "weights": .string(plan.setup.weights.rawValue),
        "cache": .string(plan.setup.cache.rawValue), "decode_devices": .number(plan.setup.decodeDevices.value),
        "prefill_devices": .number(plan.setup.prefillDevices.value), "input_cache_hit": PriceTable.json(plan.hitPrice),
        "input_cache_miss": PriceTable.json(plan.missPrice), "output": PriceTable.json(plan.outputPrice),
        "decode": point(plan.chosenDecode),
        "prefill_tokens_per_second_of_device": .number(plan.prefillTokensPerSecondOfDevice),
        "prefill_limit": .string(plan.prefillLimit), "batches": .array(plan.decodeTable.map(point)),
      ],
      "prices_per_million": PriceTable.json(asked), "published": PlanReport.json(figures),
      "sensitivity": PlanReport.json(sensitivity), "assumptions": PlanReport.json(plan.assumptions),
    ]
    return .object(PlanReport.json(subject) + (members.members ?? []))
  }
}
