internal import SwiftletTensors

extension Recipe {
  private enum ScheduleName: String, CaseIterable {
    case constant
    case cosine
    case multiStep = "multi_step"
  }

  /// - Parameter steps: of the whole run; a cosine ends there.
  static func optimizer(_ value: RecipeValue, steps: Int) throws(RecipeError) -> Optimizer {
    let fields = try value.fields(
      "name", "learning_rate", "schedule", "warm_up", "final_learning_rate", "drops", "weight_decay", "betas", "epsilon",
      "momentum", "state", "clip")
    let name = try fields.choice("name", default: Optimizer.Name.adamw)
    let peak = try fields.required("learning_rate").number(1e-12...10)
    let warmUp = try fields.integer("warm_up", 0...1 << 40, default: 0)
    let kind = try fields.choice("schedule", default: ScheduleName.constant)
    if warmUp > steps, let value = fields["warm_up"] { throw value.wrong("at most steps, which is \(steps)") }
    var schedule = LearningRateSchedule(peak: Float(peak), warmUpSteps: warmUp)
    if kind != .cosine, let value = fields["final_learning_rate"] { throw value.error("is for the schedule cosine alone") }
    if kind != .multiStep, let value = fields["drops"] { throw value.error("is for the schedule multi_step alone") }
    switch kind {
    case .constant: break
    case .cosine:
      schedule.decay = .cosine(
        from: warmUp, to: max(steps, warmUp + 1),
        final: Float(try fields.number("final_learning_rate", 0...peak, default: 0.1 * peak)))
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
