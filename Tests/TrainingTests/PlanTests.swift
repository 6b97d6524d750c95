import Foundation
import SwiftletCheckpoints
import SwiftletJSON
import SwiftletModels
import SwiftletTraining
import Testing

/// The tiny checkpoints of the models' tests.
private enum Checkpoints {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../ModelsTests/Fixtures/checkpoints").standardized
  static let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()

  static func configuration(_ name: String) throws -> ModelConfiguration {
    let path = folder.appendingPathComponent(name).path
    return try ModelConfiguration(
      json: JSONValue(parsing: Array(Data(contentsOf: URL(fileURLWithPath: path + "/config.json")))), source: path)
  }
}

private func preset(_ name: String) throws -> ModelConfiguration { try #require(ModelPreset.named(name)).configuration }

private func published(_ name: String) throws -> TrainingPlan {
  let configuration = try preset(name), run = try #require(TrainingRun.published(name, configuration))
  return try TrainingPlan(configuration, stages: run.stages, hardware: run.hardware, deviceCount: run.deviceCount)
}

private func isNear(_ value: Double, _ expected: Double, within share: Double = 1e-9) -> Bool {
  abs(value / expected - 1) <= share
}

@Suite struct PlanParameterTests {
  private var fields: [WritableKeyPath<ModelConfiguration.ParameterParts, Int>] {
    [
      \.embedding, \.head, \.attention, \.norms, \.denseFeedForward, \.router, \.sharedExperts, \.routedExperts, \.chosenExperts,
    ]
  }

  /// The sum of the parts is what the files hold, part by part as the tensors' names say.
  @Test(arguments: Checkpoints.names) func partsAreThoseOfTheFiles(name: String) throws {
    let configuration = try Checkpoints.configuration(name), parts = configuration.parameterParts
    var found = parts
    for field in fields { found[keyPath: field] = 0 }
    for (name, tensor) in try SafetensorsFolder(path: Checkpoints.folder.appendingPathComponent(name).path).tensors {
      let count = tensor.shape.count
      if (0..<8).contains(where: { name.hasPrefix("model.layers.\(configuration.layerCount + $0).") }) { continue }
      if name.contains("norm") {
        found.norms += count
      } else if name.contains("embed_tokens") {
        found.embedding += count
      } else if name.contains("lm_head") {
        found.head += count
      } else if name.contains("self_attn") {
        found.attention += count
      } else if name.contains("shared_experts") {
        found.sharedExperts += count
      } else if name.contains("mlp.experts.") {
        found.routedExperts += count
      } else if name.contains("mlp.gate.") {
        found.router += count
      } else {
        found.denseFeedForward += count
      }
    }
    if let mixture = configuration.mixture {
      found.chosenExperts = found.routedExperts / mixture.expertCount * mixture.expertsPerToken
    }
    #expect(parts == found)
  }

  /// The layer that predicts further tokens, without the embedding and the head, which checkpoints store again.
  @Test func countsThePredictionLayer() throws {
    let name = "deepseek-v3-next-token", configuration = try Checkpoints.configuration(name)
    let extra = try SafetensorsFolder(path: Checkpoints.folder.appendingPathComponent(name).path).tensors.filter {
      $0.name.hasPrefix("model.layers.\(configuration.layerCount).") && !$0.name.contains("embed_tokens")
        && !$0.name.contains("shared_head.head")
    }
    #expect(configuration.predictionParts.total == extra.reduce(0) { $0 + $1.tensor.shape.count })
  }

  @Test(arguments: ModelPreset.all.map(\.name)) func presetsHaveThePublishedShapes(name: String) throws {
    let figures = PublishedFigure.shape(name, try preset(name))
    #expect(!figures.isEmpty)
    for figure in figures {
      // Published with two or three digits; 2.45 B of V2-Lite are told as 2.4.
      let tolerance = figure.unit == "bytes" ? 0 : name == "deepseek-v2-lite" ? 0.022 : 0.0105
      #expect(abs(figure.difference) <= tolerance, "\(figure.name): \(figure.computed), published \(figure.published)")
    }
  }

  /// 576 values of 61 layers, and of V2-Lite's 27; 8 heads of 128 keys and values in 126 layers.
  @Test func cachesThePublishedBytes() throws {
    #expect(try preset("deepseek-v3").cachedValuesPerPosition * 2 == 70_272)
    #expect(try preset("deepseek-v2-lite").cachedValuesPerPosition * 2 == 31_104)
    #expect(try preset("llama-3.1-405b").cachedValuesPerPosition * 2 == 516_096)
  }

  @Test func aWrongConfigurationIsNamed() throws {
    var members = try #require(ModelPreset.named("deepseek-v3")).json.members ?? []
    members.removeAll { $0.key == "kv_lora_rank" }
    for (value, word) in [(JSONValue?.none, "is missing"), (-512, "-512")] {
      let json = JSONValue.object(members + (value.map { [JSONMember(key: "kv_lora_rank", value: $0)] } ?? []))
      let error = #expect(throws: CheckpointError.self) { try ModelConfiguration(json: json, source: "config.json") }
      #expect(error?.field == "kv_lora_rank" && error?.description.contains(word) == true)
    }
  }
}

@Suite struct PlanOperationTests {
  /// Two layers of width 8 with 2 heads of 4, one of keys; feed-forward 16; vocabulary 10: weights in products are
  /// 2 (64 + 32 + 32 + 64 + 3 · 128) + 80 = 1232, and a position costs 2 · 2 heads · (4 + 4) in each of two layers.
  @Test func countsAGroupedQueryModelByHand() throws {
    let configuration = try ModelConfiguration(
      json: [
        "model_type": "llama", "vocab_size": 10, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1,
      ], source: "config.json")
    let token = TokenFLOPs(configuration)
    #expect(token.products == 2 * 1232)
    #expect(token.attentionPerPosition == 64)
    // The mean token of a sequence of seven sees four.
    #expect(token.training(sequenceLength: 7) == 3 * (2464 + 64 * 4))
  }

  /// A head's key has 128 + 64 values, its value 128; absorbed 512 + 64 and 512 (DeepSeek-V2 report, section 2.1).
  @Test func countsLatentAttentionInBothForms() throws {
    let configuration = try preset("deepseek-v3")
    #expect(TokenFLOPs(configuration).attentionPerPosition == 61 * 2 * 128 * 320)
    #expect(TokenFLOPs(configuration, absorbed: true).attentionPerPosition == 61 * 2 * 128 * 1088)
    #expect(TokenFLOPs(configuration).products == TokenFLOPs(configuration, absorbed: true).products)
  }

  /// Bytes of a parameter: 2 + 4 + 4 + 2 · 2 as DeepSeek-V3 keeps them.
  @Test func keepsFourteenBytesOfAParameter() throws {
    let configuration = try preset("llama-3.1-405b")
    let memory = try TrainingMemory(configuration, tokensInFlight: 10)
    let state = memory.weights + memory.masterWeights + memory.gradients + memory.optimizerState
    #expect(state == 14 * 405_853_388_800)
    #expect(memory.total == state + memory.activations && memory.activations == 10 * memory.activationsPerToken)
  }

  /// What layers keep of a token by hand, and F32 logits: with whole layers computed again only their inputs; the same for a model
  /// of width 8 as above: 4 · 8 + 2 · 8 + 2 · 4 of attention, 3 · 16 of the feed-forward part, two layers.
  @Test func keepsActivations() throws {
    let configuration = try ModelConfiguration(
      json: [
        "model_type": "llama", "vocab_size": 10, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1,
      ], source: "config.json")
    func bytes(_ kind: TrainingMemory.Recomputation) throws -> Double {
      var formats = TrainingMemory.Formats()
      formats.recomputation = kind
      return try TrainingMemory(configuration, formats: formats, tokensInFlight: 1).activationsPerToken
    }
    #expect(try bytes(.none) == 2 * 2 * (56 + 48) + 40)
    #expect(try bytes(.selective) == 2 * 2 * (40 + 32) + 40)
    #expect(try bytes(.layer) == 2 * 2 * 8 + 40)
  }
}

@Suite struct TrainingPlanTests {
  @Test func v3CostsWhatWasPublished() throws {
    let plan = try published("deepseek-v3"), costs = plan.costs
    #expect(zip(costs.map(\.deviceHours), [2664e3, 119e3, 5e3]).allSatisfy { isNear($0, $1) })
    #expect(isNear(plan.deviceHours, 2788e3) && isNear(plan.dollars, 5.576e6))
    #expect(isNear(try #require(plan.deviceHoursPerTrillionTokens), 180e3))
    // Published as "less than two months" on 2048 devices, and 3.7 days for a trillion tokens.
    #expect((54...55).contains(costs[0].days))
    // Utilisation is computed from operations and hours; another paper has measured it.
    #expect(isNear(try #require(costs[0].utilization), 0.3894, within: 0.005))
    // 1275 W and a factor of 1.2.
    #expect(isNear(plan.kilowattHours, 2788e3 * 1.53))
  }

  @Test func r1CostsWhatWasPublished() throws {
    let plan = try published("deepseek-r1")
    #expect(isNear(plan.deviceHours, 147e3) && isNear(plan.dollars, 294e3))
  }

  @Test(arguments: ["deepseek-v3", "deepseek-r1", "deepseek-v2", "llama-3.1-405b"])
  func figuresAgree(name: String) throws {
    let figures = PublishedFigure.training(name, try published(name))
    #expect(!figures.isEmpty)
    // Meta's 3.8e25 is rounded and does not say what it counts.
    for figure in figures { #expect(abs(figure.difference) < (figure.isInput ? 1e-9 : 0.04), "\(figure.name)") }
  }

  /// Twice the peak takes half the hours, with and without known tokens; twice the devices half the days.
  @Test func scalesWithHardware() throws {
    let plan = try published("deepseek-v3")
    var fast = plan.hardware
    fast.bf16FLOPsPerSecond.value *= 2
    let other = try TrainingPlan(
      plan.configuration, stages: plan.stages, hardware: fast, deviceCount: Sourced(4096, .given("a test")))
    #expect(isNear(other.deviceHours, plan.deviceHours / 2) && isNear(other.days, plan.days / 4))
  }

  /// Six operations a parameter and token, but for attention: the rule of thumb of a dense model.
  @Test func aPlainPlanFollowsTheRule() throws {
    let configuration = try preset("r1-distill-llama-8b")
    let portion = TrainingStage.Portion(
      tokens: Sourced(1e12, .given("a test")), sequenceLength: Sourced(1, .given("a test")))
    let stage = TrainingStage(name: "run", portions: [portion], pace: .utilization(Sourced(0.5, .given("a test"))))
    let plan = try TrainingPlan(configuration, stages: [stage], hardware: .a100, deviceCount: Sourced(8, .given("a test")))
    let hours = 6 * Double(configuration.parameterCount.active) * 1e12 / (0.5 * 312e12 * 3600)
    #expect(isNear(plan.deviceHours, hours, within: 1e-3))
  }

  /// Places of one value only are given some width.
  @Test func linesOfOneValueHaveAxes() {
    for (x, y) in [(0.0, 0.0), (5, 50), (0.004, 1)] {
      let series = [LinePlot.Series(name: "a", color: LinePlot.blue, points: [(x, y), (x, y)], isMarked: true)]
      let svg = LinePlot(title: "t", subtitle: "s", series: series, axis: "seconds", countsWhole: false).svg
      #expect(!svg.contains("0.0000") && !svg.contains("nan"), "\(svg)")
    }
  }

  @Test func sensitivityIsOfTheSamePlan() throws {
    let plan = try published("deepseek-v3"), sensitivity = Sensitivity(plan)
    #expect(sensitivity.dollars == plan.dollars)
    #expect(sensitivity.rows.map(\.swingDollars) == sensitivity.rows.map(\.swingDollars).sorted(by: >))
    func row(_ name: String) throws -> Sensitivity.Row { try #require(sensitivity.rows.first { $0.name == name }) }
    let price = try row("price of a device")
    #expect(isNear(price.dollarsAtLow, 2.788e6) && isNear(price.dollarsAtHigh, 11.152e6))
    // Post-training's 5K hours do not depend on tokens or utilisation, and context extension's not on tokens.
    #expect(isNear(try row("tokens").dollarsAtHigh, 2 * (1.25 * 2664e3 + 124e3)))
    #expect(isNear(try row("utilization").dollarsAtLow, 2 * (2783e3 / 0.75 + 5e3)))
    #expect(isNear(try row("stages after the first").dollarsAtHigh, 2 * (2664e3 + 3 * 124e3)))
    let svg = TornadoPlot(sensitivity, title: "a <test> & more").svg
    #expect(svg.hasPrefix("<svg ") && svg.hasSuffix("</svg>\n") && svg.contains("a &lt;test&gt; &amp; more"))
    for row in sensitivity.rows { #expect(svg.contains(">\(row.name)</text>")) }
  }

  @Test func wrongNumbersAreNamed() throws {
    let configuration = try preset("deepseek-v3"), run = try #require(TrainingRun.published("deepseek-v3", configuration))
    func error(_ change: (inout TrainingRun) -> Void) -> PlanError? {
      var changed = run
      change(&changed)
      return #expect(throws: PlanError.self) {
        try TrainingPlan(configuration, stages: changed.stages, hardware: changed.hardware, deviceCount: changed.deviceCount)
      }
    }
    #expect(error { $0.stages[0].portions[0].tokens.value = -1 }?.name == "tokens")
    #expect(error { $0.stages[0].portions[0].sequenceLength.value = 0 }?.name == "sequence length")
    #expect(error { $0.stages[0].pace = .utilization(Sourced(1.5, .given("a test"))) }?.name == "utilization")
    #expect(error { $0.hardware.dollarsPerHour.value = -2 }?.name == "dollars per hour")
    #expect(error { $0.hardware.watts.value = .nan }?.name == "watts")
    #expect(error { $0.hardware.bf16FLOPsPerSecond.value = 0 }?.name == "flops")
    #expect(error { $0.deviceCount.value = 0 }?.name == "count")
    #expect(error { $0.stages = [] }?.name == "stages")
    #expect(
      error { $0.deviceCount.value = -3 }?.description == "count: found -3, expected a number from 1 to 1000000000.")
    #expect(throws: PlanError.self) { try TrainingMemory(configuration, tokensInFlight: -1) }
  }

  @Test(arguments: Hardware.presets) func presetsAreSound(hardware: Hardware) throws { try hardware.validate() }
}

@Suite struct ServingPlanTests {
  private func plan(
    _ name: String, _ hardware: Hardware, weights: NumberFormat? = nil, change: (inout ServingPlan.Setup) -> Void = { _ in }
  ) throws -> ServingPlan {
    let configuration = try preset(name)
    var setup = ServingPlan.Setup(name, configuration, hardware: hardware, weights: weights)
    change(&setup)
    return try ServingPlan(configuration, hardware: hardware, setup: setup)
  }

  /// One share is fitted; with it output, input and the cost of a day are within a tenth of DeepSeek's own.
  @Test func r1IsServedAsDeepSeekTells() throws {
    let figures = PublishedFigure.serving(try plan("deepseek-r1", .h800))
    #expect(figures.count == 4)
    for figure in figures { #expect(abs(figure.difference) < 0.1, "\(figure.name): \(figure.computed)") }
  }

  @Test func costsStandBelowThePrices() throws {
    let plan = try plan("deepseek-r1", .h800), price = PublishedPrice.all[0]
    #expect(price.hit == 0.14 && price.miss == 0.55 && price.output == 2.19)
    #expect(plan.hitPrice.dollars < price.hit && plan.missPrice.dollars < price.miss && plan.outputPrice.dollars < price.output)
    // A stored token costs its bytes: 70,272 at 5 GiB/s and the reached share, at $2 an hour.
    #expect(isNear(plan.hitPrice.dollars, 1e6 * 70_272 / (5 * 0x1p30 * 0.43) / 3600 * 2))
  }

  /// Two threads: 15 W and a factor of 1.2, $0.08 an hour; at ten tokens a second a million take 100,000 seconds.
  @Test func measuredSpeedsArePriced() {
    let machine = Hardware.assumed(threadCount: 2), price = machine.price(secondsPerToken: 0.1)
    #expect(isNear(price.dollars, 1e5 / 3600 * 0.08) && isNear(price.kilowattHours, 0.5))
    #expect(isNear(machine.storedPrice(cacheBytes: 1e8).dollars, price.dollars))
    #expect(machine.measuredServingAssumptions.count == 5)
  }

  /// Measured on the same machine as the preset's bandwidth and arithmetic (docs/performance.md): 11.0 and 36.4 tokens a second.
  @Test func v2LiteOnTwoCoresIsAsMeasured() throws {
    let plan = try plan("deepseek-v2-lite", .epycAVX2, weights: .q4_0) {
      $0.positions.value = 64
      $0.promptTokens.value = 512
      $0.prefillTokensPerPass.value = 512
      $0.hitShare.value = 0
    }
    #expect(isNear(plan.decode(sequencesPerDevice: 1).tokensPerSecondOfDevice, 11.0, within: 0.1))
    #expect(isNear(plan.prefillTokensPerSecondOfDevice, 36.4, within: 0.2))
  }

  /// One sequence reads six of 64 experts of a layer; two by chance 64 (1 - (58/64)^2); many all of them.
  @Test func sequencesShareExperts() throws {
    let plan = try plan("deepseek-v2-lite", .h100)
    #expect(isNear(try #require(plan.decode(sequencesPerDevice: 1).distinctExperts), 6))
    #expect(isNear(try #require(plan.decode(sequencesPerDevice: 2).distinctExperts), 64 * (1 - pow(58.0 / 64, 2))))
    #expect(isNear(try #require(plan.decode(sequencesPerDevice: 1024).distinctExperts), 64))
  }

  /// By hand: a dense model on one device, one sequence: all weights but the embedding, and the cache, at 0.9 of 3.35 TB/s.
  @Test func aDenseModelReadsItsWeights() throws {
    let plan = try plan("r1-distill-llama-8b", .h100) { $0.positions.value = 1000 }
    let bytes = 2 * 7_504_924_672.0 + 1000 * 131_072
    #expect(isNear(plan.decode(sequencesPerDevice: 1).seconds, bytes / (3.35e12 * 0.9)))
    #expect(plan.decode(sequencesPerDevice: 1).limit == "memory")
  }

  @Test func biggerBatchesAreCheaperAndSlower() throws {
    let table = try plan("deepseek-v3", .h800).decodeTable
    #expect(table.count > 4)
    for (small, large) in zip(table, table.dropFirst()) {
      #expect(small.price.dollars > large.price.dollars && small.tokensPerSecondOfSequence > large.tokensPerSecondOfSequence)
    }
  }

  @Test func sensitivityIsOfGeneratedTokens() throws {
    let plan = try plan("deepseek-r1", .h800), sensitivity = Sensitivity(plan)
    #expect(sensitivity.dollars == plan.outputPrice.dollars && sensitivity.rows.count > 6)
    let price = try #require(sensitivity.rows.first { $0.name == "price of a device" })
    #expect(isNear(price.dollarsAtLow, sensitivity.dollars / 2) && isNear(price.dollarsAtHigh, sensitivity.dollars * 2))
    // More of anything that limits costs less.
    for name in ["network", "memory bandwidth", "peak arithmetic", "share of the bound reached"] {
      let row = try #require(sensitivity.rows.first { $0.name == name })
      #expect(row.dollarsAtLow >= sensitivity.dollars && row.dollarsAtHigh <= sensitivity.dollars)
    }
  }

  @Test func whatDoesNotFitIsNamed() throws {
    let alone = #expect(throws: PlanError.self) {
      try self.plan("deepseek-v3", .h800) { $0.decodeDevices.value = 1 }
    }
    #expect(alone?.name == "count")
    var lonely = Hardware.m3Ultra
    lonely.networkBytesPerSecond.value = 0
    #expect(throws: PlanError.self) { try self.plan("deepseek-v3", lonely) { $0.decodeDevices.value = 2 } }
    let share = #expect(throws: PlanError.self) { try self.plan("deepseek-v3", .h800) { $0.hitShare.value = -0.5 } }
    #expect(share?.name == "hit share")
  }
}

@Suite struct PlanTextTests {
  @Test(arguments: [
    (14.8e12, "14.8T"), (671_026_419_200, "671B"), (4096, "4096"), (32_768, "32.8K"), (999_600, "1M"), (0, "0"), (0.39, "0.39"),
  ])
  func countsAreShort(value: Double, text: String) { #expect(PlanText.count(value) == text) }

  @Test(arguments: [
    (5.576e6, "$5.576M"), (0.14, "$0.14"), (0.00724, "$0.00724"), (294e3, "$294K"), (2, "$2.00"), (1234, "$1234"),
  ])
  func dollarsAreShort(value: Double, text: String) { #expect(PlanText.dollars(value) == text) }
}
