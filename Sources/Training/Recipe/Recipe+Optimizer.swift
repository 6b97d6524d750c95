internal import SwiftletTensors

extension Recipe {
  private enum ScheduleName: String, CaseIterable {
    case constant
    case cosine
    case multiStep = "multi_step"
  }

  /// - Parameter steps: of the whole run; a cosine ends there unless it says where.
  static func optimizer(_ value: RecipeValue, steps: Int) throws(RecipeError) -> Optimizer {
    let fields = try value.fields(
      "name", "learning_rate", "schedule", "warm_up", "final_learning_rate", "cosine_from", "cosine_to", "later_step",
      "later_learning_rate", "drops", "weight_decay", "betas", "epsilon", "momentum", "state", "clip")
    let name = try fields.choice("name", default: Optimizer.Name.adamw)
    let peak = try fields.required("learning_rate").number(1e-12...10)
    let warmUp = try fields.integer("warm_up", 0...1 << 40, default: 0)
    let kind = try fields.choice("schedule", default: ScheduleName.constant)
    if warmUp > steps, let value = fields["warm_up"] { throw value.wrong("at most steps, which is \(steps)") }
    var schedule = LearningRateSchedule(peak: Float(peak), warmUpSteps: warmUp)
    for key in ["final_learning_rate", "cosine_from", "cosine_to", "later_step", "later_learning_rate"] where kind != .cosine {
      if let value = fields[key] { throw value.error("is for the schedule cosine alone") }
    }
    if kind != .multiStep, let value = fields["drops"] { throw value.error("is for the schedule multi_step alone") }
    switch kind {
    case .constant: break
    case .cosine:
      let (first, last) = try cosineSteps(fields, warmUp: warmUp, steps: steps)
      schedule.decay = .cosine(
        from: first, to: last, final: Float(try fields.number("final_learning_rate", 0...peak, default: 0.1 * peak)))
      schedule.tail = try tail(fields, after: last, peak: peak)
    case .multiStep: schedule.decay = .multiStep(try drops(fields["drops"], steps: steps))
    }
    let decay = Float(try fields.number("weight_decay", 0...10, default: 0.1))
    var adamW = AdamW.Options(weightDecay: decay)
    if let value = fields["betas"] {
      let betas = try value.elements()
      guard betas.count == 2 else { throw value.wrong("two numbers") }
      adamW.beta1 = Float(try betas[0].number(0...0.99999))
      adamW.beta2 = Float(try betas[1].number(0...0.99999))
    }
    adamW.epsilon = Float(try fields.number("epsilon", 1e-30...1, default: 1e-8))
    if name != .muon, let value = fields["momentum"] { throw value.error("is for the optimizer muon alone") }
    let muon = Muon.Options(momentum: Float(try fields.number("momentum", 0...0.99999, default: 0.95)), weightDecay: decay)
    let clip = try fields.number("clip", 0...1e9, default: 1)
    let state = try fields.choice("state", default: MomentFormat.float32)
    return Optimizer(name: name, schedule: schedule, adamW: adamW, muon: muon, state: state, clip: clip > 0 ? clip : nil)
  }

  /// Between which steps a cosine goes down.
  private static func cosineSteps(
    _ fields: RecipeFields, warmUp: Int, steps: Int
  ) throws(RecipeError) -> (first: Int, last: Int) {
    let first = try fields.integer("cosine_from", 0...1 << 40, default: warmUp)
    let last = try fields.integer("cosine_to", 0...1 << 40, default: max(steps, warmUp + 1))
    if first < warmUp, let value = fields["cosine_from"] { throw value.wrong("at least warm_up, which is \(warmUp)") }
    if last <= first {
      if let value = fields["cosine_to"] { throw value.wrong("a step after \(first), where the cosine begins") }
      if let value = fields["cosine_from"] { throw value.wrong("a step before \(last), where the cosine ends") }
    }
    return (first, last)
  }

  /// The constant rate behind a cosine.
  /// - Parameter last: the step at which the cosine ends.
  private static func tail(
    _ fields: RecipeFields, after last: Int, peak: Double
  ) throws(RecipeError) -> (step: Int, rate: Float)? {
    guard let value = fields["later_step"] else {
      if let rate = fields["later_learning_rate"] { throw rate.error("needs later_step, the step from which it holds") }
      return nil
    }
    guard fields["cosine_to"] != nil else { throw value.error("needs cosine_to, the step at which the cosine ends") }
    let step = try value.integer(0...1 << 40)
    guard step >= last else { throw value.wrong("at least \(last), where the cosine ends (cosine_to)") }
    return (step: step, rate: Float(try fields.required("later_learning_rate").number(0...peak)))
  }

  private static func drops(_ value: RecipeValue?, steps: Int) throws(RecipeError) -> [LearningRateSchedule.Drop] {
    guard let value else {
      // DeepSeek LLM report, section 2.3: after 80 and 90 % of the tokens.
      return [.init(step: steps * 8 / 10, factor: 0.316), .init(step: steps * 9 / 10, factor: 0.1)]
    }
    var result: [LearningRateSchedule.Drop] = []
    for element in try value.elements() {
      let group = try element.fields("step", "factor"), step = try group.required("step")
      let drop = LearningRateSchedule.Drop(
        step: try step.integer(0...1 << 40), factor: Float(try group.required("factor").number(0...1)))
      if let last = result.last, drop.step <= last.step { throw step.wrong("a step after \(last.step), that of the drop before") }
      result.append(drop)
    }
    return result
  }
}
