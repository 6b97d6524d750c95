internal import Foundation
internal import SwiftletCheckpoints

/// What a step was like: a line of `log.jsonl`.
public struct StepRecord: Codable, Sendable, Equatable {
  /// Counted from 1.
  public var step: Int
  /// Mean cross-entropy of the next token, in nats; nil when it was no finite number.
  public var loss: Double?
  /// The same of the token after the next; nil without a prediction layer.
  public var predictionLoss: Double?
  public var balanceLoss: Double?
  /// From the teacher, times the square of its temperature; nil without one.
  public var divergence: Double?
  /// On held-out sequences, after the step; nil where it was not measured.
  public var heldOutLoss: Double?
  /// The same as bits a byte of text, which does not depend on the vocabulary; nil without a tokenizer.
  public var heldOutBitsPerByte: Double?
  /// Before clipping; nil when it was no finite number.
  public var gradientNorm: Double?
  public var learningRate: Double
  /// Of this step.
  public var tokens: Int
  /// With the way forward of a teacher or a reference.
  public var flops: Double
  /// Of the step alone.
  public var seconds: Double
  /// With evaluation, checkpoints and the log, since the record before.
  public var elapsedSeconds: Double
  /// The same, of all processors together.
  public var processorSeconds: Double
  public var utilization: Double
  /// Largest load of an expert over the mean, less 1: the mean of all layers (MaxVio; Wang et al. 2024). nil without experts.
  public var maximalViolation: Double?
  /// Most memory the process had so far.
  public var memoryBytes: Int
  /// Why the step did not change the weights.
  public var skipped: String?
  /// nil for training on data.
  public var reinforcement: ReinforcementRecord?
  /// Operations before the step that are none of its own: a teacher's answers for the cache. nil for none.
  public var preparationFlops: Double?
  /// What steps behind this one took that have to be done again, since the run was killed before their checkpoint: by the clock, and of
  /// all processors together. nil for none.
  public var lostSeconds: Double?
  public var lostProcessorSeconds: Double?
  /// How often each expert was chosen in this step, by layer; of steps with a measurement or a checkpoint, and of the last. nil without
  /// experts.
  public var expertLoads: [[Int]]?

  public var tokensPerSecond: Double { seconds > 0 ? Double(tokens) / seconds : 0 }
}

/// `log.jsonl`: a line a step.
struct RunLog {
  let path: String
  private(set) var records: [StepRecord] = []
  private let handle: FileHandle

  /// Opens the log of a run, or begins it. Lines behind the step that the run goes on from are removed; what they took is added to that
  /// step's.
  /// - Throws: `CheckpointError` when it cannot be written.
  init(path: String, step: Int) throws(CheckpointError) {
    self.path = path
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    var lost: [StepRecord] = []
    for line in (FileManager.default.contents(atPath: path) ?? Foundation.Data()).split(separator: UInt8(ascii: "\n")) {
      // The last line may be cut.
      guard let record = try? decoder.decode(StepRecord.self, from: line) else { continue }
      if record.step <= step { records.append(record) } else { lost.append(record) }
    }
    if let last = records.indices.last, !lost.isEmpty {
      let before = records[last]
      records[last].lostSeconds = lost.reduce(before.lostSeconds ?? 0) { $0 + $1.elapsedSeconds + ($1.lostSeconds ?? 0) }
      records[last].lostProcessorSeconds = lost.reduce(before.lostProcessorSeconds ?? 0) {
        $0 + $1.processorSeconds + ($1.lostProcessorSeconds ?? 0)
      }
    }
    let writer = try FileWriter(path: path)
    for record in records { try writer.write(Self.line(record)) }
    try writer.commit()
    guard let handle = FileHandle(forWritingAtPath: path) else {
      throw CheckpointError(file: path, field: "file", reason: "cannot be written")
    }
    _ = try? handle.seekToEnd()
    self.handle = handle
  }

  private static func line(_ record: StepRecord) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys]
    return Array((try? encoder.encode(record)) ?? Foundation.Data()) + [UInt8(ascii: "\n")]
  }

  mutating func append(_ record: StepRecord) throws(CheckpointError) {
    records.append(record)
    do {
      try handle.write(contentsOf: Self.line(record))
    } catch {
      throw CheckpointError(file: path, field: "file", reason: "cannot be written: \(error.localizedDescription)")
    }
  }
}
