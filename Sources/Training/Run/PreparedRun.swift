internal import Foundation
public import SwiftletCheckpoints
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
  let state: RunState?
  let data: RunData
  let batches: BatchIterator
  /// The held-out sequences, in passes.
  let evaluation: [TrainingBatch]
  /// Mean bytes of text of the tokens that are predicted there; nil without a tokenizer.
  let heldOutBytesPerToken: Double?
  /// Of the checkpoint that training begins with; nil for random weights.
  let weights: SafetensorsFolder?
  let checkpoints: RunCheckpoints
  /// Keeps other runs out of the folder.
  private let lock: FolderLock

  /// - Parameter note: told what takes a while.
  /// - Throws: `RecipeError` naming the key, `DataError` or `CheckpointError` naming the file.
  public init(_ recipe: Recipe, threadCount: Int, note: (String) -> Void = { _ in }) throws {
    self.recipe = recipe
    // What needs no data comes first.
    let draft = try Self.model(recipe, vocabularySize: nil)
    try Self.check(recipe, draft.configuration)
    if case .configuration(let members) = recipe.model, let range = members["initializer_range"] {
      guard let value = range.double, value > 0, value <= 1 else {
        throw recipe.error("model.config.initializer_range", "found \(range.serialized()), expected a number above 0 and up to 1")
      }
    }
    let folder = recipe.folder
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw recipe.error("folder", "\(folder) cannot be made: \(error.localizedDescription)")
    }
    lock = try FolderLock(folder)
    checkpoints = RunCheckpoints(runFolder: folder)
    checkpoints.removeUnfinished()
    (state, damagedCheckpoints) = try checkpoints.newest()
    if let state { try Self.checkSettings(recipe, state) }

    data = try RunData(recipe, goesOn: state != nil, threadCount: threadCount, note: note)
    (modelJSON, configuration) = try Self.model(recipe, vocabularySize: data.vocabularySize)
    guard data.vocabularySize <= configuration.vocabularySize else {
      let isConfiguration = if case .configuration = recipe.model { true } else { false }
      throw recipe.error(
        isConfiguration ? "model.config.vocab_size" : "model.from (vocab_size)",
        "found \(configuration.vocabularySize), expected at least the \(data.vocabularySize) tokens of the data's vocabulary")
    }
    let length = recipe.sequenceLength
    func iterator(_ sources: [DataSource], _ key: String, shuffles: Bool, at position: BatchPosition?) throws -> BatchIterator {
      do throws(DataError) {
        return try BatchIterator(
          sources,
          BatchConfiguration(
            sequenceLength: length, sequencesPerBatch: recipe.microBatch, seed: recipe.seed, shuffles: shuffles,
            packing: recipe.data.packing, crossesDocuments: !recipe.data.masksDocuments, epochs: shuffles ? nil : 1), at: position
        )
      } catch {
        throw recipe.error(key, "\(error)")
      }
    }
    batches = try iterator(data.sources, "data", shuffles: true, at: state?.position)
    var measured: [TrainingBatch] = []
    if !data.heldOut.isEmpty {
      var held = try iterator(data.heldOut, "evaluation", shuffles: false, at: nil)
      let passes = (recipe.evaluation.sequences + recipe.microBatch - 1) / recipe.microBatch
      while measured.count < passes, let batch = try held.next() {
        measured.append(TrainingBatch(batch, masksDocuments: recipe.data.masksDocuments))
      }
    }
    evaluation = measured
    heldOutBytesPerToken = data.tokenizer.flatMap { Self.bytesPerToken(measured, $0) }
    if let state {
      weights = try SafetensorsFolder(path: checkpoints.path(step: state.step))
    } else if case .checkpoint(let folder) = recipe.model {
      weights = try SafetensorsFolder(path: recipe.resolved(folder))
    } else {
      weights = nil
    }
    // Weights and two moments, and room for the next checkpoint before the oldest goes.
    let trained = configuration.trainedWeights(predictionLayers: configuration.predictionLayerCount) { _ in false }
    let values = trained.reduce(0) { $0 + $1.shape.reduce(1) { $0 * Double($1) } }
    let bytes = 12 * values * Double(RunCheckpoints.kept + 1 - min(RunCheckpoints.kept, checkpoints.steps.count))
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

  /// config.json, and what it says.
  /// - Parameter vocabularySize: stands where the recipe gives none; nil while it is not known.
  private static func model(
    _ recipe: Recipe, vocabularySize: Int?
  ) throws(RecipeError) -> (json: JSONValue, configuration: ModelConfiguration) {
    let json: JSONValue, key: String
    switch recipe.model {
    case .configuration(let members):
      key = "model.config"
      var all = members.members ?? []
      if members["vocab_size"] == nil {
        all.append(JSONMember(key: "vocab_size", value: .integer(vocabularySize ?? 1024)))
      }
      json = .object(all)
    case .checkpoint(let folder):
      key = "model.from"
      let path = recipe.resolved(folder) + "/config.json"
      guard let bytes = FileManager.default.contents(atPath: path) else {
        throw recipe.error(key, "\(path) cannot be read, expected a folder with config.json and safetensors")
      }
      do {
        json = try JSONValue(parsing: Array(bytes))
      } catch {
        throw recipe.error(key, "\(path) is no JSON: \(error)")
      }
    }
    do throws(CheckpointError) {
      return (json, try ModelConfiguration(json: json, source: recipe.file))
    } catch {
      throw recipe.error(key == "model.config" ? "\(key).\(error.field)" : "\(key) (\(error.field))", error.reason)
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
  private static func check(_ recipe: Recipe, _ configuration: ModelConfiguration) throws(RecipeError) {
    guard recipe.sequenceLength <= configuration.contextLength else {
      throw recipe.error(
        "sequence_length",
        "found \(recipe.sequenceLength), expected at most the model's max_position_embeddings, \(configuration.contextLength)")
    }
    guard configuration.predictionLayerCount <= 1 else {
      throw recipe.error(
        "model.config.num_nextn_predict_layers", "found \(configuration.predictionLayerCount), expected 0 or 1")
    }
    if let ramp = recipe.batchRamp, ramp.from < recipe.microBatch {
      throw recipe.error("batch_ramp.from", "found \(ramp.from), expected at least micro_batch, which is \(recipe.microBatch)")
    }
  }

  /// Keys whose values may change while a run rests: they do not change what its steps compute, or are meant to be.
  private static let changeable = [
    "steps", "checkpoint_interval", "evaluation", "on_failure", "cost", "export", "folder", "recompute",
  ]

  private static func checkSettings(_ recipe: Recipe, _ state: RunState) throws(RecipeError) {
    guard state.step <= recipe.steps else {
      throw recipe.error("steps", "found \(recipe.steps), but the run in \(recipe.folder) has done \(state.step) already")
    }
    for key in Set(recipe.settings.keys).union(state.settings.keys).sorted() {
      let (now, begun) = (recipe.settings[key], state.settings[key])
      guard now != begun, !changeable.contains(where: { key == $0 || key.hasPrefix($0 + ".") }) else { continue }
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
    descriptor = open(folder + "/.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw TrainingError(reason: "\(folder) cannot be written to: \(String(cString: strerror(errno)))")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw TrainingError(reason: "another run is at work in \(folder); wait for its end, or choose another folder")
    }
  }

  deinit { close(descriptor) }
}
