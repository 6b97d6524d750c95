import ArgumentParser
import Foundation
import SwiftletCheckpoints
import SwiftletJSON
import SwiftletTensors
import SwiftletTraining

struct TrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Trains a model as a recipe says.",
    discussion: """
      The recipe's folder gets the log, checkpoints, a report with plots, and the
      trained model, which every other command loads. Ctrl-C or SIGTERM writes a
      checkpoint and leaves; the same command goes on from the last checkpoint,
      with the same bits as if it had never stopped. docs/training.md lists a
      recipe's keys, docs/reinforcement.md those of training on the model's own
      answers (GRPO).

      EXAMPLES
        swiftlet train Recipes/tiny.yaml
        swiftlet train Recipes/tiny.yaml --check
        swiftlet train Recipes/reinforce-smollm2.yaml
        swiftlet run runs/tiny/model "A model is" --raw

      ENVIRONMENT
      \(HelpText.threads)
      \(HelpText.kernels)
      \(HelpText.hub)
      """)

  @Argument(help: "The recipe: a YAML file.")
  var recipe: String
  @Option(help: ArgumentHelp("The folder of the run, instead of the recipe's.", valueName: "folder"))
  var out: String?
  @Flag(help: "Checks recipe, data and model, and prints what would be trained.")
  var check = false
  @Flag(help: "Prints a JSON object a step, and one for the end.")
  var json = false
  @OptionGroup var threading: ThreadArguments

  func run() async throws {
    let threadCount = try threading.checkedThreadCount()
    var recipe = try Recipe(path: self.recipe)
    if let out { recipe.folder = out }
    try await recipe.resolveModels { try await ModelFinder.path($0) }
    let (given, check, json) = (recipe, check, json)
    let outcome = try await Interrupt.cancelling(onTermination: true) { () -> Trainer.Outcome? in
      let run = try PreparedRun(given, threadCount: threadCount) { Output.note($0) }
      for error in run.damagedCheckpoints { Output.note("passed over: \(error)") }
      Output.note(Self.summary(run))
      if check { return nil }
      let trainer = try Trainer(run, compute: Compute(threadCount: threadCount))
      let progress = TrainingProgress(steps: given.steps)
      defer { progress.finish() }
      let outcome = try trainer.train(isCancelled: { Task.isCancelled }, note: { Output.note($0) }) { record in
        if json { Output.line(Self.json(record)) } else { progress.print(record) }
      }
      progress.finish()
      let report = RunReport(trainer)
      try report.write(to: given.folder)
      let result = outcome == .finished ? try trainer.exportResult(to: given.folder) : nil
      if json {
        Output.line(Self.json(report.cost, outcome, folder: given.folder))
      } else if let result {
        Output.write("\(result)  \(given.folder)/report.md\n")
      }
      return outcome
    }
    if outcome == .interrupted {
      Output.note("Stopped with a checkpoint; the same command goes on from it.")
      throw ExitCode(Interrupt.status)
    }
  }

  private static func summary(_ run: PreparedRun) -> String {
    let recipe = run.recipe, count = run.configuration.parameterCount
    let begun = run.completedSteps > 0 ? "going on after step \(run.completedSteps) of \(recipe.steps)" : "\(recipe.steps) steps"
    let parameters = "\(PlanText.count(Double(count.total))) parameters, \(PlanText.count(Double(count.active))) active; "
    if let settings = recipe.reinforcement {
      return parameters + "\(run.problemCount.map { "\($0) problems" } ?? "problems without end"); \(begun) of "
        + "\(settings.samples) answers to each of \(settings.prompts) problems"
    }
    return parameters
      + "\(PlanText.count(Double(run.tokenCount))) tokens of data; \(begun) of \(recipe.batch) x \(recipe.sequenceLength) tokens"
  }

  private static func json(_ record: StepRecord) -> JSONValue {
    func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
    return [
      "step": .integer(record.step), "loss": number(record.loss), "prediction_loss": number(record.predictionLoss),
      "divergence": number(record.divergence), "held_out_loss": number(record.heldOutLoss),
      "held_out_bits_per_byte": number(record.heldOutBitsPerByte),
      "gradient_norm": number(record.gradientNorm),
      "learning_rate": .number(record.learningRate), "tokens": .integer(record.tokens),
      "tokens_per_second": .number(record.tokensPerSecond), "utilization": .number(record.utilization),
      "maximal_violation": number(record.maximalViolation), "memory_bytes": .integer(record.memoryBytes),
      "skipped": record.skipped.map { .string($0) } ?? .null, "reinforcement": record.reinforcement.map(json) ?? .null,
    ]
  }

  private static func json(_ record: ReinforcementRecord) -> JSONValue {
    func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
    let parts = record.rewards.sorted { $0.key < $1.key }.map { JSONMember(key: $0.key, value: .number($0.value)) }
    return [
      "reward": .number(record.reward), "rewards": .object(parts), "reward_deviation": .number(record.rewardDeviation),
      "answers": .integer(record.answers), "learned_answers": .integer(record.learnedAnswers),
      "response_tokens": .number(record.responseTokens), "truncated_share": .number(record.truncatedShare),
      "groups": .integer(record.groups), "zero_variance_groups": .integer(record.zeroVarianceGroups),
      "entropy": number(record.entropy), "divergence": number(record.divergence),
      "clipped_low": .number(record.clippedLow), "clipped_high": .number(record.clippedHigh),
      "first_ratio_deviation": number(record.firstRatioDeviation),
      "largest_ratio_deviation": number(record.largestRatioDeviation),
      "updates": .integer(record.updates), "reward_failures": .integer(record.rewardFailures),
      "rollout_seconds": .number(record.rolloutSeconds), "reward_seconds": .number(record.rewardSeconds),
      "update_seconds": .number(record.updateSeconds), "other_seconds": .number(record.otherSeconds),
      "overhead_share": .number(record.overheadShare),
    ]
  }

  private static func json(_ cost: RunCost, _ outcome: Trainer.Outcome, folder: String) -> JSONValue {
    [
      "folder": .string(folder), "finished": .bool(outcome == .finished), "tokens": .integer(cost.tokens),
      "flops": .number(cost.flops), "hours": .number(cost.hours), "core_hours": .number(cost.coreHours),
      "kilowatt_hours": .number(cost.kilowattHours), "dollars": .number(cost.dollars),
      "utilization": .number(cost.utilization), "h800_hours": .number(cost.h800Hours),
    ]
  }
}

/// The line on standard error that tells how training goes: always the same one in a terminal, elsewhere one now and then.
final class TrainingProgress {
  private let steps: Int
  private let start = ContinuousClock.now
  private var firstStep: Int?
  private var lastPrint: ContinuousClock.Instant?
  private var isOpen = false
  private var heldOut: Double?

  init(steps: Int) { self.steps = steps }

  func print(_ record: StepRecord) {
    let first = firstStep ?? record.step - 1
    firstStep = first
    heldOut = record.heldOutLoss ?? heldOut
    let isLast = record.step == steps, now = ContinuousClock.now
    let isDue = lastPrint.map { $0.duration(to: now) >= .seconds(Output.rewritesErrorLine ? 0.1 : 5) } ?? true
    let isNotable = record.heldOutLoss != nil || record.skipped != nil || record.reinforcement?.rewardFailure != nil
    guard isDue || isLast || isNotable else { return }
    lastPrint = now
    let line = line(record, secondsPerStep: start.duration(to: now) / .seconds(1) / Double(record.step - first))
    if Output.rewritesErrorLine {
      Output.rewriteErrorLine { _ in line }
      isOpen = true
    } else {
      Output.note(line)
    }
    if let skipped = record.skipped {
      finish()
      Output.note("step \(record.step) skipped: \(CheckpointError.excerpt(skipped, 500))")
    }
    if let record = record.reinforcement, let failure = record.rewardFailure {
      finish()
      Output.note("\(record.rewardFailures) failures of a reward, the last: \(CheckpointError.excerpt(failure, 500))")
    }
  }

  private func line(_ record: StepRecord, secondsPerStep: Double) -> String {
    func loss(_ value: Double) -> String { String(format: "%.4f", value) }
    var parts = ["step \(record.step)/\(steps)"]
    if let record = record.reinforcement {
      func short(_ value: Double) -> String { String(format: "%.3f", value) }
      parts.append("reward \(short(record.reward))")
      if record.rewards.count > 1 {
        parts.append(
          "(" + record.rewards.sorted { $0.key < $1.key }.map { "\($0.key) \(short($0.value))" }.joined(separator: ", ") + ")")
      }
      parts.append("\(Int(record.responseTokens.rounded())) tokens an answer")
      if record.truncatedShare > 0 { parts.append("\(PlanText.percent(record.truncatedShare)) cut") }
      if let entropy = record.entropy { parts.append("entropy \(short(entropy))") }
      if let divergence = record.divergence { parts.append("KL " + String(format: "%.4f", divergence)) }
      if let deviation = record.firstRatioDeviation, deviation != 0 { parts.append("first ratio off by \(deviation)") }
      if record.zeroVarianceGroups > 0 { parts.append("\(record.zeroVarianceGroups) of \(record.groups) groups alike") }
      parts.append("neither rollout nor update \(PlanText.percent(record.overheadShare))")
    } else {
      parts.append("loss \(record.loss.map(loss) ?? "not finite")")
    }
    if let divergence = record.divergence { parts.append("KL \(loss(divergence))") }
    if let heldOut { parts.append("held out \(loss(heldOut))") }
    parts.append("\(PlanText.count(record.tokensPerSecond.rounded())) tokens/s")
    parts.append("utilization \(PlanText.percent(record.utilization))")
    if let violation = record.maximalViolation { parts.append("MaxVio " + String(format: "%.2f", violation)) }
    parts.append(PlanText.bytes(Double(record.memoryBytes)))
    parts.append("\(RunReport.duration(secondsPerStep * Double(steps - record.step))) left")
    return parts.joined(separator: "  ")
  }

  func finish() {
    if isOpen { Output.writeError("\n") }
    isOpen = false
  }
}
