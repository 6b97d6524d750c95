internal import SwiftletConversion
internal import SwiftletJSON
public import SwiftletModels
internal import SwiftletTensors
internal import SwiftletTokenization

/// What a recipe's run takes. Of its data nothing is read but what names a vocabulary, of models the headers; nothing is written.
public struct RecipePlan: Sendable {
  public let recipe: Recipe
  public let configuration: ModelConfiguration
  /// Without layers that predict further tokens where those are not trained.
  public let trainedConfiguration: ModelConfiguration
  /// Values that are trained.
  public var trainedCount: Double { values.count }
  private let values: TrainedValues
  private let base: HubModel?
  private let teacher: Teacher?

  /// - Parameter recipe: with paths where `model.from` and `distill.teacher` are names.
  /// - Throws: `RecipeError` naming the key.
  public init(_ recipe: Recipe) throws {
    self.recipe = recipe
    let base = try PreparedRun.base(recipe)
    self.base = base
    teacher = try Teacher(recipe)
    try PreparedRun.check(recipe, PreparedRun.model(recipe, base, vocabularySize: nil).configuration)
    var configuration = try PreparedRun.model(recipe, base, vocabularySize: Self.vocabularySize(recipe)).configuration
    // A configuration may name a layer that the files lack.
    if let base, base.shape(of: "model.layers.\(configuration.layerCount).eh_proj.weight") == nil {
      configuration.predictionLayerCount = 0
    }
    self.configuration = configuration
    values = TrainedValues(recipe, configuration)
    if recipe.lora != nil || recipe.reinforcement != nil { configuration.predictionLayerCount = 0 }
    trainedConfiguration = configuration
    let tokens = sequences * Double(recipe.sequenceLength)
    guard tokens <= 1e18 else {
      throw recipe.error("steps", "found \(recipe.steps), which take \(tokens) tokens, expected at most 1e18 of them")
    }
  }

  /// Of the data, where the recipe does not name the model's.
  private static func vocabularySize(_ recipe: Recipe) throws -> Int? {
    guard case .configuration(let members) = recipe.model, members["vocab_size"] == nil else { return nil }
    switch recipe.tokenizer {
    case .trained(let size, _): return size
    case .file:
      return try RunData.tokenizer(recipe, base: nil, goesOn: false, threadCount: 1, note: { _ in })?.0.vocabularySize
    case nil: break
    }
    guard case .datasets(let datasets) = recipe.data.source, let dataset = datasets.first else {
      throw recipe.error(
        "tokenizer", "is missing, and model.config has no vocab_size: expected file (a tokenizer.json), or size for texts")
    }
    do throws(DataError) {
      return try TokenDataset(folder: recipe.resolved(dataset.folder), verifies: false).vocabulary.size
    } catch {
      throw recipe.error(dataset.key, "\(error)")
    }
  }

  /// Those of all steps; of reinforcement the answers with their prompts.
  private var sequences: Double {
    recipe.reinforcement == nil
      ? Double(recipe.passes(before: recipe.steps)) * Double(recipe.microBatch) : Double(recipe.steps) * Double(recipe.batch)
  }

  // MARK: - Time

  /// The run, as one stage.
  /// - Parameters:
  ///   - count: of devices; nil for one of this machine, of others the fewest.
  ///   - sequenceLength: nil for the recipe's.
  /// - Throws: `PlanError` for a length that is out of range.
  public func run(hardware: Hardware, count: Sourced? = nil, sequenceLength: Double? = nil) throws(PlanError) -> TrainingRun {
    let length = sequenceLength ?? Double(recipe.sequenceLength)
    try PlanError.check("sequence length", length, 1...1e9)
    let devices: Sourced
    if let count { devices = count } else { devices = try leastDevices(hardware) }
    let isReinforcement = recipe.reinforcement != nil
    let keys = isReinforcement ? "prompts and samples" : recipe.batchRamp == nil ? "batch" : "batch and batch_ramp"
    let source = Sourced.Source.given(
      "steps, \(keys), sequence_length of the recipe" + (isReinforcement ? ": the most there can be" : ""))
    let portion = TrainingStage.Portion(
      tokens: Sourced(sequences * length, source), sequenceLength: Sourced(length, .given("sequence_length of the recipe")))
    let stage = TrainingStage(
      name: isReinforcement ? "reinforcement, at most" : "training", portions: [portion],
      pace: .utilization(TrainingRun.defaultUtilization), work: work)
    return TrainingRun(
      stages: [stage], hardware: hardware, deviceCount: devices,
      sequencesPerDevice: Sourced(
        min(Double(recipe.microBatch), Double(recipe.batch) / max(1, devices.value)), .given("micro_batch of the recipe")))
  }

  private func leastDevices(_ hardware: Hardware) throws(PlanError) -> Sourced {
    if hardware.isThisMachine { return Sourced(1, .assumed("swiftlet train uses one machine")) }
    let memory = try TrainingMemory(trainedConfiguration, formats: formats, trained: trained(), tokensInFlight: 1)
    return Sourced(
      TrainingRun.leastDevices(bytes: memory.total - memory.activations, hardware: hardware), TrainingRun.leastDevicesSource)
  }

  /// As `Trainer` counts it; adapters themselves are left out.
  private var work: TrainingStage.Work {
    var work = TrainingStage.Work()
    // Frozen weights have no gradient.
    if recipe.lora != nil { work.products = 2 }
    if let settings = recipe.reinforcement {
      // Drawing an answer computes what a forward direction does.
      let draws = settings.zeroVariance == .resample ? 1 + settings.resampleLimit : 1
      let forward = Double(draws + (settings.clipping.beta > 0 ? 1 : 0)), epochs = Double(settings.epochs)
      work.products = epochs * work.products + forward
      work.attention = epochs * work.attention + forward
    }
    work.prediction = 3 * predictionShare
    if let teacher {
      var configuration = teacher.base.configuration
      configuration.predictionLayerCount = 0
      work.beside = TokenFLOPs(configuration)
    }
    return work
  }

  /// The part of the tokens that layers predicting further ones learn from.
  private var predictionShare: Double {
    guard trainedConfiguration.predictionLayerCount > 0 else { return 0 }
    let all = recipe.passes(before: recipe.steps), later = recipe.prediction.later
    let first = later.map { recipe.passes(before: min($0.step, recipe.steps)) } ?? all
    var counted = 0
    if recipe.prediction.weight > 0 { counted += first }
    if let later, later.weight > 0 { counted += all - first }
    return Double(counted) / Double(max(1, all))
  }

  // MARK: - Memory

  /// What `train` keeps values in. FP8 is emulated with F32.
  public var formats: TrainingMemory.Formats {
    var formats = TrainingMemory.Formats()
    formats.weights = recipe.precision == .bfloat16 ? .bf16 : .f32
    formats.activations = .f32
    formats.recomputation = recipe.recomputesActivations ? .layer : .none
    return formats
  }

  /// What is in memory beside activations.
  /// - Parameters:
  ///   - moments: values that the optimizer keeps of each that is trained; nil for those of the recipe's.
  ///   - format: of these; nil for the recipe's.
  public func trained(moments: Int? = nil, format: NumberFormat? = nil) -> TrainingMemory.Trained {
    let kept = moments.map { Double($0) * values.count } ?? values.momentCount
    return TrainingMemory.Trained(
      values: values.count,
      // By rows for the way forward, by columns for the way back.
      productValues: 2 * values.productCount,
      momentBytes: kept * (format?.bytesPerValue ?? values.momentBytes / max(1, values.momentCount)), others: others)
  }

  private var others: [TrainingMemory.Part] {
    var result: [TrainingMemory.Part] = []
    func add(_ name: String, _ bytes: Double) { result.append(.init(name: name, bytes: bytes)) }
    if let base, recipe.lora != nil { add("frozen weights, as they are stored", Double(base.byteCount)) }
    if let teacher { add("teacher, as it is stored", Double(teacher.base.byteCount)) }
    if let settings = recipe.reinforcement {
      let width = (settings.rolloutPrecision ?? recipe.precision) == .bfloat16 ? 2.0 : 4
      let sequences = RolloutEngine.sequences(configuration, length: recipe.sequenceLength)
      let together = Double(min(sequences, recipe.batch)) * Double(recipe.sequenceLength)
      add("weights that answers are drawn from", width * Double(configuration.parameterCount.total))
      add("cache of answers, at most", width * together * Double(configuration.expandedCachedValuesPerPosition))
      if settings.clipping.beta > 0 { add("reference", 4 * values.count) }
    }
    return result
  }

  // MARK: - Words

  /// What the numbers leave out, or cannot know before the run.
  public var notes: [String] {
    var result: [String] = []
    if let settings = recipe.reinforcement {
      result.append(
        "How long prompts and answers become is not known before the run. Tokens and operations are the most there can be: every "
          + "sequence as long as sequence_length.")
      result.append(
        "Drawing an answer counts as one forward direction, at the utilization of learning. Decoding reaches less of the peak, so "
          + "that this part takes longer and costs more than stands here.")
      if settings.zeroVariance == .resample {
        result.append("zero_variance: resample may draw \(settings.resampleLimit) times further answers, which are counted.")
      }
      if settings.zeroVariance == .drop {
        result.append("How many answers are dropped, since all of a problem had one reward, is not known either.")
      }
      result.append("Not counted: what rewards take, and checkpoints.")
    } else {
      if recipe.data.masksDocuments {
        result.append("How long documents are is not known without the data: attention is counted as if it saw whole sequences.")
      }
      if let settings = recipe.distillation {
        result.append(
          "The teacher's forward direction is counted for every token."
            + (settings.cache == nil ? "" : " With distill.cache it is asked once a token of the data, which is not read here."))
      }
      result.append("Not counted: packing of data, evaluation, checkpoints.")
    }
    return result
  }
}
