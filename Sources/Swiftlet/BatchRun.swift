internal import Foundation
internal import SwiftletCheckpoints
public import SwiftletGeneration
internal import SwiftletJSON

/// Answers the rows of a JSON Lines file, several at once, into another file, in the rows' order.
///
/// An output that already has rows is continued, so that an interrupted run resumes: whole lines are kept, a torn last one is
/// written again. Answers that wait for a row before them are kept in a journal beside the output until they can be written. A row
/// that cannot be answered yields `{"error": …}` and the run goes on.
public struct BatchRun: Sendable {
  private let model: LanguageModel
  private let defaults: GenerationOptions
  private let concurrency: Int

  /// - Parameters:
  ///   - defaults: for what a row leaves open.
  ///   - concurrency: rows in progress at once.
  public init(model: LanguageModel, defaults: GenerationOptions, concurrency: Int) {
    self.model = model
    self.defaults = defaults
    self.concurrency = max(1, concurrency)
  }

  /// - Parameter progress: called with the rows done and all rows, at the start and after each row.
  /// - Returns: how many rows were answered now; 0 when the output had them all.
  /// - Throws: `BatchError` when a file cannot be read or written, the input has no rows, or the output is not one of this input,
  ///   model and options. It is left as it was then.
  @discardableResult
  public func run(
    input: String, output: String, progress: @Sendable (Int, Int) -> Void = { _, _ in }
  ) async throws -> Int {
    let data = try Self.contents(input)
    if Self.identity(input) == Self.identity(output) {
      throw BatchError(file: output, reason: "is the input too; name another output file")
    }
    let rows = Self.rows(data)
    if rows.isEmpty { throw BatchError(file: input, reason: "has no rows; write one JSON object a line, as {\"prompt\": \"…\"}") }
    let (done, bytes) = try Self.answered(output)
    guard done <= rows.count else {
      throw BatchError(file: output, reason: "has \(done) rows, but \(input) only \(rows.count); name another output file")
    }
    let journal = try BatchJournal(output: output, origin: origin(data))
    let file = try BatchJournal.open(output)
    defer { try? file.close() }
    try file.truncate(atOffset: UInt64(bytes))
    progress(done, rows.count)
    try await answer(rows, from: done, file, journal, progress)
    try journal.remove()
    return rows.count - done
  }

  private func answer(
    _ rows: [[UInt8]], from done: Int, _ file: FileHandle, _ journal: BatchJournal, _ progress: @Sendable (Int, Int) -> Void
  ) async throws {
    var finished = journal.waiting.filter { $0.key >= done }
    var next = done, written = done
    func write() throws {
      while let row = finished.removeValue(forKey: written) {
        try file.write(contentsOf: Data((row.serialized() + "\n").utf8))
        written += 1
        progress(written, rows.count)
      }
    }
    try write()
    try await withThrowingTaskGroup(of: (Int, JSONValue).self) { group in
      func start() {
        while next < rows.count, next < written || finished[next] != nil { next += 1 }
        guard next < rows.count else { return }
        let index = next, row = rows[next]
        next += 1
        group.addTask { (index, try await answer(row)) }
      }
      for _ in 0..<concurrency { start() }
      while let (index, answer) = try await group.next() {
        finished[index] = answer
        if index > written { try journal.add(answer, row: index) }
        try write()
        start()
      }
    }
  }

  /// What the answers depend on.
  private func origin(_ input: Data) -> BatchJournal.Origin {
    BatchJournal.Origin(settings: model.settings(of: defaults).serialized(), input: input)
  }

  private func answer(_ row: [UInt8]) async throws -> JSONValue {
    do {
      let (prompt, options) = try Self.parse(row, defaults)
      return try await model.complete(prompt, options: options).json
    } catch let error as CancellationError {
      throw error
    } catch GenerationError.engineStopped {
      throw GenerationError.engineStopped
    } catch let error as CheckpointError {
      // The model's files changed: no row can be answered until it is loaded again.
      throw error
    } catch {
      return ["error": .string("\(error)")]
    }
  }

  /// The bytes of a regular file.
  static func contents(_ path: String) throws(BatchError) -> Data {
    do throws(CheckpointError) {
      return Data(try RegularFile(path: path).bytes())
    } catch {
      throw BatchError(file: path, reason: error.reason)
    }
  }

  /// Splits at 0x0A only; a last line without one counts, one of nothing but whitespace does not.
  private static func rows(_ data: Data) -> [[UInt8]] {
    data.split(separator: 0x0A).map { Array($0) }.filter { line in !line.allSatisfy { [0x20, 0x09, 0x0D].contains($0) } }
  }

  /// How many whole rows an output has, and their bytes.
  /// - Throws: `BatchError` for a file with lines that are no rows of a batch.
  private static func answered(_ path: String) throws -> (count: Int, bytes: Int) {
    guard FileManager.default.fileExists(atPath: path) else { return (0, 0) }
    let data = try contents(path)
    let whole = data.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    let lines = data[..<whole].split(separator: 0x0A, omittingEmptySubsequences: false).dropLast()
    if let other = lines.firstIndex(where: { isRow($0) != true }) {
      throw BatchError(
        file: path, reason: "line \(other + 1) is no row of a batch's output; name another output file, this one is left as it is"
      )
    }
    // What follows the last line end is a row that was being written: the beginning of one, or one without its line end.
    let rest = data[whole...]
    let beginnings = ["{\"text\":", "{\"error\":"].map { Array($0.utf8) }
    let beginsAsRow = beginnings.contains { $0.starts(with: rest) || rest.starts(with: $0) }
    guard beginsAsRow, isRow(rest) ?? true else {
      throw BatchError(file: path, reason: "ends with what is no row of a batch's output; name another output file")
    }
    return (lines.count, whole)
  }

  /// How many rows of an output are errors, of this run or of one before.
  public static func failedRows(_ output: String) throws -> Int {
    let beginning = Array("{\"error\":".utf8)
    return try contents(output).split(separator: 0x0A).count(where: { $0.starts(with: beginning) })
  }

  /// Whether a line is what a batch writes; nil when it is no JSON, as a row that was cut.
  private static func isRow(_ line: Data) -> Bool? {
    guard let value = try? JSONValue(parsing: Array(line)) else { return nil }
    return value["text"] != nil && value["finish_reason"] != nil || value["error"] != nil && value.members?.count == 1
  }

  /// The file behind a path, whatever it is called; nil when there is none.
  private static func identity(_ path: String) -> [Int]? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return [Int(status.st_dev), Int(status.st_ino)]
  }

  /// Reads a row: `prompt` or `messages`, and options as the HTTP API names them.
  static func parse(_ row: [UInt8], _ defaults: GenerationOptions) throws -> (LanguageModel.Prompt, GenerationOptions) {
    let value = try JSONValue(parsing: row)
    guard let members = value.members else {
      throw BatchError(file: "row", reason: "found a JSON \(value.typeName), expected an object")
    }
    var options = defaults
    var prompt: LanguageModel.Prompt?
    for member in members where !member.value.isNull {
      func failure(_ expected: String) -> BatchError {
        BatchError(file: "row", reason: "\(member.key): found \(member.value.serialized().prefix(60)), expected \(expected)")
      }
      func number() throws -> Double {
        guard let result = member.value.double else { throw failure("a number") }
        return result
      }
      func integer() throws -> Int {
        guard let result = member.value.integer else { throw failure("an integer") }
        return result
      }
      switch member.key {
      case "prompt":
        guard let text = member.value.string else { throw failure("a string") }
        prompt = .text(text)
      case "messages":
        guard member.value.elements != nil else { throw failure("an array") }
        prompt = .messages(member.value)
      case "temperature": options.temperature = try number()
      case "top_k": options.topK = try integer()
      case "top_p": options.topP = try number()
      case "min_p": options.minP = try number()
      case "repetition_penalty": options.repetitionPenalty = try number()
      case "frequency_penalty": options.frequencyPenalty = try number()
      case "presence_penalty": options.presencePenalty = try number()
      case "seed": options.seed = UInt64(bitPattern: Int64(try integer()))
      case "max_tokens": options.maximumResponseTokens = try integer()
      case "stop":
        let stops = member.value.string.map { [$0] } ?? member.value.elements?.compactMap(\.string)
        guard let stops, stops.count == member.value.elements?.count ?? 1 else {
          throw failure("a string or an array of strings")
        }
        options.stop = stops
      case "logit_bias":
        options.logitBias = [:]
        guard let biases = member.value.members else { throw failure("an object from token ids to numbers") }
        for bias in biases {
          guard let id = Int32(bias.key), let amount = bias.value.double else {
            throw failure("an object from token ids to numbers")
          }
          options.logitBias[id] = amount
        }
      default: continue  // Rows may carry fields of their own, such as an id.
      }
    }
    guard let prompt else { throw BatchError(file: "row", reason: "found neither prompt nor messages") }
    return (prompt, options)
  }
}

/// A batch file that cannot be used.
public struct BatchError: Error, Sendable, Equatable, CustomStringConvertible {
  public let file: String
  public let reason: String

  public var description: String { "\(file): \(reason)" }
}
