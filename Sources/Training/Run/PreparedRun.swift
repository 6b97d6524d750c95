internal import Foundation
public import SwiftletCheckpoints
internal import SwiftletConversion
public import SwiftletJSON
public import SwiftletModels
internal import SwiftletTokenization

/// A recipe with everything it needs: opened, and checked before anything is computed.
public struct PreparedRun {
  public let recipe: Recipe
  public let configuration: ModelConfiguration
  /// Of config.json.
  public let modelJSON: JSONValue
  /// Steps that are done, by the checkpoint that the run goes on from; 0 where it begins.
  public var completedSteps: Int { state?.step ?? 0 }
  /// Checkpoints that are newer and damaged.
  public let damagedCheckpoints: [CheckpointError]
  /// Of the training data.
  public var tokenCount: Int { data.sources.reduce(0) { $0 + $1.dataset.tokenCount } }
  /// Problems that reinforcement asks; nil where they have no end, and for training on data.
  public var problemCount: Int? { problems?.count }
  let state: RunState?
  let data: RunData
  /// nil where the model makes its data itself.
  let batches: BatchIterator?
  /// Of reinforcement.
  let problems: ProblemSource?
  /// The held-out sequences, in passes.
  let evaluation: [TrainingBatch]
  /// Mean bytes of text of the tokens that are predicted there; nil without a tokenizer.
  let heldOutBytesPerToken: Double?
  /// What `model.from` names; nil for random weights.
  let base: HubModel?
  /// nil where the data alone is learned from.
  let teacher: Teacher?
  /// The checkpoint that the run goes on from.
  let saved: SafetensorsFolder?
  let checkpoints: RunCheckpoints
  /// Keeps other runs out of the folder.
  private let lock: FolderLock

  /// - Parameter note: told what takes a while.
  /// - Throws: `RecipeError` naming the key, `DataError` or `CheckpointError` naming the file.
  public init(_ recipe: Recipe, threadCount: Int, note: (String) -> Void = { _ in }) throws {
    self.recipe = recipe
    // What needs no data comes first.
    base = try Self.base(recipe)
    base?.notes.forEach(note)
    teacher = try Teacher(recipe)
    let draft = try Self.model(recipe, base, vocabularySize: nil)
    try Self.check(recipe, draft.configuration)
    let folder = recipe.folder
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw recipe.error("folder", "\(folder) cannot be made: \(error.localizedDescription)")
    }
    lock = try FolderLock(folder)
    checkpoints = RunCheckpoints(runFolder: folder)
    checkpoints.removeUnfinished()
    // As large as the model, and never taken up again.
    UnfinishedFiles.remove(in: folder) { Self.results.contains($0) || $0.hasSuffix(".svg") }
    (state, damagedCheckpoints) = try checkpoints.newest()
    if let state { try Self.checkSettings(recipe, Self.settings(recipe, base, teacher), state) }

    data = try RunData(recipe, base: base, teacher: teacher, goesOn: state != nil, threadCount: threadCount, note: note)
    if let begun = state?.heldOut, !data.heldOut.isEmpty, begun != data.heldOut.map(\.dataset.checksum) {
      throw recipe.error(
        "data",
        "the run in \(folder) was measured with other held-out documents; go on with those, or choose another folder")
    }
    (modelJSON, configuration) = try Self.model(recipe, base, vocabularySize: data.vocabularySize)
    guard data.vocabularySize <= configuration.vocabularySize else {
      let isConfiguration = if case .configuration = recipe.model { true } else { false }
      throw recipe.error(
        isConfiguration ? "model.config.vocab_size" : "model.from (vocab_size)",
        "found \(configuration.vocabularySize), expected at least the \(data.vocabularySize) tokens of the data's vocabulary")
    }
    try RunMemory(recipe, configuration).check(recipe)
    let length = recipe.sequenceLength
    func iterator(
      _ sources: [DataSource], _ key: String, shuffles: Bool, count: Int? = nil, at position: BatchPosition? = nil
    ) throws -> BatchIterator {
      do throws(DataError) {
        return try BatchIterator(
          sources,
          BatchConfiguration(
            sequenceLength: length, sequencesPerBatch: recipe.microBatch, seed: recipe.seed, shuffles: shuffles,
            packing: recipe.data.packing, crossesDocuments: !recipe.data.masksDocuments, epochs: shuffles ? nil : 1,
            sequenceCount: count), at: position)
      } catch {
        throw recipe.error(key, "\(error)")
      }
    }
    batches = data.sources.isEmpty ? nil : try iterator(data.sources, "data", shuffles: true, at: state?.position)
    if let settings = recipe.reinforcement {
      problems = try data.problems(recipe, settings, base: base, configuration)
    } else {
      problems = nil
    }
    for error in problems?.broken.prefix(20) ?? [] { note("left out: \(error)") }
    if let count = problems?.broken.count, count > 0 {
      note("left out \(count) \(count == 1 ? "problem" : "problems") that cannot be asked")
    }
    var measured: [TrainingBatch] = []
    if !data.heldOut.isEmpty {
      // A run measures with the same sequences to its end.
      let isSpread = state.map { $0.spreadsEvaluation ?? false } ?? true
      var held = try iterator(
        data.heldOut, "evaluation", shuffles: false, count: isSpread ? recipe.evaluation.sequences : nil)
      let passes = (recipe.evaluation.sequences + recipe.microBatch - 1) / recipe.microBatch
      while measured.count < passes, let batch = try held.next() {
        measured.append(TrainingBatch(batch, masksDocuments: recipe.data.masksDocuments))
      }
    }
    evaluation = measured
    heldOutBytesPerToken = data.tokenizer.flatMap { Self.bytesPerToken(measured, $0) }
    if let state { saved = try SafetensorsFolder(path: checkpoints.path(step: state.step)) } else { saved = nil }
    // Weights and moments, and room for the next checkpoint before the oldest goes.
    let values = TrainedValues(recipe, configuration).count
    let bytes =
      recipe.optimizer.checkpointBytesPerValue * values
      * Double(RunCheckpoints.kept + 1 - min(RunCheckpoints.kept, checkpoints.steps.count))
    try DiskSpace.require(Int(min(bytes, 1e18)), for: folder + "/checkpoints")
    if let json = data.tokenizerJSON, state == nil {
      let writer = try FileWriter(path: folder + "/tokenizer.json")
      try writer.write(json)
      try writer.commit()
    }
    let writer = try FileWriter(path: folder + "/recipe.yaml")
    try writer.write(Array(recipe.text.utf8))
    try writer.commit()
  }

  /// What a run writes into its folder, beside plots.
  private static let results = ["model", "adapter", "log.jsonl", "report.md", "recipe.yaml", "tokenizer.json"]

  static func base(_ recipe: Recipe) throws(RecipeError) -> HubModel? {
    guard case .checkpoint(let path) = recipe.model else { return nil }
    do {
      return try HubModel(path: recipe.resolved(path))
    } catch {
      throw recipe.error("model.from", "\(error)")
    }
  }

  /// What a run must be the same in to go on: the recipe's keys, what the model it began with is, and for adapters its weights.
  static func settings(_ recipe: Recipe, _ base: HubModel?, _ teacher: Teacher?) -> [String: String] {
    var result = recipe.settings
    if case .file(let path, _, _)? = recipe.reinforcement?.problems,
      let content = try? RegularFile(path: recipe.resolved(path)).bytes()
    {
      result["reinforce.problems (its content)"] = String(Checksum64.of(content), radix: 16)
    }
    // Of chats the data that they were packed as tells it.
    if case .chat(let template?)? = recipe.reinforcement?.prompt,
      let content = try? RegularFile(path: recipe.resolved(template)).bytes()
    {
      result[templateContent] = String(Checksum64.of(content), radix: 16)
    }
    if let teacher { result["distill.teacher (its weights)"] = teacher.fingerprint }
    guard let base else { return result }
    let configuration = String(Checksum64.of(Array(base.config.serialized().utf8)), radix: 16)
    result["model.from (its config.json)"] = configuration
    if recipe.lora != nil { result["model.from (its weights)"] = base.fingerprint }
    return result
  }

  /// config.json, and what it says.
  /// - Parameter vocabularySize: stands where the recipe gives none; nil while it is not known.
  static func model(
    _ recipe: Recipe, _ base: HubModel?, vocabularySize: Int?
  ) throws(RecipeError) -> (json: JSONValue, configuration: ModelConfiguration) {
    if let base {
      guard let change = recipe.contextExtension else { return (base.config, base.configuration) }
      let json = change.applied(to: base.config)
      do throws(CheckpointError) {
        return (json, try ModelConfiguration(json: json, source: recipe.file))
      } catch {
        throw recipe.error(change.sets(error.field) ? "model.\(error.field)" : "model.from (\(error.field))", error.reason)
      }
    }
    let json: JSONValue, key = "model.config"
    switch recipe.model {
    case .configuration(let members):
      var all = members.members ?? []
      if members["vocab_size"] == nil {
        all.append(JSONMember(key: "vocab_size", value: .integer(vocabularySize ?? 1024)))
      }
      json = .object(all)
    case .checkpoint: preconditionFailure("has a base")
    }
    do throws(CheckpointError) {
      return (json, try ModelConfiguration(json: json, source: recipe.file))
    } catch {
      throw recipe.error("\(key).\(error.field)", error.reason)
    }
  }

  /// - Parameter loss: on the held-out sequences, in nats a token.
  func heldOutBitsPerByte(loss: Double) -> Double? { heldOutBytesPerToken.map { loss / ($0 * log(2)) } }

  /// Special tokens are no text.
  private static func bytesPerToken(_ batches: [TrainingBatch], _ tokenizer: Tokenizer) -> Double? {
    let targets = batches.lazy.flatMap(\.targets).compactMap { Int32(exactly: $0) }.filter { $0 >= 0 }
    var tokens = 0, bytes = 0
    for target in targets {
      tokens += 1
      bytes += tokenizer.isSpecial(target) ? 0 : tokenizer.bytes(of: target).count
    }
    return bytes > 0 ? Double(bytes) / Double(tokens) : nil
  }

  /// What recipe and model say of each other.
  static func check(_ recipe: Recipe, _ configuration: ModelConfiguration) throws(RecipeError) {
    guard recipe.sequenceLength <= configuration.contextLength else {
      throw recipe.error(
        "sequence_length",
        "found \(recipe.sequenceLength), expected at most the model's max_position_embeddings, \(configuration.contextLength)")
    }
    if let lora = recipe.lora {
      let names = configuration.requiredWeights().map(\.name), all = LowRankOptions.allowedTargets
      let known = all.filter { target in names.contains { LowRankOptions.isTarget(target, of: $0) } }
      if lora.targets != all, let missing = lora.targets.first(where: { !known.contains($0) }) {
        throw recipe.error(
          "lora.targets", "found \(missing), which this model does not have, expected some of \(known.joined(separator: ", "))")
      }
    }
    // Adapters are trained without the layers that predict further tokens.
    guard configuration.predictionLayerCount <= 1 || recipe.lora != nil else {
      let key =
        if case .checkpoint = recipe.model { "model.from (num_nextn_predict_layers)" } else {
          "model.config.num_nextn_predict_layers"
        }
      throw recipe.error(key, "found \(configuration.predictionLayerCount), expected 0 or 1")
    }
    if let skips = recipe.positionSkips, skips.limit > configuration.contextLength {
      throw recipe.error(
        "position_skips.below",
        "found \(skips.limit), expected at most the model's max_position_embeddings, \(configuration.contextLength)")
    }
    if let ramp = recipe.batchRamp, ramp.from < recipe.microBatch {
      throw recipe.error("batch_ramp.from", "found \(ramp.from), expected at least micro_batch, which is \(recipe.microBatch)")
    }
    if case .configuration(let members) = recipe.model, let range = members["initializer_range"] {
      guard let value = range.double, value > 0, value <= 1 else {
        throw recipe.error("model.config.initializer_range", "found \(range.serialized()), expected a number above 0 and up to 1")
      }
    }
  }

  /// Keys whose values may change while a run rests: they do not change what its steps compute, or are meant to be.
  private static let changeable = [
    "steps", "checkpoint_interval", "evaluation", "on_failure", "cost", "export", "folder", "recompute", "distill.cache",
  ]

  /// Whether a key is a path of data, which may be spelled in another way when a recipe was moved. Data is compared by its
  /// content: texts and chats by `DataPacking`, datasets by `BatchIterator` and `RunState.heldOut`, and the content of problems
  /// is a setting of its own.
  private static func isPathOfData(_ key: String) -> Bool {
    let names = ["data.text", "data.chats", "data.datasets"]
    return key == "reinforce.problems"
      || names.contains { key == $0 || key.hasPrefix($0 + "[") } && !key.hasSuffix(".weight")
  }

  private static let templateContent = "reinforce.template (its content)"

  private static func checkSettings(_ recipe: Recipe, _ settings: [String: String], _ state: RunState) throws(RecipeError) {
    guard state.step <= recipe.steps else {
      throw recipe.error("steps", "found \(recipe.steps), but the run in \(recipe.folder) has done \(state.step) already")
    }
    for key in Set(settings.keys).union(state.settings.keys).sorted() {
      let (now, begun) = (settings[key], state.settings[key])
      guard now != begun, !changeable.contains(where: { key == $0 || key.hasPrefix($0 + ".") }), !isPathOfData(key) else {
        continue
      }
      // Runs were begun before this was kept.
      if key == templateContent, begun == nil { continue }
      // The run has a copy of the tokenizer that it was begun with.
      if key == "tokenizer.file", begun != nil, let now,
        FileManager.default.contentsEqual(atPath: recipe.resolved(now), andPath: recipe.folder + "/tokenizer.json")
      {
        continue
      }
      throw recipe.error(
        key,
        "found \(now.map { "'\($0)'" } ?? "nothing"), but the run in \(recipe.folder) was begun with "
          + "\(begun.map { "'\($0)'" } ?? "nothing"); go on with that, or choose another folder")
    }
  }

  /// The standard deviation of new weights: DeepSeek-V3's unless the configuration has its own.
  var deviation: Float { Float(modelJSON["initializer_range"]?.double ?? 0.006) }
}

extension TrainingBatch {
  /// - Parameter masksDocuments: whether attention ends at the ends of documents; else at those of sequences.
  init(_ batch: TokenBatch, masksDocuments: Bool) {
    // Padding is behind what a sequence holds.
    let padding = Dictionary(batch.padding.map { ($0.upperBound, $0.lowerBound) }) { first, _ in first }
    self.init(
      tokens: batch.tokens, targets: batch.targets, documents: masksDocuments ? batch.documents : batch.sequences,
      sequences: batch.sequences.map { $0.lowerBound..<(padding[$0.upperBound] ?? $0.upperBound) })
    if masksDocuments { return }
    for document in batch.documents where batch.targets[document.upperBound - 1] < 0 { ends.insert(document.upperBound - 1) }
  }
}

/// Holds a folder for one process.
final class FolderLock {
  private let descriptor: Int32

  /// - Throws: `TrainingError` when another process holds it.
  init(_ folder: String) throws {
    let opened = open(folder + "/.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard opened >= 0 else {
      throw TrainingError(reason: "\(folder) cannot be written to: \(String(cString: strerror(errno)))")
    }
    guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
      close(opened)
      throw TrainingError(reason: "another run is at work in \(folder); wait for its end, or choose another folder")
    }
    // Last, since an object with all properties set is closed again when it throws.
    descriptor = opened
  }

  deinit { close(descriptor) }
}
