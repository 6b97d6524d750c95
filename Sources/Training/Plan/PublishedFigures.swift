public import SwiftletModels

/// A published figure beside the one that is computed here.
public struct PublishedFigure: Sendable, Equatable {
  public var name: String
  /// Of both numbers: `parameters`, `h`, `USD`.
  public var unit: String
  public var published: Double
  public var computed: Double
  public var source: String
  /// The computed figure cannot differ: what was published went into it.
  public var isInput: Bool

  public init(_ name: String, _ unit: String, published: Double, computed: Double, _ source: String, isInput: Bool = false) {
    (self.name, self.unit, self.published, self.computed) = (name, unit, published, computed)
    (self.source, self.isInput) = (source, isInput)
  }

  /// By which part the computed figure is above the published one.
  public var difference: Double { computed / published - 1 }
}

extension PublishedFigure {
  /// What is published of a preset's shape: parameters, operations, cache.
  public static func shape(_ name: String, _ configuration: ModelConfiguration) -> [PublishedFigure] {
    let count = configuration.parameterCount, cache = Double(configuration.cachedValuesPerPosition) * 2
    let perToken = TokenFLOPs(configuration).training(sequenceLength: 4096)
    func parameters(_ total: Double, _ active: Double?, _ source: String) -> [PublishedFigure] {
      [PublishedFigure("parameters", "parameters", published: total, computed: Double(count.total), source)]
        + (active.map {
          [PublishedFigure("active parameters", "parameters", published: $0, computed: Double(count.active), source)]
        } ?? [])
    }
    func operations(_ flops: Double) -> PublishedFigure {
      PublishedFigure(
        "training a token, 4096 positions", "FLOP", published: flops, computed: perToken, "arXiv 2505.09343, table 2")
    }
    func cached(_ bytes: Double) -> PublishedFigure {
      PublishedFigure("cache of a token in BF16", "bytes", published: bytes, computed: cache, "arXiv 2505.09343, table 1")
    }
    switch name {
    case "deepseek-v3", "deepseek-r1":
      let prediction = PublishedFigure(
        "parameters of multi-token prediction", "parameters", published: 11.5e9,
        computed: Double(configuration.predictionParts.total), "DeepSeek-V3 README_WEIGHTS")
      return parameters(671e9, 37e9, "DeepSeek-V3 report") + [prediction, operations(250e9), cached(70_272)]
    case "deepseek-v2": return parameters(236e9, 21e9, "DeepSeek-V2 report") + [operations(155e9)]
    case "deepseek-v2-lite": return parameters(15.7e9, 2.4e9, "DeepSeek-V2 report, appendix B")
    case "llama-3.1-405b": return parameters(405e9, nil, "Llama 3 report") + [operations(2448e9), cached(516_096)]
    case "r1-distill-llama-8b": return parameters(8.03e9, nil, "Llama 3.1 model card")
    case "r1-distill-llama-70b": return parameters(70.6e9, nil, "Llama 3.1 model card")
    case "r1-distill-qwen-1.5b": return parameters(1.78e9, nil, "DeepSeek-R1-Distill-Qwen-1.5B, size of the repository's weights")
    case "r1-distill-qwen-7b": return parameters(7.62e9, nil, "Qwen2.5 report, model card")
    case "r1-distill-qwen-14b": return parameters(14.8e9, nil, "Qwen2.5 report, model card")
    case "r1-distill-qwen-32b": return parameters(32.8e9, nil, "Qwen2.5 report, model card")
    default: return []
    }
  }

  /// What is published of a preset's training, beside a plan of the published run.
  public static func training(_ name: String, _ plan: TrainingPlan) -> [PublishedFigure] {
    let costs = plan.costs
    func hours(_ name: String, _ hours: Double, _ stage: Int, _ source: String) -> PublishedFigure {
      PublishedFigure(name, "h", published: hours, computed: costs[stage].deviceHours, source, isInput: true)
    }
    func total(_ hours: Double, _ source: String) -> PublishedFigure {
      PublishedFigure("hours in all", "h", published: hours, computed: plan.deviceHours, source)
    }
    func dollars(_ dollars: Double, _ source: String) -> PublishedFigure {
      PublishedFigure("cost", "USD", published: dollars, computed: plan.dollars, source)
    }
    switch (name, costs.count) {
    case ("deepseek-v3", 3):
      let table = "DeepSeek-V3 report, table 1", perTrillion = plan.deviceHoursPerTrillionTokens ?? 0
      return [
        hours("pretraining", 2664e3, 0, table), hours("context extension", 119e3, 1, table),
        hours("post-training", 5e3, 2, table),
        total(2788e3, table), dollars(5.576e6, table),
        PublishedFigure(
          "hours of a trillion tokens", "h", published: 180e3, computed: perTrillion, "DeepSeek-V3 report, section 1",
          isInput: true),
        PublishedFigure(
          "days of a trillion tokens", "days", published: 3.7, computed: perTrillion / plan.deviceCount.value / 24,
          "DeepSeek-V3 report, section 1"),
        PublishedFigure(
          "utilization of pretraining", "", published: 0.3894, computed: costs[0].utilization ?? 0,
          "arXiv 2505.09343, table 4, causal"),
      ]
    case ("deepseek-r1", 3):
      let source = "DeepSeek-R1 paper, appendix B.4.4, table 7"
      return [
        hours("R1-Zero", 101e3, 0, source), hours("data for fine-tuning", 5e3, 1, source), hours("R1", 41e3, 2, source),
        total(147e3, source), dollars(294e3, source),
      ]
    case ("deepseek-v2", 1):
      return [
        PublishedFigure(
          "hours of a trillion tokens", "h", published: 172.8e3, computed: plan.deviceHoursPerTrillionTokens ?? 0,
          "DeepSeek-V2 report, section 3.2.3", isInput: true)
      ]
    case ("llama-3.1-405b", 1):
      return [
        hours("training", 30.84e6, 0, "Llama 3.1 model card"),
        PublishedFigure(
          "operations in all", "FLOP", published: 3.8e25, computed: plan.flops, "Llama 3 report, section 3.2"),
      ]
    default: return []
    }
  }

  /// What DeepSeek tells of its service in a day, and its prices, beside a plan of V3 or R1 on H800s.
  public static func serving(_ plan: ServingPlan) -> [PublishedFigure] {
    let source = "DeepSeek, inference system overview, 2025-03-01", decode = plan.chosenDecode
    // Prompts are counted with what was stored.
    let prefill = plan.prefillTokensPerSecondOfDevice / max(1e-9, 1 - plan.setup.hitShare.value) * 8
    let day =
      (608e3 - 342e3) * plan.missPrice.dollars + 342e3 * plan.hitPrice.dollars + 168e3 * decode.price.dollars
    return [
      PublishedFigure(
        "output of eight devices", "tokens/s", published: 14.8e3, computed: decode.tokensPerSecondOfDevice * 8, source),
      PublishedFigure("input of eight devices, stored and not", "tokens/s", published: 73.7e3, computed: prefill, source),
      PublishedFigure("speed of an answer", "tokens/s", published: 21, computed: decode.tokensPerSecondOfSequence, source),
      PublishedFigure(
        "cost of a day: 342B stored, 266B computed, 168B generated", "USD", published: 87_072, computed: day, source),
    ]
  }
}

/// What providers ask for a million tokens, dollars.
public struct PublishedPrice: Sendable, Equatable {
  public var name: String
  public var hit: Double
  public var miss: Double
  public var output: Double
  public var source: String

  /// $0.14 and $0.55, which are often quoted, are the prices of R1's input, stored and not.
  public static let all = [
    PublishedPrice(
      name: "deepseek-reasoner (R1)", hit: 0.14, miss: 0.55, output: 2.19, source: "api-docs.deepseek.com, pricing, early 2025"),
    PublishedPrice(
      name: "deepseek-chat (V3)", hit: 0.07, miss: 0.27, output: 1.10, source: "api-docs.deepseek.com, pricing, early 2025"),
  ]

  /// What they are, beside a table that has them.
  public static let note =
    "prices that DeepSeek asked in early 2025; $0.14 and $0.55 are those of R1's input, stored and computed"
}
