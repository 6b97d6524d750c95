import ArgumentParser
import Foundation
import SwiftletCheckpoints
import SwiftletGeneration
import SwiftletHub
import SwiftletJSON
import SwiftletModels
import SwiftletTraining

struct PlanCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Computes what a model takes: parameters, operations, memory, time and money.",
    discussion: """
      Without --serve of its training, with it of a million tokens served. Every
      number that a result rests on is printed with its source, or as assumed, and
      has a flag. Beside a published model stand its published figures.

      A model is one of these, the path of a config.json, or what other commands
      take (of a file or folder only headers are read):
        \(Self.names)

      A recipe of 'swiftlet train' is planned with its model, steps, batches,
      optimizer, precision, adapters and cost, on this machine unless --hardware
      names another; flags go before what it says. Its data is not read, nothing is
      fetched or written, and what cannot be known before the run is said.

      EXAMPLES
        swiftlet plan deepseek-v3 --plot cost.svg
        swiftlet plan deepseek-v3 --hardware a100 --count 4096 --utilization 0.35
        swiftlet plan config.json --tokens 100B --hardware h100 --count 64 --json
        swiftlet plan Recipes/tiny.yaml
        swiftlet plan deepseek-r1 --serve
        swiftlet plan deepseek-v2-lite --serve --weights q4_0 --hardware this

      ENVIRONMENT
      \(HelpText.threads)
      \(HelpText.kernels)
      \(HelpText.hub)
      """)

  /// Of the presets, two a line.
  private static var names: String {
    let names = ModelPreset.all.map(\.name)
    return stride(from: 0, to: names.count, by: 3).map { names[$0..<min($0 + 3, names.count)].joined(separator: ", ") }
      .joined(separator: ",\n  ")
  }

  @Argument(
    help: ArgumentHelp("A published model, a config.json, a recipe (.yaml), an alias, org/repo[:quant], or a path."))
  var model: String
  @Flag(help: "Computes what a million tokens cost to serve.")
  var serve = false
  @Option(help: ArgumentHelp("Devices; with --serve those that decode together.", valueName: "n"))
  var count: Quantity?
  @Option(help: ArgumentHelp("Format of weights: f32, bf16, fp8, q8_0, q4_k_m or q4_0.", valueName: "format"))
  var weights: NumberFormat?
  @Option(help: ArgumentHelp("Writes how the cost moves with each assumption, as SVG.", valueName: "file"))
  var plot: String?
  @Flag(help: "Prints one JSON object.")
  var json = false
  @OptionGroup(title: "HARDWARE") var hardware: HardwareArguments
  @OptionGroup(title: "TRAINING") var training: TrainingArguments
  @OptionGroup(title: "SERVING") var serving: ServingArguments

  func validate() throws {
    if serve, let name = training.given.first { throw ValidationError("--\(name) is of training: leave it or --serve out.") }
    if !serve, let name = serving.given.first { throw ValidationError("--\(name) goes with --serve.") }
  }

  func run() async throws {
    do {
      let subject = try await PlanSubject(model)
      if serve { try planServing(subject) } else { try planTraining(subject) }
    } catch let error as PlanError {
      throw error.asTyped
    }
  }

  private func planTraining(_ subject: PlanSubject) throws {
    let published = TrainingRun.published(subject.preset, subject.configuration)
    let device = try hardware.chosen { try defaultHardware(subject.recipe?.recipe) ?? published?.hardware ?? .h800 }
    let devices = count.map { Sourced($0.value, .given("--count")) }
    let known =
      try subject.recipe?.run(hardware: device, count: devices, sequenceLength: training.sequenceLength?.value) ?? published
    let run = try training.changed(
      known ?? .assumed(subject.preset, subject.configuration, hardware: device), peak: device.bf16FLOPsPerSecond.value)
    let plan = try TrainingPlan(
      subject.recipe?.trainedConfiguration ?? subject.configuration, stages: run.stages, hardware: device,
      deviceCount: devices ?? run.deviceCount)
    let length = run.stages.first?.portions.first?.sequenceLength.value ?? 4096
    let inFlight = run.sequencesPerDevice
    let memory = try TrainingMemory(
      plan.configuration,
      formats: training.changed(subject.recipe?.formats ?? TrainingMemory.Formats(), weights: weights),
      trained: subject.recipe?.trained(moments: training.moments, format: training.momentFormat),
      tokensInFlight: training.tokensInFlight?.value ?? length * max(1, inFlight.value * plan.deviceCount.value))
    var figures = PublishedFigure.shape(subject.preset, subject.configuration)
    if let published {
      // Of the run as it was, whatever is asked.
      let original = try TrainingPlan(
        subject.configuration, stages: published.stages, hardware: published.hardware, deviceCount: published.deviceCount)
      figures += PublishedFigure.training(subject.preset, original)
    }
    let sensitivity = Sensitivity(plan)
    try writePlot(sensitivity, title: "\(subject.name) on \(Int(plan.deviceCount.value)) \(device.name)")
    let report = TrainingReport(
      subject: subject, plan: plan, memory: memory, sequenceLength: length,
      assumptions: plan.assumptions
        + (training.tokensInFlight == nil ? [Assumption("sequences in flight, a device", inFlight, unit: "")] : []),
      figures: figures, sensitivity: sensitivity)
    if json { Output.line(report.json) } else { Output.write(report.text) }
  }

  private func planServing(_ subject: PlanSubject) throws {
    let device = try hardware.chosen { .h800 }
    let setup = serving.changed(
      .init(subject.preset, subject.configuration, hardware: device, weights: weights), count: count)
    let plan = try ServingPlan(subject.configuration, hardware: device, setup: setup)
    let isPublished = subject.isPublishedService && device.name == "h800"
    let sensitivity = Sensitivity(plan)
    try writePlot(sensitivity, title: "A million generated tokens of \(subject.name) on \(device.name)")
    let report = ServingReport(
      subject: subject, plan: plan, figures: isPublished ? PublishedFigure.serving(plan) : [], sensitivity: sensitivity)
    if json { Output.line(report.json) } else { Output.write(report.text) }
  }

  /// The machine that a recipe is for; nil without one.
  private func defaultHardware(_ recipe: Recipe?) throws -> Hardware? {
    guard var cost = recipe?.cost else { return nil }
    // What a flag says need not be measured.
    if let flops = hardware.flops { cost.peakFLOPsPerSecond = flops.value }
    return Hardware.machine(cost, threadCount: try ThreadArguments.parse([]).checkedThreadCount())
  }

  private func writePlot(_ sensitivity: Sensitivity, title: String) throws {
    guard let plot else { return }
    do throws(CommandError) {
      try OutputFile.write(TornadoPlot(sensitivity, title: title).svg, to: plot)
    } catch {
      throw CommandError("--plot: \(error)")
    }
  }
}

/// The model that is planned.
struct PlanSubject {
  var name: String
  /// The preset's name; empty for others.
  var preset = ""
  var description: String
  var configuration: ModelConfiguration
  /// Of a recipe.
  var recipe: RecipePlan?
  /// Values and bytes of the files' tensors, those that predict further tokens apart; nil without files.
  var files: (values: Int, predictionValues: Int, bytes: Int)?

  /// Whether DeepSeek has told how it serves the model.
  var isPublishedService: Bool { ["deepseek-v3", "deepseek-r1"].contains(preset) }

  /// - Parameter model: a preset, a config.json, a recipe, or what `ModelFinder` finds.
  init(_ model: String) async throws {
    if let preset = ModelPreset.named(model), !FileManager.default.fileExists(atPath: model) {
      (name, self.preset, description) = (preset.name, preset.name, preset.description)
      configuration = try preset.configuration
      return
    }
    name = (model as NSString).lastPathComponent
    description = model
    if model.hasSuffix(".json") {
      let json: JSONValue
      do {
        json = try JSONValue(parsing: InputFile.bytes(model))
      } catch let error as JSONError {
        throw CommandError("\(model): \(error)")
      }
      configuration = try ModelConfiguration(json: json, source: model)
      return
    }
    if [".yaml", ".yml"].contains(where: { model.lowercased().hasSuffix($0) }) {
      var recipe = try Recipe(path: model)
      // What is not here stays where it is: a plan fetches nothing.
      try await recipe.resolveModels { name in try ModelFinder.path(of: ModelHub().installedModel(ModelReference(name))) }
      let plan = try RecipePlan(recipe)
      (self.recipe, configuration) = (plan, plan.configuration)
      return
    }
    let shown = try ModelDescription(path: await ModelFinder.path(model))
    guard let found = shown.configuration else {
      throw CommandError(shown.problem ?? "\(shown.path): no configuration was found, expected a config.json or a GGUF file.")
    }
    configuration = found
    if !shown.tensors.isEmpty {
      files = (
        shown.elements(predictingFurtherTokens: false), shown.elements(predictingFurtherTokens: true), shown.weightBytes
      )
    }
  }
}
