internal import Foundation
internal import SwiftletCheckpoints

/// Asks a user's program what answers are worth: it reads a line of JSON each, prints a number a line, and ends.
///
/// It has a limit of time and of output, no terminal, and few variables, and is ended with all it started. It is no guard against malice:
/// it may read and write what the user may.
struct RewardProcess {
  let command: RewardCommand
  /// Where it runs, and paths of the program begin.
  let folder: String

  init(_ command: RewardCommand, folder: String) {
    self.command = command
    self.folder = folder
  }

  /// One number of each answer. When the program fails, what it printed before stays; the answer it failed at is named and counted, and
  /// the others are asked about one by one, so that none is lost.
  /// - Parameters:
  ///   - lines: of JSON.
  ///   - isCancelled: asked while it runs.
  /// - Returns: the numbers, and what went wrong.
  /// - Throws: `RewardError` where failures stop the run; `CancellationError`.
  func values(_ lines: [String], isCancelled: () -> Bool) throws -> (values: [Double], failures: [String]) {
    var values: [Double] = [], failures: [String] = []
    func fail(_ reason: String) throws {
      let line = CheckpointError.excerpt(lines[values.count], 200)
      failures.append("the reward command \(name) \(reason); answer \(values.count + 1) of \(lines.count): \(line)")
      if command.onError == .stop { throw RewardError(failures[0]) }
      guard failures.count < min(command.failureLimit, max(2, lines.count)) else {
        throw RewardError(
          "\(failures.count) failures of the reward command in one step; the last: \(failures[failures.count - 1])")
      }
      values.append(0)
    }
    while values.count < lines.count {
      // After a failure one at a time: a program that keeps what it prints until its end does not tell which answer it failed at.
      let count = failures.isEmpty ? lines.count - values.count : 1
      let output = try run(Array(lines[values.count..<values.count + count]), isCancelled: isCancelled)
      let numbers = output.lines.map { line in
        Double(line.trimmingCharacters(in: .whitespaces)).flatMap { $0.isFinite ? $0 : nil }
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
      // More lines than answers belong to none of them.
      let usable = numbers.count > count ? [] : numbers.prefix { $0 != nil }.compactMap { $0 }.prefix(count)
      values += usable
      if usable.isEmpty, count > 1 {
        failures.append("the reward command \(name) \(reason)")
        if command.onError == .stop { throw RewardError(failures[0]) }
      } else if values.count < lines.count {
        try fail(reason)
      } else {
        // All numbers were there before it failed.
        failures.append("the reward command \(name) \(reason)")
        if command.onError == .stop { throw RewardError(failures[0]) }
      }
    }
    return (values, failures)
  }

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
    let path = try executable(), input = NSTemporaryDirectory() + "swiftlet-reward-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: input) }
    // A file: a program that reads nothing cannot block this one.
    try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: URL(fileURLWithPath: input))
    let source = try FileHandle(forReadingFrom: URL(fileURLWithPath: input)), output = Pipe(), errors = Pipe()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = Array(command.arguments.dropFirst())
    process.environment = ["PATH": Self.searchPath, "LC_ALL": "C.UTF-8", "HOME": NSHomeDirectory()]
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    (process.standardInput, process.standardOutput, process.standardError) = (source, output, errors)
    do {
      try process.run()
    } catch {
      throw RewardError("the reward command \(name) cannot be run: \(error.localizedDescription)")
    }
    defer {
      // It leads a group of its own.
      kill(-process.processIdentifier, SIGKILL)
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
      process.waitUntilExit()
      for handle in [source, output.fileHandleForReading, errors.fileHandleForReading] { try? handle.close() }
    }
    for pipe in [output, errors] { try? pipe.fileHandleForWriting.close() }
    var text: [UInt8] = [], complaint: [UInt8] = [], result = Output()
    let deadline = ContinuousClock.now + .seconds(command.seconds)
    var descriptors = [output, errors].map {
      pollfd(fd: $0.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
    }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    // Until both are closed, or it has ended and what it started keeps them open.
    var quiet = 0
    while descriptors.contains(where: { $0.fd >= 0 }), quiet < 3 {
      if isCancelled() { throw CancellationError() }
      guard ContinuousClock.now < deadline else {
        result.failure = "took more than \(command.seconds) seconds and was ended"
        break
      }
      let ready = poll(&descriptors, nfds_t(descriptors.count), 50)
      if ready < 0, errno != EINTR { break }
      quiet = ready == 0 && !process.isRunning ? quiet + 1 : 0
      for index in descriptors.indices where ready > 0 && descriptors[index].revents != 0 {
        let count = read(descriptors[index].fd, &buffer, buffer.count)
        if count <= 0 {
          descriptors[index].fd = -1
        } else if index == 0 {
          text += buffer[..<count]
        } else {
          complaint = Array((complaint + buffer[..<count]).suffix(400))
        }
      }
      if text.count > command.outputBytes {
        result.failure = "printed more than \(command.outputBytes) bytes and was ended"
        text.removeLast(text.count - command.outputBytes)
        break
      }
    }
    if result.failure == nil {
      while process.isRunning, ContinuousClock.now < deadline, !isCancelled() { usleep(2000) }
      if process.isRunning {
        result.failure = "closed its output but did not end in \(command.seconds) seconds"
      } else if process.terminationReason == .uncaughtSignal {
        result.failure = "was ended by signal \(process.terminationStatus)"
      } else if process.terminationStatus != 0 {
        result.failure = "ended with status \(process.terminationStatus)"
      }
    }
    let said = String(decoding: complaint, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    if let failure = result.failure, let last = said.split(separator: "\n").last {
      result.failure = "\(failure) (it said: \(CheckpointError.excerpt(String(last), 200)))"
    }
    // A last line without an end counts only when the program ended well.
    var parts = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    if result.failure != nil || parts.last?.isEmpty ?? false { parts.removeLast() }
    result.lines = parts.map { String(decoding: $0, as: UTF8.self) }
    return result
  }
}
