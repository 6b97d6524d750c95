internal import Foundation
public import SwiftletCheckpoints
internal import SwiftletModels

/// `report.md` and its plots: how a run went and what it cost.
public struct RunReport: Sendable {
  public var markdown: String
  /// By file name.
  public var plots: [(name: String, svg: String)]
  public var cost: RunCost

  public init(_ trainer: Trainer) {
    let run = trainer.run, recipe = run.recipe, records = trainer.records, configuration = run.configuration
    cost = RunCost(records, hardware: trainer.hardware, peak: trainer.peak.value)
    plots = Self.plots(records)
    let name = recipe.file.split(separator: "/").last.map(String.init) ?? recipe.file
    var text = "# \(name)\n\n"
    let count = configuration.parameterCount, done = records.last?.step ?? 0
    text += Self.table([
      (
        "model",
        "\(configuration.architecture.rawValue), \(PlanText.count(Double(count.total))) parameters, "
          + "\(PlanText.count(Double(count.active))) of them active for a token"
      ),
      ("steps", "\(done) of \(recipe.steps)" + (done < recipe.steps ? ": the run was stopped and can go on" : "")),
      recipe.reinforcement.map { settings in
        (
          "answers",
          "\(settings.samples) to each of \(settings.prompts) problems a step, of at most \(settings.maximumTokens) tokens"
        )
      } ?? ("sequences", "\(recipe.batch) a step, \(recipe.microBatch) at a time, of \(recipe.sequenceLength) tokens"),
      (
        "optimizer",
        "\(recipe.optimizer.name.rawValue), products in \(recipe.precision.rawValue), state in \(recipe.optimizer.state.rawValue)"
      ),
      recipe.reinforcement == nil
        ? (
          "training data",
          "\(PlanText.count(Double(run.tokenCount))) tokens, gone through "
            + "\(PlanText.short(Double(cost.tokens) / Double(max(1, run.tokenCount)))) times"
        ) : ("problems", run.problemCount.map { "\($0)" } ?? "made as they are asked"),
    ])
    text += "\n## Results\n\n"
    let last = records.last { $0.loss != nil }, held = records.last { $0.heldOutLoss != nil }
    let best = records.filter { $0.heldOutLoss != nil }.min { ($0.heldOutLoss ?? 0) < ($1.heldOutLoss ?? 0) }
    var rows: [(String, String)] = []
    if recipe.reinforcement != nil {
      rows += Self.reinforcementRows(records)
    } else if let last, let loss = last.loss {
      rows.append(("loss", "\(Self.loss(loss)) at step \(last.step)"))
    }
    if let divergence = last?.divergence, let distillation = recipe.distillation {
      rows.append(
        (
          "divergence from the teacher",
          "\(Self.loss(divergence)) (\(distillation.options.divergence.rawValue), with a weight of "
            + "\(PlanText.short(Double(distillation.options.weight))))"
        ))
    }
    if let prediction = last?.predictionLoss { rows.append(("loss of the token after the next", Self.loss(prediction))) }
    if let held, let loss = held.heldOutLoss {
      let bits = held.heldOutBitsPerByte.map { ", \(Self.loss($0)) bits a byte" } ?? ""
      rows.append(("held-out loss", "\(Self.loss(loss)) nats a token\(bits) at step \(held.step)"))
    }
    if let best, let loss = best.heldOutLoss { rows.append(("best held-out loss", "\(Self.loss(loss)) at step \(best.step)")) }
    if let violation = last?.maximalViolation {
      rows.append(("MaxVio", "\(PlanText.short(violation)): the most used expert over the mean load, less 1, mean of the layers"))
    }
    if let record = records.last(where: { $0.expertLoads != nil }), let loads = record.expertLoads {
      // Of each expert, over its layer's mean.
      let shares = loads.flatMap { layer in layer.map { Double($0 * layer.count) / Double(max(1, layer.reduce(0, +))) } }
      let (least, most) = (PlanText.short(shares.min() ?? 0), PlanText.short(shares.max() ?? 0))
      rows.append(("loads of experts", "from \(least) to \(most) of the mean of a layer, at step \(record.step)"))
    }
    rows.append(("skipped steps", "\(records.count { $0.skipped != nil })"))
    text += Self.table(rows) + "\n"
    for (file, _) in plots { text += "![\(file.dropLast(4))](\(file))\n\n" }
    text += Self.costs(cost, trainer)
    let skipped = records.filter { $0.skipped != nil }
    if !skipped.isEmpty {
      text += "\n## Skipped steps\n\n" + skipped.suffix(50).map { "- step \($0.step): \($0.skipped ?? "")\n" }.joined()
    }
    markdown = text
  }

  /// Writes all files into a folder.
  /// - Throws: `CheckpointError` when one cannot be written.
  public func write(to folder: String) throws(CheckpointError) {
    for (name, content) in plots + [("report.md", markdown)] {
      let writer = try FileWriter(path: folder + "/" + name)
      try writer.write(Array(content.utf8))
      try writer.commit()
    }
  }

  private static func costs(_ cost: RunCost, _ trainer: Trainer) -> String {
    let hardware = trainer.hardware, recipe = trainer.run.recipe
    let parameters = trainer.model.parameters.parameters.reduce(0) { $0 + ($1.isTrainable ? $1.shape.count : 0) }
    var time = "\(duration(cost.hours * 3600)) with \(trainer.threadCount) \(trainer.threadCount == 1 ? "thread" : "threads")"
    if cost.lostHours > 0 { time += ", \(duration(cost.lostHours * 3600)) of it for steps that were done again" }
    return "## What it took\n\n"
      + table([
        ("tokens", PlanText.count(Double(cost.tokens))), ("operations", PlanText.prefixed(cost.flops) + "FLOP, forward and back"),
        ("time", time),
        ("core-hours", PlanText.short(cost.coreHours)),
        ("tokens a second", PlanText.count(trainer.meanTokensPerSecond.rounded())),
        (
          "utilization",
          "\(PlanText.percent(cost.utilization)) of \(PlanText.prefixed(trainer.peak.value))FLOP/s"
            + (recipe.precision == .bfloat16
              ? "" : " (the peak is of BF16 products; this run's are \(recipe.precision.rawValue))")
        ),
        ("most memory", PlanText.bytes(Double(trainer.records.map(\.memoryBytes).max() ?? 0))),
        (
          "optimizer's state",
          "\(PlanText.bytes(Double(trainer.optimizerStateBytes))), "
            + "\(PlanText.short(Double(trainer.optimizerStateBytes) / Double(max(1, parameters)))) bytes a parameter"
        ),
        ("energy", PlanText.prefixed(cost.kilowattHours * 1000) + "Wh"), ("cost", PlanText.dollars(cost.dollars)),
        (
          "the same work as DeepSeek counts it",
          "\(PlanText.short(cost.h800Hours)) H800-hours, \(PlanText.dollars(cost.h800Dollars))"
        ),
      ])
      + "\n"
      + [
        "Operations are those of products with weights that take part, and of attention over the positions that are seen; those of "
          + "a teacher or a reference are among them.",
        "Peak: \(trainer.peak.source).",
        "Power: \(hardware.watts.value) W, \(hardware.watts.source); "
          + "times \(PlanText.short(hardware.powerUsageEffectiveness.value)) for the building.",
        "Price: \(PlanText.dollars(hardware.dollarsPerDeviceHour)) an hour, \(hardware.dollarsPerHour.source).",
        "H800-hours: these operations at the pace of DeepSeek-V3's pretraining, 180K hours for a trillion tokens, $2 an hour "
          + "(DeepSeek-V3 report, section 1 and table 1).",
      ].map { "- \($0)\n" }.joined()
  }

  private static func plots(_ records: [StepRecord]) -> [(name: String, svg: String)] {
    func points(_ value: (StepRecord) -> Double?) -> [(x: Double, y: Double)] {
      records.compactMap { record in value(record).map { (Double(record.step), $0) } }
    }
    let held = points(\.heldOutLoss), violations = points(\.maximalViolation)
    var result: [(name: String, plot: LinePlot)] = reinforcementPlots(records)
    if result.isEmpty {
      var losses = [LinePlot.Series(name: "training", color: LinePlot.blue, points: points(\.loss))]
      if !held.isEmpty { losses.append(.init(name: "held out", color: LinePlot.orange, points: held, isMarked: true)) }
      result = [("loss.svg", LinePlot(title: "Loss", subtitle: "Cross-entropy of the next token, in nats", series: losses))]
    }
    result += [
      (
        "learning-rate.svg",
        LinePlot(
          title: "Learning rate", subtitle: "Of every step",
          series: [.init(name: "learning rate", color: LinePlot.blue, points: points { $0.learningRate })])
      )
    ]
    if !violations.isEmpty {
      result.append(
        (
          "balance.svg",
          LinePlot(
            title: "Balance of experts", subtitle: "MaxVio: largest load over the mean, less 1; mean of the layers",
            series: [.init(name: "MaxVio", color: LinePlot.blue, points: violations)])
        ))
    }
    return result.map { ($0.name, $0.plot.svg) }
  }

  static func loss(_ value: Double) -> String { String(format: "%.4f", value) }

  /// `1 h 20 min`, `35 s`.
  public static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e12 else { return "?" }
    let whole = Int(seconds.rounded())
    return switch whole {
    case 86400...: "\(whole / 86400) d \(whole % 86400 / 3600) h"
    case 3600...: "\(whole / 3600) h \(whole % 3600 / 60) min"
    case 60...: "\(whole / 60) min \(whole % 60) s"
    default: seconds < 10 ? PlanText.short(seconds) + " s" : "\(whole) s"
    }
  }

  private static func table(_ rows: [(String, String)]) -> String {
    "| | |\n|---|---|\n" + rows.map { "| \($0.0) | \($0.1.replacing("|", with: "\\|")) |\n" }.joined()
  }
}

extension Trainer {
  /// Of all steps.
  public var meanTokensPerSecond: Double {
    Double(records.reduce(0) { $0 + $1.tokens }) / max(1e-9, records.reduce(0) { $0 + $1.seconds })
  }
}
