internal import Foundation
internal import SwiftletJSON

/// A command that tells what answers are worth.
///
/// A shell runs it. A line of JSON for each answer stands on its standard input, `{"prompt": "…", "response": "…"}`, and it prints a
/// number for each, a line each. It takes bounded time and output, and what goes wrong is told and leaves the answer without a score.
public struct GraderCommand: Sendable, Equatable {
  /// A line for `/bin/sh`.
  public var command: String
  /// How long it may take for one call, whatever the number of answers.
  public var seconds: Double
  public var outputBytes: Int

  public init(_ command: String, seconds: Double = 30, outputBytes: Int = 1 << 20) {
    self.command = command
    self.seconds = seconds
    self.outputBytes = outputBytes
  }

  /// An answer to be graded.
  public struct Row: Sendable, Equatable {
    public var prompt: String
    /// With its thought between `<think>` and `</think>`, where it has one.
    public var response: String

    public init(prompt: String, response: String) {
      self.prompt = prompt
      self.response = response
    }
  }

  /// Why there is no score.
  public struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
    public let command: String
    public let reason: String

    public var description: String { "the grader '\(command)' \(reason)" }
  }

  /// Grades answers by one call of the command. It blocks for as long as that takes.
  /// - Parameter isCancelled: asked now and then; when it says so, the command is ended.
  /// - Returns: a finite number for each, or why there is none. A call that fails as a whole, or prints more or fewer lines than
  ///   there are answers, gives none to any.
  public func scores(of rows: [Row], isCancelled: () -> Bool = { false }) -> [Result<Double, Failure>] {
    func failure(_ reason: String) -> Failure { Failure(command: String(command.prefix(200)), reason: reason) }
    func all(_ reason: String) -> [Result<Double, Failure>] { rows.map { _ in .failure(failure(reason)) } }
    if rows.isEmpty { return [] }
    let input = rows.map { row in
      let line: JSONValue = ["prompt": .string(row.prompt), "response": .string(row.response)]
      return line.serialized() + "\n"
    }.joined()
    let process = BoundedProcess(
      executable: "/bin/sh", arguments: ["-c", command], environment: nil, folder: FileManager.default.currentDirectoryPath,
      seconds: seconds, outputBytes: outputBytes)
    let result: BoundedProcess.Result
    do {
      result = try process.run(input: Array(input.utf8), isCancelled: isCancelled)
    } catch is CancellationError {
      return all("was cancelled")
    } catch {
      return all("cannot be started: \(error.localizedDescription)")
    }
    switch result.ending {
    case .late: return all(String(format: "took more than %g seconds and was ended", seconds))
    case .tooMuchOutput: return all("printed more than \(outputBytes) bytes and was ended")
    case .signal(let number): return all("was ended by signal \(number)" + Self.excerpt(result.errors))
    case .exited(let status) where status != 0: return all("ended with status \(status)" + Self.excerpt(result.errors))
    case .exited: break
    }
    let lines = String(decoding: result.output, as: UTF8.self).split(whereSeparator: \.isNewline)
      .map { $0.trimmed(\.isWhitespace) }.filter { !$0.isEmpty }
    guard lines.count == rows.count else {
      let answers = rows.count == 1 ? "an answer" : "\(rows.count) answers"
      return all("printed \(lines.count == 0 ? "nothing" : "\(lines.count) lines") for \(answers), expected a number for each")
    }
    return lines.map { line in
      guard let value = Double(line), value.isFinite else {
        return .failure(failure("printed '\(line.prefix(60))', expected a number"))
      }
      return .success(value)
    }
  }

  /// Grades one answer, without taking a thread of the tasks.
  /// - Throws: `CancellationError` when the task was cancelled, which ends the command.
  public func score(prompt: String, response: String) async throws -> Result<Double, Failure> {
    try await blockingWork { isCancelled in
      scores(of: [Row(prompt: prompt, response: response)], isCancelled: isCancelled)[0]
    }
  }

  /// The last line that it wrote to its errors, for people.
  private static func excerpt(_ errors: [UInt8]) -> String {
    let line = String(decoding: errors.suffix(4096), as: UTF8.self).split(whereSeparator: \.isNewline).last ?? ""
    let shown = String(String.UnicodeScalarView(line.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F })).prefix(200)
    return shown.isEmpty ? "" : ": \(shown)"
  }
}
