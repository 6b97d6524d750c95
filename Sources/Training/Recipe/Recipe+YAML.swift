internal import SwiftletCheckpoints
internal import SwiftletJSON
internal import SwiftletTensors
internal import SwiftletTokenization

extension Recipe {
  /// Reads a recipe.
  /// - Throws: `RecipeError` naming the key, what was found and what is allowed.
  public init(path: String) throws(RecipeError) {
    let bytes: [UInt8]
    do throws(CheckpointError) {
      bytes = try RegularFile(path: path).bytes(maximumBytes: 1 << 20)
    } catch {
      throw RecipeError(file: path, key: "", reason: "\(error.reason); give the path of a recipe, a YAML file of at most 1 MB")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw RecipeError(file: path, key: "", reason: "is no text, expected a recipe in YAML")
    }
    try self.init(yaml: text, file: path)
  }

  /// - Parameter file: the path that errors name and relative paths begin beside.
  public init(yaml text: String, file: String) throws(RecipeError) {
    let root = try RecipeValue.parse(text, file: file)
    let fields = try root.fields(
      "data", "reinforce", "tokenizer", "model", "lora", "distill", "optimizer", "balance", "prediction", "sequence_length",
      "position_skips",
      "batch",
      "micro_batch",
      "batch_ramp",
      "steps", "precision", "recompute", "seed", "checkpoint_interval", "evaluation", "on_failure", "cost", "export", "folder")
    self.file = file
    self.text = text
    settings = Dictionary(root.flattened().map { ($0.key, $0.value) }) { _, last in last }
    steps = try fields.required("steps").integer(1...1 << 40)
    reinforcement = try fields["reinforce"].map { value throws(RecipeError) in try Self.reinforcement(value) }
    if reinforcement == nil {
      guard fields["data"] != nil else {
        throw RecipeError(file: file, key: "data", reason: "is missing; or reinforce, for training on the model's own answers")
      }
      data = try Self.data(fields.required("data"))
    } else {
      for name in ["data", "distill", "batch", "batch_ramp", "position_skips", "prediction", "evaluation"] {
        if let value = fields[name] { throw value.error("is for training on data, not for reinforce") }
      }
      data = Data(source: .answers, packing: .documents, masksDocuments: true)
    }
    tokenizer = try fields["tokenizer"].map { value throws(RecipeError) in try Self.tokenizer(value) }
    (model, contextExtension) = try Self.model(fields.required("model"))
    lora = try fields["lora"].map { value throws(RecipeError) in try Self.lora(value) }
    if case .configuration = model, let value = fields["lora"] {
      throw value.error("needs model.from: adapters are trained beside weights")
    }
    if let value = fields["lora"], contextExtension != nil {
      throw value.error("adapters do not carry another rope_scaling or max_position_embeddings; leave those out, or lora")
    }
    distillation = try fields["distill"].map { value throws(RecipeError) in try Distillation(value) }
    if let value = fields["distill"]?.key, let cache = distillation?.cache,
      data.packing != .documents || !data.masksDocuments
    {
      throw RecipeError(
        file: file, key: value + ".cache",
        reason:
          "found '\(cache)', but what a teacher says is kept of whole documents alone: expected data with packing: documents and "
          + "document_mask: true, as chats have; or leave it out, and the teacher is asked while training")
    }
    optimizer = try Self.optimizer(fields.required("optimizer"), steps: steps)
    balance = Balance(gamma: 0.001, alpha: 0.0001)
    if let group = try fields["balance"]?.fields("gamma", "alpha", "until_step") {
      balance.gamma = Float(try group.number("gamma", 0...1, default: 0.001))
      balance.alpha = Float(try group.number("alpha", 0...1, default: 0.0001))
      balance.untilStep = try group["until_step"]?.integer(0...1 << 40)
    }
    prediction = try Self.prediction(fields["prediction"])
    sequenceLength = try fields.required("sequence_length").integer(2...1 << 20)
    if let group = try fields["position_skips"]?.fields("most", "below") {
      positionSkips = PositionSkips(
        most: try group.required("most").integer(1...1 << 20), limit: try group.required("below").integer(2...1 << 20))
    }
    if let reinforcement {
      batch = reinforcement.prompts * reinforcement.samples
      microBatch = try fields.integer("micro_batch", 1...1 << 20, default: min(batch, 8))
    } else {
      batch = try fields.required("batch").integer(1...1 << 20)
      microBatch = try fields.integer("micro_batch", 1...1 << 20, default: batch)
    }
    if let value = fields["micro_batch"], reinforcement == nil, batch % microBatch != 0 {
      throw value.wrong("a divisor of batch, which is \(batch)")
    }
    if let value = fields["batch_ramp"] {
      let group = try value.fields("from", "steps")
      batchRamp = BatchRamp(
        from: try group.required("from").integer(1...batch), steps: try group.required("steps").integer(1...1 << 40))
    }
    precision = try fields.choice("precision", default: .bfloat16)
    if let value = fields["precision"], precision == .float8, lora != nil {
      throw value.error("fp8 is for training whole models, expected bfloat16 or float32 beside lora")
    }
    if let value = fields["precision"], precision == .float8, reinforcement != nil {
      throw value.error("fp8 is for training on data: answers cannot be drawn from it, expected bfloat16 or float32")
    }
    recomputesActivations = try fields.bool("recompute", default: false)
    seed = UInt64(try fields.integer("seed", 0...Int.max, default: 0))
    checkpointInterval = try fields.integer("checkpoint_interval", 1...1 << 40, default: 1000)
    evaluation = Evaluation(interval: 0, sequences: 0)
    if let group = try fields["evaluation"]?.fields("interval", "sequences") {
      evaluation.interval = try group.required("interval").integer(1...1 << 40)
      evaluation.sequences = try group.integer("sequences", 1...1 << 20, default: 16)
    }
    failure = try Self.failure(fields["on_failure"])
    if let value = fields["on_failure"], failure.spikeHeight > 0, reinforcement != nil {
      throw value.error("spike and spike_height are for training on data: the loss of a policy has no such meaning")
    }
    cost = Cost()
    if let group = try fields["cost"]?.fields("peak_flops", "watts", "dollars_per_hour") {
      cost.peakFLOPsPerSecond = try group["peak_flops"]?.number(1...1e18)
      cost.watts = try group["watts"]?.number(0...1e6)
      cost.dollarsPerHour = try group["dollars_per_hour"]?.number(0...1e6)
    }
    exportType = try fields.choice("export", default: ExportName.float32) == .bfloat16 ? .bfloat16 : .float32
    folder = try fields.required("folder").string()
    folder = resolved(folder)
  }

  private enum ExportName: String, CaseIterable {
    case float32
    case bfloat16
  }

  private static func data(_ value: RecipeValue) throws(RecipeError) -> Data {
    let fields = try value.fields(
      "text", "datasets", "chats", "held_out", "separator", "passage", "fill_in_middle", "template", "skip_broken", "packing",
      "document_mask")
    guard ["text", "chats", "datasets"].count(where: { fields[$0] != nil }) == 1 else {
      throw value.error("expected one of text (files), chats (files) and datasets (folders of 'swiftlet data pack')")
    }
    if let chats = fields["chats"] { return try Self.chats(chats, fields) }
    for name in ["template", "skip_broken"] { if let value = fields[name] { throw value.error("is for chats alone") } }
    let source: Data.Source
    if let text = fields["text"] {
      source = .text(
        Text(
          files: try text.strings(), heldOut: try fields.number("held_out", 0...0.9, default: 0.01),
          separator: try fields["separator"]?.string(),
          passageBytes: try fields.integer("passage", 64...1 << 30, default: DocumentOptions().passageBytes),
          fillInMiddle: try fields["fill_in_middle"].flatMap { value throws(RecipeError) in try fillInMiddle(value) }))
    } else {
      let list = try fields.required("datasets")
      for name in ["held_out", "separator", "passage", "fill_in_middle"] {
        if let value = fields[name] { throw value.error("is for text alone; 'swiftlet data pack' decided it for datasets") }
      }
      let datasets = try list.elements().map { element throws(RecipeError) -> Dataset in
        if element.node.scalar != nil { return Dataset(folder: try element.string(), weight: 1, key: element.key) }
        let group = try element.fields("folder", "weight")
        return Dataset(
          folder: try group.required("folder").string(), weight: try group.number("weight", 1e-9...1e9, default: 1),
          key: element.key)
      }
      if datasets.isEmpty { throw list.wrong("at least one folder") }
      source = .datasets(datasets)
    }
    return Data(
      source: source, packing: try fields.choice("packing", default: .stream),
      masksDocuments: try fields.bool("document_mask", default: false))
  }

  private static func fillInMiddle(_ value: RecipeValue) throws(RecipeError) -> FillInMiddle? {
    if value.node.scalar != nil {
      let rate = try value.number(0...1)
      return rate > 0 ? FillInMiddle(rate: rate) : nil
    }
    let fields = try value.fields("rate", "tokens"), rate = try fields.required("rate").number(0...1)
    let tokens = try fields["tokens"]?.strings()
    if let value = fields["tokens"], let tokens, tokens.count != 3 || Set(tokens).count != 3 {
      throw value.wrong("three different tokens: before prefix, suffix and middle")
    }
    return rate > 0 ? FillInMiddle(rate: rate, tokens: tokens) : nil
  }

  private static func tokenizer(_ value: RecipeValue) throws(RecipeError) -> Tokenizer {
    let fields = try value.fields("file", "size", "pre_tokenizer")
    switch (fields["file"], fields["size"]) {
    case (let file?, nil):
      if let value = fields["pre_tokenizer"] { throw value.error("is for a tokenizer that is trained; leave it out") }
      return .file(try file.string())
    case (nil, let size?):
      return .trained(
        size: try size.integer(256 + BytePairTraining.deepSeekTokens.count...1 << 20),
        preTokenizer: try fields.choice("pre_tokenizer", default: .deepSeekV3))
    default: throw value.error("expected either file (a tokenizer.json) or size (of one that is trained on the texts)")
    }
  }

  private static func model(_ value: RecipeValue) throws(RecipeError) -> (Model, ContextExtension?) {
    let fields = try value.fields("config", "from", "rope_scaling", "max_position_embeddings")
    switch (fields["config"], fields["from"]) {
    case (let config?, nil):
      guard config.node.mapping != nil else { throw config.wrong("the keys of a config.json, such as model_type") }
      for name in ["rope_scaling", "max_position_embeddings"] {
        if let value = fields[name] { throw value.error("changes a model that is trained already (from); put it under config") }
      }
      return (.configuration(try config.asJSON()), nil)
    case (nil, let folder?): return (.checkpoint(try folder.string()), try ContextExtension(fields))
    default:
      throw value.error("expected either config (the keys of a config.json) or from (a checkpoint's folder or a GGUF file)")
    }
  }

  private static func prediction(_ value: RecipeValue?) throws(RecipeError) -> PredictionWeight {
    guard let value else { return PredictionWeight(weight: 0.3) }
    if value.node.scalar != nil { return PredictionWeight(weight: Float(try value.number(0...10))) }
    let fields = try value.fields("weight", "later_step", "later_weight")
    var result = PredictionWeight(weight: Float(try fields.number("weight", 0...10, default: 0.3)))
    if let step = fields["later_step"] {
      result.later = .init(step: try step.integer(0...1 << 40), weight: Float(try fields.required("later_weight").number(0...10)))
    } else if let weight = fields["later_weight"] {
      throw weight.error("needs later_step, the step from which it holds")
    }
    return result
  }

  private static func failure(_ value: RecipeValue?) throws(RecipeError) -> Failure {
    var result = Failure(notFinite: .stop, spike: .stop, spikeHeight: 0, limit: 10)
    guard let fields = try value?.fields("nan", "spike", "spike_height", "limit") else { return result }
    result.notFinite = try fields.choice("nan", default: .stop)
    result.spike = try fields.choice("spike", default: .stop)
    result.spikeHeight = try fields.number("spike_height", 0...100, default: fields["spike"] == nil ? 0 : 1)
    result.limit = try fields.integer("limit", 1...1 << 20, default: 10)
    return result
  }
}
