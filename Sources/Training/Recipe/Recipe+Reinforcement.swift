public import SwiftletTasks
public import SwiftletTensors

extension Recipe {
  /// Training on answers of the model's own, by rewards (GRPO).
  public struct Reinforcement: Sendable, Equatable {
    public enum Problems: Sendable, Equatable {
      case tasks([TaskChoice])
      /// - Parameter skipsBroken: leaves lines out that are no problems; else the first one is an error.
      case file(path: String, format: ProblemFileFormat, skipsBroken: Bool)
    }

    /// A family of `swiftlet tasks`.
    public struct TaskChoice: Sendable, Equatable {
      public var family: String
      public var difficulty: Int
      public var weight: Double
    }

    public enum Prompt: Sendable, Equatable {
      /// A built-in chat template or a Jinja file; nil for the model's own.
      case chat(template: String?)
      /// Text for models without one; `{question}` stands for the question.
      case plain(String)
    }

    /// What becomes of prompts whose answers all have the same reward, and teach nothing.
    public enum ZeroVariance: String, Sendable, CaseIterable {
      case drop
      /// Other problems are asked in their place (DAPO's dynamic sampling).
      case resample
      /// They stay in the step and count in its means.
      case keep
    }

    /// What becomes of answers that were cut at the most tokens.
    public enum Truncated: String, Sendable, CaseIterable {
      case keep
      /// Nothing is learned from their tokens.
      case mask
    }

    public var problems: Problems
    public var prompt: Prompt
    /// Follows each question instead of the usual request; empty for none, nil for the usual one.
    public var instruction: String?
    /// Whether only what stands between answer tags counts.
    public var isStrict: Bool
    /// Problems of a step.
    public var prompts: Int
    /// Answers to each.
    public var samples: Int
    /// Of an answer.
    public var maximumTokens: Int
    public var rewards: [RewardSetting]
    public var advantage: AdvantageRule
    public var loss: PolicyNormalization
    public var clipping: PolicyLossOptions
    /// Steps after which the reference becomes the policy of that time; 0 for never.
    public var referenceInterval: Int
    /// Optimizer steps of a rollout, and how often it is gone through.
    public var minibatches: Int
    public var epochs: Int
    public var zeroVariance: ZeroVariance
    /// So many times other problems are asked in a step.
    public var resampleLimit: Int
    public var truncated: Truncated
    /// Whether the routers' biases stay as they are.
    public var freezesRouterBias: Bool
    /// What answers are drawn in; nil for the precision that is trained in, so that sampler and trainer compute the same.
    public var rolloutPrecision: ProductPrecision?
  }

  static func reinforcement(_ value: RecipeValue) throws(RecipeError) -> Reinforcement {
    let fields = try value.fields(
      "tasks", "problems", "format", "skip_broken", "template", "prompt", "instruction", "strict", "prompts", "samples",
      "max_new_tokens", "temperature", "rewards", "advantage", "loss", "clip_low", "clip_high", "beta", "reference_interval",
      "minibatches", "epochs", "zero_variance", "resample_limit", "truncated", "freeze_router_bias",
      "rollout_precision")
    var clipping = PolicyLossOptions(
      clipLow: Float(try fields.number("clip_low", 0...1, default: 0.2)),
      clipHigh: Float(try fields.number("clip_high", 0...100, default: 0.28)))
    clipping.beta = Float(try fields.number("beta", 0...1000, default: 0))
    if clipping.beta == 0, let value = fields["reference_interval"] {
      throw value.error("needs beta above 0: without it there is no reference")
    }
    if let value = fields["temperature"], try value.number(0...2) != 1 {
      throw value.wrong("1: what is learned from is the distribution that answers are drawn from")
    }
    let zeroVariance = try fields.choice("zero_variance", default: Reinforcement.ZeroVariance.drop)
    if zeroVariance != .resample, let value = fields["resample_limit"] {
      throw value.error("is for zero_variance: resample alone")
    }
    let prompts = try fields.required("prompts").integer(1...1 << 16),
      samples = try fields.required("samples").integer(2...1 << 12)
    let rolloutPrecision = try fields["rollout_precision"]?.choice(ProductPrecision.self)
    if let value = fields["rollout_precision"], rolloutPrecision == .float8 {
      throw value.error("answers cannot be drawn from fp8, expected bfloat16 or float32")
    }
    let minibatches = try fields.integer("minibatches", 1...1 << 12, default: 1)
    if let value = fields["minibatches"], minibatches > prompts * samples {
      throw value.wrong("at most prompts times samples, which is \(prompts * samples)")
    }
    let maximumTokens = try fields.required("max_new_tokens").integer(1...1 << 20)
    return Reinforcement(
      problems: try problems(fields), prompt: try prompt(fields),
      // An empty text is no missing one.
      instruction: try fields.values["instruction"].map { value throws(RecipeError) in
        guard let text = value.node.scalar?.string else { throw value.wrong("a text") }
        return text
      },
      isStrict: try fields.bool("strict", default: true), prompts: prompts, samples: samples,
      maximumTokens: maximumTokens, rewards: try rewards(fields.required("rewards"), maximumTokens: maximumTokens),
      advantage: try fields.choice("advantage", default: .group),
      loss: try fields.choice("loss", default: .tokens), clipping: clipping,
      referenceInterval: try fields.integer("reference_interval", 0...1 << 40, default: 0), minibatches: minibatches,
      epochs: try fields.integer("epochs", 1...1000, default: 1), zeroVariance: zeroVariance,
      resampleLimit: try fields.integer("resample_limit", 1...1000, default: 4),
      truncated: try fields.choice("truncated", default: .keep),
      freezesRouterBias: try fields.bool("freeze_router_bias", default: true), rolloutPrecision: rolloutPrecision)
  }

  private static func problems(_ fields: RecipeFields) throws(RecipeError) -> Reinforcement.Problems {
    switch (fields["tasks"], fields["problems"]) {
    case (let tasks?, nil):
      for name in ["format", "skip_broken"] {
        if let value = fields[name] { throw value.error("is for problems (a file) alone") }
      }
      let choices = try tasks.elements().map { element throws(RecipeError) -> Reinforcement.TaskChoice in
        let group = try element.fields("family", "difficulty", "weight"), name = try group.required("family")
        let known = TaskFamilies.known.map(\.name), family = try name.string()
        guard known.contains(family) else { throw name.wrong("one of \(known.joined(separator: ", "))") }
        let difficulties = TaskSet.difficulties
        return .init(
          family: family, difficulty: try group.integer("difficulty", difficulties, default: 1),
          weight: try group.number("weight", 1e-9...1e9, default: 1))
      }
      if choices.isEmpty { throw tasks.wrong("at least one family") }
      return .tasks(choices)
    case (nil, let file?):
      return .file(
        path: try file.string(), format: try fields.choice("format", default: .jsonl),
        skipsBroken: try fields.bool("skip_broken", default: false))
    default: throw fields.group.error("expected either tasks (a list of families) or problems (a file)")
    }
  }

  private static func prompt(_ fields: RecipeFields) throws(RecipeError) -> Reinforcement.Prompt {
    guard let plain = fields["prompt"] else { return .chat(template: try fields["template"]?.string()) }
    if let value = fields["template"] { throw value.error("is for chats; prompt takes its place") }
    let text = try plain.string()
    guard text.contains(Reinforcement.questionMark) else { throw plain.wrong("a text with \(Reinforcement.questionMark) in it") }
    return .plain(text)
  }

  private static func rewards(_ value: RecipeValue, maximumTokens: Int) throws(RecipeError) -> [RewardSetting] {
    let fields = try value.fields("accuracy", "format", "language", "length", "command")
    var result: [RewardSetting] = []
    let weights = -1e6...1e6
    for (name, kind) in [("accuracy", RewardSetting.Kind.accuracy), ("format", .format), ("language", .language)] {
      if let value = fields[name] { result.append(RewardSetting(kind: kind, weight: try value.number(weights))) }
    }
    if let length = fields["length"] {
      let group = try length.fields("weight", "buffer")
      result.append(
        RewardSetting(
          // A longer one would punish every answer.
          kind: .length(buffer: try group.required("buffer").integer(1...maximumTokens)),
          weight: try group.number("weight", weights, default: 1)))
    }
    if let command = fields["command"] {
      let group = try command.fields("run", "weight", "seconds", "output_bytes", "on_error", "limit")
      let run = RewardCommand(
        arguments: try group.required("run").strings(), seconds: try group.number("seconds", 0.1...86400, default: 60),
        outputBytes: try group.integer("output_bytes", 64...1 << 30, default: 1 << 20),
        onError: try group.choice("on_error", default: .stop), failureLimit: try group.integer("limit", 1...1 << 20, default: 8))
      result.append(RewardSetting(kind: .command(run), weight: try group.number("weight", weights, default: 1)))
    }
    if result.isEmpty { throw value.wrong("at least one of accuracy, format, language, length, command") }
    return result
  }
}

extension Recipe.Reinforcement {
  static let questionMark = "{question}"
}
