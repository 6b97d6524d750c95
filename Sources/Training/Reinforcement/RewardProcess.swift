internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletTasks

/// Asks a user's program what answers are worth: it reads a line of JSON each, prints a number a line, and ends.
///
/// It has a limit of time and of output, no terminal, and few variables, and is ended with all it started (`BoundedProcess`). It is no guard
/// against malice: it may read and write what the user may.
struct RewardProcess {
  let command: RewardCommand
  /// Where it runs, and paths of the program begin.
  let folder: String

  init(_ command: RewardCommand, folder: String) {
    self.command = command
    // It is run there, so a path that begins here would not be found.
    self.folder = URL(fileURLWithPath: folder).standardizedFileURL.path
  }

  /// One number of each answer. When the program fails, what it printed before stays; the answer it failed at is named and counted, and
  /// the others are asked about one by one, so that none is lost.
  /// - Parameters:
  ///   - lines: of JSON.
  ///   - isCancelled: asked while it runs.
  /// - Returns: the numbers, what went wrong, and of how many answers there is no number.
  /// - Throws: `RewardError` where failures stop the run; `CancellationError`.
  func values(_ lines: [String], isCancelled: () -> Bool) throws -> (values: [Double], failures: [String], failedAnswers: Int) {
    var values: [Double] = [], failures: [String] = [], failedAnswers = 0, failedCalls = 0
    func fail(_ reason: String) throws {
      let line = CheckpointError.excerpt(lines[values.count], 200)
      failures.append("the reward command \(name) \(reason); answer \(values.count + 1) of \(lines.count): \(line)")
      if command.onError == .stop { throw RewardError(failures[0]) }
      failedAnswers += 1
      guard failedAnswers < min(command.failureLimit, max(2, lines.count)) else {
        let last = failures[failures.count - 1]
        throw RewardError("the reward command failed at \(failedAnswers) answers of one call; the last: \(last)")
      }
      values.append(0)
    }
    while values.count < lines.count {
      // After a failure one at a time: a program that keeps what it prints until its end does not tell which answer it failed at.
      let count = failures.isEmpty ? lines.count - values.count : 1
      let output = try run(Array(lines[values.count..<values.count + count]), isCancelled: isCancelled)
      let numbers = output.lines.map { line in
        Double(line.trimmingCharacters(in: .whitespacesAndNewlines)).flatMap { abs($0) <= Self.largest ? $0 : nil }
      }
      if output.failure == nil, numbers.count == count {
        // A line that is no number is that answer's alone.
        for (number, line) in zip(numbers, output.lines) {
          if let number {
            values.append(number)
          } else {
            try fail("printed '\(CheckpointError.excerpt(line, 60))', expected a number")
          }
        }
        continue
      }
      let reason =
        output.failure
        ?? "printed \(numbers.count) \(numbers.count == 1 ? "line" : "lines") for \(count) answers, expected one each"
      // More lines than answers belong to none of them; nor do fewer of a program that ended well, which may have left any one out.
      let isInOrder = output.failure != nil && numbers.count <= count
      let usable = isInOrder ? numbers.prefix { $0 != nil }.compactMap { $0 }.prefix(count) : []
      values += usable
      if usable.isEmpty, count > 1 {
        failures.append("the reward command \(name) \(reason)")
        if command.onError == .stop { throw RewardError(failures[0]) }
      } else if usable.count < count {
        try fail(reason)
      } else {
        // All numbers were there before it failed, so no answer is to blame; but it may take its time before each failure.
        failures.append("the reward command \(name) \(reason)")
        if command.onError == .stop { throw RewardError(failures[0]) }
        failedCalls += 1
        guard failedCalls <= command.failureLimit else {
          throw RewardError("the reward command \(name) failed \(failedCalls) times behind its numbers; at last it \(reason)")
        }
      }
    }
    return (values, failures, failedAnswers)
  }

  /// Larger numbers are none: their squares, with a weight, would not stay finite.
  private static let largest = 1e12

  private var name: String { CheckpointError.excerpt(command.arguments.joined(separator: " "), 200) }

  /// The path of the program: beside the recipe where it has a slash, else found as a shell finds it.
  func executable() throws(RewardError) -> String {
    let program = command.arguments[0], manager = FileManager.default
    if program.contains("/") {
      let path = program.hasPrefix("/") ? program : folder + "/" + program
      guard manager.isExecutableFile(atPath: path) else { throw RewardError("\(path) is no program that can be run") }
      return path
    }
    guard let path = Self.searchPath.split(separator: ":").map({ $0 + "/" + program }).first(where: manager.isExecutableFile)
    else {
      throw RewardError("found no program \(program) in \(Self.searchPath); give its path")
    }
    return path
  }

  private static let searchPath = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"

  private struct Output {
    var lines: [String] = []
    /// nil when it ended as it should.
    var failure: String?
  }

  private func run(_ lines: [String], isCancelled: () -> Bool) throws -> Output {
    let process = BoundedProcess(
      executable: try executable(), arguments: Array(command.arguments.dropFirst()),
      environment: ["PATH": Self.searchPath, "LC_ALL": "C.UTF-8"], folder: folder, seconds: command.seconds,
      outputBytes: command.outputBytes)
    let result: BoundedProcess.Result
    do {
      result = try process.run(input: Array(lines.map { $0 + "\n" }.joined().utf8), isCancelled: isCancelled)
    } catch let error as CancellationError {
      throw error
    } catch {
      throw RewardError("the reward command \(name) cannot be run: \(error.localizedDescription)")
    }
    var output = Output()
    switch result.ending {
    case .late: output.failure = "took more than \(PlanText.short(command.seconds)) seconds and was ended"
    case .tooMuchOutput: output.failure = "printed more than \(command.outputBytes) bytes and was ended"
    case .signal(let number): output.failure = "was ended by signal \(number)"
    case .exited(0): break
    case .exited(let status): output.failure = "ended with status \(status)"
    }
    if let failure = output.failure,
      let said = String(decoding: result.errors.suffix(400), as: UTF8.self).split(whereSeparator: \.isNewline).last
    {
      output.failure = "\(failure) (it said: \(CheckpointError.excerpt(String(said), 200)))"
    }
    var parts = result.output.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // A last line without an end counts only when the program ended well.
    if output.failure != nil, !parts.isEmpty { parts.removeLast() }
    func isBlank(_ part: ArraySlice<UInt8>) -> Bool { part.allSatisfy { [0x20, 0x09, 0x0D].contains($0) } }
    while let last = parts.last, isBlank(last) { parts.removeLast() }
    output.lines = parts.map { String(decoding: $0, as: UTF8.self) }
    return output
  }
}
