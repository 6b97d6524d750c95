internal import Foundation
internal import SwiftletCheckpoints

/// Where a run stands, beside its weights and moments. Random numbers come from the seed and from the position in the data, so
/// neither a generator nor the schedule has a state of its own.
struct RunState: Codable, Equatable {
  /// Steps done.
  var step = 0
  /// Of the optimizer: fewer than steps where some were skipped, more where a step of reinforcement makes several.
  var optimizerSteps = 0
  /// In the data; nil where the model makes its data itself.
  var position: BatchPosition?
  /// Problems that were asked so far; nil for training on data.
  var draws: Int?
  /// Losses of the last steps, for spikes.
  var recentLosses: [Double] = []
  var skippedInARow = 0
  var tokens = 0
  /// Whether evaluation takes sequences from all over those that are held out; nil in runs that were begun when it took the
  /// first ones.
  var spreadsEvaluation: Bool? = true
  /// Checksums of the held-out data, by source; nil where nothing was measured yet, and in runs that were begun before these were
  /// kept.
  var heldOut: [UInt64]?
  /// The recipe's, by key.
  var settings: [String: String]
  /// Checksums (XXH64) of the files beside this one.
  var files: [String: UInt64] = [:]
}

/// The checkpoints of a run: folders that are written aside and get their name when they are whole.
struct RunCheckpoints {
  static let kept = 2
  static let weightsName = "model.safetensors"
  static let momentsName = "optimizer.safetensors"
  static let stateName = "state.json"
  /// In the run's folder.
  let folder: String

  init(runFolder: String) { folder = runFolder + "/checkpoints" }

  func path(step: Int) -> String { "\(folder)/step-\(String(100_000_000 + step).dropFirst())" }

  /// The steps of which there are folders, ascending.
  var steps: [Int] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.compactMap { $0.hasPrefix("step-") ? Int($0.dropFirst(5)) : nil }.sorted()
  }

  /// Removes what a process that was killed was writing.
  func removeUnfinished() { UnfinishedFiles.remove(in: folder) { $0.hasPrefix("step-") } }

  /// Writes a checkpoint, and removes all but the last two.
  /// - Throws: `CheckpointError` when there is no room; then the ones before are as they were, and nothing else is left.
  func write(
    _ state: RunState, parameters: ParameterSet, optimizer: RunOptimizer, reference: ReferencePolicy? = nil
  ) throws(CheckpointError) {
    let path = path(step: state.step)
    try makeFolder()
    let bytes = 4 * parameters.count + optimizer.stateByteCount + (reference?.byteCount ?? 0)
    try DiskSpace.require(bytes + 1 << 16, for: path)
    let writer = try FolderWriter(path: path)
    let aside = writer.temporaryPath
    try parameters.save(to: aside + "/" + Self.weightsName)
    try optimizer.save(to: aside + "/" + Self.momentsName)
    try reference?.save(to: aside + "/" + ReferencePolicy.fileName)
    var state = state
    for name in [Self.weightsName, Self.momentsName] + (reference == nil ? [] : [ReferencePolicy.fileName]) {
      state.files[name] = try Self.checksum(aside + "/" + name)
    }
    try Self.write(state, to: aside + "/" + Self.stateName)
    try writer.commit()
    // Newer ones are damaged: the run went on from before them.
    for step in steps where step > state.step { try? FileManager.default.removeItem(atPath: self.path(step: step)) }
    for step in steps.dropLast(Self.kept) { try? FileManager.default.removeItem(atPath: self.path(step: step)) }
  }

  private func makeFolder() throws(CheckpointError) {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw CheckpointError(file: folder, field: "folder", reason: "cannot be made: \(error.localizedDescription)")
    }
  }

  private static func write(_ state: RunState, to path: String) throws(CheckpointError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    guard let data = try? encoder.encode(state) else {
      throw CheckpointError(file: path, field: "state", reason: "has numbers that JSON cannot write")
    }
    let writer = try FileWriter(path: path)
    try writer.write(Array(data))
    try writer.commit()
  }

  private static func checksum(_ path: String) throws(CheckpointError) -> UInt64 {
    let file = try MappedFile(path: path)
    return Checksum64.of(UnsafeRawBufferPointer(start: file.storage.address, count: file.byteCount))
  }

  /// The state of a checkpoint, after a look whether all its files are whole.
  func state(step: Int) throws(CheckpointError) -> RunState {
    let path = path(step: step), name = path + "/" + Self.stateName
    guard let data = FileManager.default.contents(atPath: name) else {
      throw CheckpointError(file: name, field: "file", reason: "cannot be read")
    }
    let state: RunState
    do {
      state = try JSONDecoder().decode(RunState.self, from: data)
    } catch {
      throw CheckpointError(file: name, field: "state", reason: "is damaged: \(error.localizedDescription)")
    }
    guard state.step == step, state.optimizerSteps >= 0, state.tokens >= 0, state.skippedInARow >= 0,
      (state.draws ?? 0) >= 0
    else {
      throw CheckpointError(file: name, field: "state", reason: "is that of no step \(step): it is damaged")
    }
    for file in Set([Self.weightsName, Self.momentsName]).union(state.files.keys).sorted() {
      guard let expected = state.files[file], try Self.checksum(path + "/" + file) == expected else {
        throw CheckpointError(file: path + "/" + file, field: "checksum", reason: "does not match: the file is damaged")
      }
    }
    return state
  }

  /// The newest checkpoint that is whole, and what is wrong with newer ones.
  /// - Throws: the newest one's error when none is whole.
  func newest() throws(CheckpointError) -> (state: RunState?, damaged: [CheckpointError]) {
    var damaged: [CheckpointError] = []
    for step in steps.reversed() {
      do throws(CheckpointError) {
        return (try state(step: step), damaged)
      } catch {
        damaged.append(error)
      }
    }
    if let first = damaged.first { throw first }
    return (nil, [])
  }
}
