internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletConversion
internal import SwiftletModels
public import SwiftletTensors

/// Trains a model by a recipe: step by step, with checkpoints that a later run goes on from with the same bits.
public final class Trainer {
  public enum Outcome: Sendable, Equatable {
    /// All steps are done.
    case finished
    /// A checkpoint was written before the end, because somebody asked.
    case interrupted
  }

  public let run: PreparedRun
  public let model: TrainableModel
  /// All steps', those of earlier runs among them.
  public var records: [StepRecord] { log.records }
  /// Operations a second that utilization is a share of, and where that is from.
  public let peak: Sourced
  let hardware: Hardware
  let threadCount: Int
  let compute: Compute
  let tape: Tape
  let optimizer: RunOptimizer
  /// Its answers, where the recipe keeps them.
  private let teacherCache: TeacherCache?
  private let teacherTape: Tape
  private var teacherModel: TrainableModel?
  /// Bytes of the optimizer's moments.
  public var optimizerStateBytes: Int { optimizer.stateByteCount }
  /// nil where the model makes its data itself.
  private var batches: BatchIterator?
  /// nil for training on data.
  private let reinforcement: Reinforcement?
  var state: RunState
  private var log: RunLog
  private let operations: TokenFLOPs
  /// Of the teacher; nil without one.
  private let teacherOperations: TokenFLOPs?
  /// What the teacher's answers took since they were last looked at.
  private var teacherFLOPs = 0.0
  private var clock = RunClock()
  /// Parameters of the layer for the token after the next, which rest while its loss has no weight.
  private let predictionNames: Set<String>
  /// Steps of the newest checkpoint.
  private var savedStep: Int?

  private var recipe: Recipe { run.recipe }

  /// Makes or loads the model, and measures the machine unless the recipe says what it can do.
  /// - Throws: `CheckpointError` for a checkpoint that does not fit, or a log that cannot be written.
  public init(_ run: PreparedRun, compute: Compute) throws {
    self.run = run
    self.compute = compute
    let recipe = run.recipe, configuration = run.configuration
    model = try TrainableModel(run)
    // Without a gradient it would still decay.
    let prefix = "model.layers.\(configuration.layerCount)."
    let prediction = model.parameters.parameters.filter { $0.name.hasPrefix(prefix) }
    predictionNames = Set(prediction.map(\.name))
    if !recipe.trainsPrediction {
      for parameter in prediction { parameter.isTrainable = false }
    }
    optimizer = RunOptimizer(recipe.optimizer, model.parameters.parameters, precision: recipe.precision, compute: compute)
    tape = Tape(compute: compute, precision: recipe.precision)
    tape.recomputesActivations = recipe.recomputesActivations
    teacherTape = Tape(compute: compute, precision: recipe.precision.original)
    teacherTape.recordsGradients = false
    teacherCache = try run.teacher.flatMap { teacher in
      try teacher.settings.cache.map {
        try TeacherCache(run, teacher, folder: recipe.resolved($0), precision: recipe.precision.original)
      }
    }
    batches = run.batches
    if let settings = recipe.reinforcement, let problems = run.problems {
      tape.matchesGeneration = true
      reinforcement = try Reinforcement(recipe, settings, problems, model: model, tape: tape)
    } else {
      reinforcement = nil
    }
    state = run.state ?? RunState(position: run.batches?.position, settings: [:])
    state.settings = PreparedRun.settings(recipe, run.base, run.teacher)
    if !run.data.heldOut.isEmpty { state.heldOut = run.data.heldOut.map(\.dataset.checksum) }
    if run.state != nil {
      let path = run.checkpoints.path(step: state.step) + "/" + RunCheckpoints.momentsName
      try optimizer.load(try SafetensorsFile(path: path))
      try reinforcement?.reference?.load(
        try SafetensorsFile(path: run.checkpoints.path(step: state.step) + "/" + ReferencePolicy.fileName))
      optimizer.stepCount = state.optimizerSteps
      savedStep = state.step
    }
    log = try RunLog(path: recipe.folder + "/log.jsonl", step: state.step)
    operations = TokenFLOPs(configuration)
    teacherOperations = run.teacher.map { TokenFLOPs($0.base.configuration) }
    threadCount = compute.pool.threadCount
    hardware = .machine(recipe.cost, threadCount: threadCount, kernels: compute.kernels)
    peak = hardware.bf16FLOPsPerSecond
  }

  /// Trains until the last step.
  /// - Parameters:
  ///   - lastStep: stops there with a checkpoint, as if it had been interrupted.
  ///   - isCancelled: asked between passes. When it says so, the run stops with a checkpoint of the last whole step.
  ///   - note: told what takes a while before the first step.
  ///   - onStep: told of every step.
  /// - Throws: `TrainingError` for numbers that are not finite and for spikes, if the recipe says so, and when the disk is full: the
  ///   last checkpoint is whole.
  public func train(
    until lastStep: Int? = nil, isCancelled: () -> Bool = { false }, note: (String) -> Void = { _ in },
    onStep: (StepRecord) -> Void = { _ in }
  ) throws -> Outcome {
    let end = min(recipe.steps, lastStep ?? recipe.steps)
    clock = RunClock()
    teacherFLOPs = 0
    guard try teacherCache?.fill(askTeacher, isCancelled: isCancelled, note: note) ?? true else {
      try save()
      return .interrupted
    }
    var preparation: Double? = teacherFLOPs > 0 ? teacherFLOPs : nil
    while state.step < end {
      guard !isCancelled(), var record = try nextStep(isCancelled) else {
        try save()
        return .interrupted
      }
      let isLast = state.step == recipe.steps, isSaved = state.step % recipe.checkpointInterval == 0 || state.step == end
      let isMeasured = recipe.evaluation.interval > 0 && (state.step % recipe.evaluation.interval == 0 || isLast)
      // Of every step they would be most of the log.
      if !isMeasured, !isSaved { record.expertLoads = nil }
      if isMeasured {
        record.heldOutLoss = heldOutLoss()
        record.heldOutBitsPerByte = record.heldOutLoss.flatMap(run.heldOutBitsPerByte(loss:))
      }
      (record.elapsedSeconds, record.processorSeconds) = clock.lap()
      record.memoryBytes = RunClock.peakMemory
      record.preparationFlops = preparation
      preparation = nil
      record.reinforcement?.takeOther(of: record.elapsedSeconds)
      // Before the checkpoint: going on removes lines that are too many, but cannot make those that are missing.
      do throws(CheckpointError) {
        try log.append(record)
      } catch {
        throw TrainingError(step: state.step, reason: "\(error); \(lastCheckpoint)")
      }
      onStep(record)
      if isSaved { try save() }
    }
    return state.step == recipe.steps ? .finished : .interrupted
  }

  var lastCheckpoint: String {
    savedStep.map { "the last checkpoint is that of step \($0)" } ?? "there is no checkpoint yet"
  }

  /// - Throws: `TrainingError` when it cannot be written; the checkpoints before are as they were.
  func save() throws(TrainingError) {
    guard savedStep != state.step else { return }
    state.position = batches?.position
    state.optimizerSteps = optimizer.stepCount
    do throws(CheckpointError) {
      try run.checkpoints.write(
        state, parameters: model.parameters, optimizer: optimizer, reference: reinforcement?.reference)
    } catch {
      throw TrainingError(step: state.step, reason: "its checkpoint cannot be written: \(error); \(lastCheckpoint)")
    }
    savedStep = state.step
  }

  private func nextStep(_ isCancelled: () -> Bool) throws -> StepRecord? {
    guard let reinforcement else { return try step(isCancelled) }
    return try reinforcedStep(reinforcement, isCancelled)
  }

  /// One optimizer step of several passes.
  /// - Returns: nil when it was given up; then everything is as before.
  private func step(_ isCancelled: () -> Bool) throws -> StepRecord? {
    let start = ContinuousClock.now, index = state.step, before = batches
    var passes: [TrainingBatch] = []
    while passes.count < recipe.passes(step: index), let batch = try batches?.next() {
      var pass = TrainingBatch(batch, masksDocuments: recipe.data.masksDocuments)
      pass.teacher = try teacherCache?.rows(of: batch)
      pass.positions = recipe.positionSkips?.positions(of: pass.documents, seed: recipe.seed, step: index, pass: passes.count)
      passes.append(pass)
    }
    let weight = recipe.prediction.weight(step: index)
    let options = LossOptions(
      scale: 1 / Float(max(1, passes.reduce(0) { $0 + $1.targetCount })),
      predictionScale: 1 / Float(max(1, passes.reduce(0) { $0 + $1.secondTargetCount })), predictionWeight: weight,
      balanceCoefficient: run.configuration.mixture == nil ? 0 : recipe.balance.alpha / Float(passes.count),
      distillation: recipe.distillation?.options ?? DistillationOptions())
    model.parameters.clearGradients(compute)
    model.resetLoads()
    teacherFLOPs = 0
    var losses = Losses()
    for index in passes.indices {
      if isCancelled() {
        batches = before
        return nil
      }
      if run.teacher != nil, passes[index].teacher == nil { passes[index].teacher = try askTeacher(passes[index]) }
      let batch = passes[index]
      let part = model.loss(batch, options, tape: tape)
      losses.crossEntropy += part.crossEntropy
      losses.prediction += part.prediction
      losses.balance += part.balance
      losses.divergence += part.divergence
      losses.divergenceWeight = part.divergenceWeight
    }
    let norm = optimizer.gradientNorm(compute), rate = recipe.optimizer.schedule.rate(step: index)
    let skipped = try reasonToSkip(losses, norm: norm, passes, options)
    let violations = RouterBiasRule.maximalViolations(model.loads).map(\.value), loads = model.chosenLoads
    if skipped == nil {
      let scale = recipe.optimizer.clip.map { GradientNorm.scale(norm: norm, limit: $0) } ?? 1
      optimizer.step(rate: rate, gradientScale: scale, resting: weight > 0 ? [] : predictionNames, compute: compute)
      let gamma = recipe.balance.gamma(step: index)
      if gamma > 0, recipe.lora == nil { RouterBiasRule(speed: gamma).apply(to: model) }
      state.recentLosses = Array((state.recentLosses + [losses.crossEntropy]).suffix(Self.spikeWindow))
      state.skippedInARow = 0
    } else {
      state.skippedInARow += 1
    }
    model.resetLoads()
    let tokens = passes.reduce(0) { $0 + $1.tokens.count }, flops = self.flops(passes, predicts: weight > 0) + teacherFLOPs
    let seconds = start.duration(to: .now) / .seconds(1)
    state.step += 1
    state.tokens += tokens
    func finite(_ value: Double) -> Double? { value.isFinite ? value : nil }
    var record = StepRecord(
      step: state.step, loss: finite(losses.crossEntropy),
      predictionLoss: model.hasPrediction && weight > 0 ? finite(losses.prediction / Double(weight)) : nil,
      balanceLoss: options.balanceCoefficient > 0 ? finite(losses.balance) : nil,
      divergence: run.teacher == nil ? nil : finite(losses.divergence), gradientNorm: finite(norm),
      learningRate: Double(rate), tokens: tokens, flops: flops, seconds: seconds, elapsedSeconds: 0, processorSeconds: 0,
      utilization: flops / max(seconds, 1e-9) / peak.value,
      maximalViolation: violations.isEmpty ? nil : violations.reduce(0, +) / Double(violations.count), memoryBytes: 0,
      skipped: skipped)
    record.expertLoads = loads
    return record
  }

  /// What the teacher expects in the rows with a target. Its weights are opened when they are needed.
  private func askTeacher(_ batch: TrainingBatch) throws -> TeacherRows {
    guard let teacher = run.teacher else { preconditionFailure("the recipe has no teacher") }
    let model = try teacherModel ?? TrainableModel(frozen: teacher.base)
    teacherModel = model
    if let teacherOperations {
      let (products, attention) = teacherOperations.forward(PassSize([batch]))
      teacherFLOPs += products + attention
    }
    let vocabulary = teacher.vocabulary(beside: run.configuration)
    var batch = batch
    batch.positions = nil
    return model.teacherRows(
      batch, k: min(teacher.settings.topK, vocabulary), temperature: teacher.settings.options.temperature, vocabulary: vocabulary,
      tape: teacherTape)
  }

  /// The mean loss on the held-out sequences.
  private func heldOutLoss() -> Double? {
    let options = LossOptions(scale: 1 / Float(max(1, run.evaluation.reduce(0) { $0 + $1.targetCount })))
    let loss = model.aside(tape) { run.evaluation.reduce(0) { $0 + model.loss($1, options, tape: tape).crossEntropy } }
    return loss.isFinite ? loss : nil
  }

  /// Operations of passes, forward and back.
  /// - Parameter learns: false counts the way forward alone.
  func flops(_ passes: [TrainingBatch], predicts: Bool, learns: Bool = true) -> Double {
    let size = PassSize(passes), (products, attention) = operations.forward(size)
    let prediction =
      predicts && model.hasPrediction ? operations.prediction * size.tokens + operations.predictionPerPosition * size.pairs : 0
    // Frozen weights have no gradient.
    return learns
      ? (recipe.lora == nil ? 3 : 2) * products + 3 * (attention + prediction) : products + attention + prediction
  }

  // MARK: - What goes wrong

  /// Losses that the mean is taken of, and how many there must be.
  private static let spikeWindow = 32
  private static let leastLosses = 8

  /// Why the step must not change the weights; nil when all is well.
  /// - Throws: `TrainingError` where the recipe says stop, or too many steps were skipped.
  func reasonToSkip(
    _ losses: Losses, norm: Double, _ passes: [TrainingBatch], _ options: LossOptions
  ) throws(TrainingError) -> String? {
    let reason: String, action: Recipe.Failure.Action
    if !losses.total.isFinite || !norm.isFinite {
      let place = NotFiniteSearch(model: model, tape: tape).firstPlace(passes, options)
      reason = "the loss is \(losses.total), the gradient's norm \(norm); the first number that is not finite is in \(place.name)"
      // Skipping does not help weights that are broken.
      action = place.isWeight ? .stop : recipe.failure.notFinite
    } else {
      let recent = state.recentLosses, mean = recent.reduce(0, +) / Double(max(1, recent.count))
      guard recipe.failure.spikeHeight > 0, recent.count >= Self.leastLosses,
        losses.crossEntropy > mean + recipe.failure.spikeHeight
      else { return nil }
      reason =
        "a loss spike: \(losses.crossEntropy), more than \(recipe.failure.spikeHeight) above the mean of the last \(recent.count), \(mean)"
      action = recipe.failure.spike
    }
    guard action == .skip else { throw TrainingError(step: state.step + 1, reason: "\(reason); \(lastCheckpoint)") }
    guard state.skippedInARow < recipe.failure.limit else {
      throw TrainingError(
        step: state.step + 1, reason: "\(reason); \(state.skippedInARow) steps before were skipped as well; \(lastCheckpoint)")
    }
    return reason
  }
}

/// What the operations of passes depend on.
private struct PassSize {
  var tokens = 0.0
  /// Of positions with those that they see: all before them in their document, and themselves.
  var pairs = 0.0
  /// Rows with a target.
  var targets = 0.0

  init(_ passes: [TrainingBatch]) {
    for (rows, prefixCount) in passes.flatMap(\.prefixedDocuments) {
      let count = Double(rows.count)
      tokens += count
      pairs += count * (Double(prefixCount) + TokenFLOPs.meanPositions(count))
    }
    targets = Double(passes.reduce(0) { $0 + $1.targetCount })
  }
}

extension TokenFLOPs {
  /// The way forward. The head sees rows with targets alone.
  fileprivate func forward(_ size: PassSize) -> (products: Double, attention: Double) {
    ((products - head) * size.tokens + head * size.targets, attentionPerPosition * size.pairs)
  }
}
