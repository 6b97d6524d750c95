import ArgumentParser
import Foundation
import SwiftletCheckpoints
import SwiftletGeneration
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

      EXAMPLES
        swiftlet plan deepseek-v3 --plot cost.svg
        swiftlet plan deepseek-v3 --hardware a100 --count 4096 --utilization 0.35
        swiftlet plan config.json --tokens 100B --hardware h100 --count 64 --json
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

  @Argument(help: ArgumentHelp("A published model, a config.json, an alias, org/repo[:quant], or a path."))
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
    let device = try hardware.chosen(default: published?.hardware ?? .h800)
    let assumed = published ?? .assumed(subject.preset, subject.configuration, hardware: device)
    let run = try training.changed(assumed, peak: device.bf16FLOPsPerSecond.value)
    let plan = try TrainingPlan(
      subject.configuration, stages: run.stages, hardware: device,
      deviceCount: count.map { Sourced($0.value, .given("--count")) } ?? run.deviceCount)
    let length = run.stages.first?.portions.first?.sequenceLength.value ?? 4096
    let inFlight = run.sequencesPerDevice
    let memory = try TrainingMemory(
      subject.configuration, formats: training.formats(weights: weights),
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
    let device = try hardware.chosen(default: .h800)
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

  private func writePlot(_ sensitivity: Sensitivity, title: String) throws {
    guard let plot else { return }
    do {
      try Data(TornadoPlot(sensitivity, title: title).svg.utf8).write(to: URL(fileURLWithPath: plot), options: .atomic)
    } catch {
      throw CommandError("--plot: \(plot) cannot be written: \(error.localizedDescription)")
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
  /// Values and bytes of the files' tensors, those that predict further tokens apart; nil without files.
  var files: (values: Int, predictionValues: Int, bytes: Int)?

  /// Whether DeepSeek has told how it serves the model.
  var isPublishedService: Bool { ["deepseek-v3", "deepseek-r1"].contains(preset) }

  /// - Parameter model: a preset, a config.json, or what `ModelFinder` finds.
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
