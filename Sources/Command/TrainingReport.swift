import SwiftletJSON
import SwiftletTraining

/// What `plan` tells of a model's training.
struct TrainingReport {
  var subject: PlanSubject
  var plan: TrainingPlan
  var memory: TrainingMemory
  var sequenceLength: Double
  var assumptions: [Assumption]
  var figures: [PublishedFigure]
  var sensitivity: Sensitivity

  /// Lengths that operations are shown for.
  private var lengths: [Double] {
    let context = Double(subject.configuration.contextLength)
    return Array(Set([1024, 4096, 32768, 131072].filter { $0 <= context } + [min(sequenceLength, context)])).sorted()
  }

  var text: String {
    PlanReport.header(subject) + PlanReport.parameters(subject) + operations + memoryText + training + notes
      + PlanReport.published(figures) + PlanReport.sensitivity(sensitivity) + PlanReport.assumptions(assumptions)
  }

  /// What a recipe does not say.
  private var notes: String {
    guard let notes = subject.recipe?.notes else { return "" }
    return Output.bold("What is not in these numbers") + "\n" + notes.map { "  \($0)\n" }.joined() + "\n"
  }

  /// Of the first stage.
  private var work: TrainingStage.Work { plan.stages.first?.work ?? TrainingStage.Work() }

  private var operations: String {
    let token = TokenFLOPs(plan.configuration)
    func flops(_ value: Double) -> String { PlanText.prefixed(value) + "FLOP" }
    var rows = [["sequence", "forward", "of it attention's scores", "training"]]
    for length in lengths {
      let positions = TokenFLOPs.meanPositions(length), forward = token.forward(positions: positions)
      rows.append([
        PlanText.count(length), flops(forward), PlanText.percent(1 - token.products / forward),
        flops(work.flops(token, positions: positions)),
      ])
    }
    let extra = work.prediction == nil ? token.predictionTraining(sequenceLength: sequenceLength) : 0
    let note = extra > 0 ? "multi-token prediction, not among them: \(flops(extra)) of training" : nil
    return PlanReport.section("Operations of a token, mean of a sequence", rows, note: note)
  }

  private var memoryText: String {
    let count = plan.deviceCount.value
    func row(_ name: String, _ bytes: Double) -> [String] { [name, PlanText.bytes(bytes), PlanText.bytes(bytes / count)] }
    var rows = [
      ["training", "all devices", "each of \(PlanText.count(count))"], row("weights", memory.weights),
      row("master weights", memory.masterWeights), row("gradients", memory.gradients),
      row("optimizer state", memory.optimizerState),
      row("activations of \(PlanText.count(memory.tokensInFlight)) tokens", memory.activations),
    ]
    rows += memory.others.map { row($0.name, $0.bytes) }
    rows.append(row("sum", memory.total))
    let room = plan.hardware.memoryBytes.value, each = memory.total / count
    let fit =
      each <= room
      ? "fits in \(PlanText.bytes(room)) a device, if spread evenly"
      : "does NOT fit in \(PlanText.bytes(room)) a device: more devices, fewer tokens in flight or smaller formats"
    return PlanReport.section("Memory", PlanReport.weightMemory(subject))
      + PlanReport.section("Memory of training", rows, note: fit)
  }

  private var training: String {
    func row(_ cost: TrainingPlan.StageCost) -> [String] {
      [
        cost.name, cost.tokens > 0 ? PlanText.count(cost.tokens) : "",
        cost.flops > 0 ? PlanText.prefixed(cost.flops) + "FLOP" : "",
        cost.utilization.map(PlanText.percent) ?? "", PlanReport.hours(cost.deviceHours), PlanText.short(cost.days),
        PlanText.prefixed(cost.kilowattHours * 1000) + "Wh", PlanText.dollars(cost.dollars),
      ]
    }
    let sum = [
      "sum", "", plan.flops > 0 ? PlanText.prefixed(plan.flops) + "FLOP" : "", "", PlanReport.hours(plan.deviceHours),
      PlanText.short(plan.days), PlanText.prefixed(plan.kilowattHours * 1000) + "Wh", PlanText.dollars(plan.dollars),
    ]
    let count = PlanText.count(plan.deviceCount.value), name = plan.hardware.name, description = plan.hardware.description
    let devices =
      name == "this"
      ? (plan.deviceCount.value == 1 ? description : "\(count) of \(description)") : "\(count) \(name) (\(description))"
    return PlanReport.section(
      "Training on " + devices,
      [["", "tokens", "operations", "utilization", "device-hours", "days", "energy", "cost"]] + plan.costs.map(row) + [sum])
  }

  var json: JSONValue {
    let token = TokenFLOPs(plan.configuration)
    let operations = lengths.map { length -> JSONValue in
      let positions = TokenFLOPs.meanPositions(length)
      return [
        "sequence_length": .number(length), "forward": .number(token.forward(positions: positions)),
        "attention_scores": .number(token.attentionPerPosition * positions),
        "training": .number(work.flops(token, positions: positions)),
      ]
    }
    let stages = plan.costs.map { cost -> JSONValue in
      [
        "name": .string(cost.name), "tokens": .number(cost.tokens), "flops": .number(cost.flops),
        "utilization": cost.utilization.map { .number($0) } ?? .null, "device_hours": .number(cost.deviceHours),
        "days": .number(cost.days), "kilowatt_hours": .number(cost.kilowattHours), "dollars": .number(cost.dollars),
      ]
    }
    let members: JSONValue = [
      "flops_per_token": .array(operations),
      "training_memory_bytes": [
        "weights": .number(memory.weights), "master_weights": .number(memory.masterWeights),
        "gradients": .number(memory.gradients), "optimizer_state": .number(memory.optimizerState),
        "activations": .number(memory.activations), "activations_per_token": .number(memory.activationsPerToken),
        "others": .array(memory.others.map { ["name": .string($0.name), "bytes": .number($0.bytes)] }),
        "total": .number(memory.total), "per_device": .number(memory.total / plan.deviceCount.value),
      ],
      "training": [
        "hardware": .string(plan.hardware.name), "devices": .number(plan.deviceCount.value), "stages": .array(stages),
        "device_hours": .number(plan.deviceHours), "days": .number(plan.days),
        "device_hours_per_trillion_tokens": plan.deviceHoursPerTrillionTokens.map { .number($0) } ?? .null,
        "kilowatt_hours": .number(plan.kilowattHours), "dollars": .number(plan.dollars),
      ],
      "published": PlanReport.json(figures), "sensitivity": PlanReport.json(sensitivity),
      "assumptions": PlanReport.json(assumptions),
    ]
    let notes = subject.recipe.map { recipe in
      JSONMember(key: "notes", value: .array(recipe.notes.map { .string($0) }))
    }
    return .object(PlanReport.json(subject) + (members.members ?? []) + (notes.map { [$0] } ?? []))
  }
}
