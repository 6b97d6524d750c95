internal import Foundation
public import SwiftletGeneration
internal import SwiftletJSON

/// Answers the rows of a JSON Lines file, several at once, into another file, in the rows' order.
///
/// An output that already has rows is continued, so that an interrupted run resumes: whole lines are kept, a torn last one is
/// written again. A row that cannot be answered yields `{"error": …}` and the run goes on.
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
  /// - Throws: `BatchError` when a file cannot be read or written, or the output has more rows than the input.
  public func run(input: String, output: String, progress: @Sendable (Int, Int) -> Void = { _, _ in }) async throws {
    let rows = try Self.lines(input)
    let done = try Self.resumeCount(output)
    guard done <= rows.count else {
      throw BatchError(file: output, reason: "has \(done) rows, but \(input) only \(rows.count); name another output file")
    }
    guard let file = FileHandle(forWritingAtPath: output) else { throw BatchError(file: output, reason: "cannot be written") }
    defer { try? file.close() }
    _ = try file.seekToEnd()
    progress(done, rows.count)
    try await withThrowingTaskGroup(of: (Int, JSONValue).self) { group in
      var next = done, written = done
      var finished: [Int: JSONValue] = [:]
      func start() {
        guard next < rows.count else { return }
        let index = next, row = rows[next]
        next += 1
        group.addTask { (index, try await answer(row)) }
      }
      for _ in 0..<concurrency { start() }
      while let (index, answer) = try await group.next() {
        finished[index] = answer
        while let row = finished.removeValue(forKey: written) {
          try file.write(contentsOf: Data((row.serialized() + "\n").utf8))
          written += 1
          progress(written, rows.count)
        }
        start()
      }
    }
  }

  private func answer(_ row: [UInt8]) async throws -> JSONValue {
    do {
      let (prompt, options) = try Self.parse(row, defaults)
      return try await model.complete(prompt, options: options).json
    } catch let error as CancellationError {
      throw error
    } catch {
      return ["error": .string("\(error)")]
    }
  }

  /// Splits at 0x0A only; a last line without one counts, an empty one does not.
  private static func lines(_ path: String) throws -> [[UInt8]] {
    guard let data = FileManager.default.contents(atPath: path) else { throw BatchError(file: path, reason: "cannot be read") }
    return data.split(separator: 0x0A, omittingEmptySubsequences: true).map { Array($0) }
  }

  /// The number of whole lines of the output, which is created when missing and cut after the last of them.
  private static func resumeCount(_ path: String) throws -> Int {
    guard FileManager.default.fileExists(atPath: path) else {
      guard FileManager.default.createFile(atPath: path, contents: nil) else {
        throw BatchError(file: path, reason: "cannot be created")
      }
      return 0
    }
    guard let data = FileManager.default.contents(atPath: path) else { throw BatchError(file: path, reason: "cannot be read") }
    let whole = data.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    guard let file = FileHandle(forWritingAtPath: path) else { throw BatchError(file: path, reason: "cannot be written") }
    try file.truncate(atOffset: UInt64(whole))
    try file.close()
    return data[..<whole].reduce(0) { $0 + ($1 == 0x0A ? 1 : 0) }
  }

  /// Reads a row: `prompt` or `messages`, and options as the HTTP API names them.
  static func parse(_ row: [UInt8], _ defaults: GenerationOptions) throws -> (LanguageModel.Prompt, GenerationOptions) {
    let value = try JSONValue(parsing: row)
    guard let members = value.members else {
      throw BatchError(file: "row", reason: "found a JSON \(value.typeName), expected an object")
    }
    var options = defaults
    var prompt: LanguageModel.Prompt?
    for member in members {
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
        for bias in member.value.members ?? [] {
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
