import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

/// What a run of the built command left behind.
struct CommandResult {
  var status: Int32
  var output: String
  var errors: String

  /// Standard output as one JSON value.
  var json: JSONValue {
    get throws { try JSONValue(parsing: Array(output.utf8)) }
  }

  /// The keys of the JSON object on standard output, in order.
  var keys: [String] {
    get throws { try json.members?.map(\.key) ?? [] }
  }
}

/// Runs the built command in a folder of its own, with an empty cache and without the network.
struct CommandRunner {
  /// Removed when the last copy of the runner goes.
  private final class Folder: Sendable {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("swiftlet-command-\(UUID().uuidString)").path

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  private let temporary: Folder
  var folder: String { temporary.path }

  init() throws { temporary = try Folder() }

  /// - Parameters:
  ///   - input: the bytes of standard input.
  ///   - output: where standard output goes instead of the result.
  ///   - body: what to do meanwhile.
  func run(
    _ arguments: [String], input: [UInt8] = [], environment: [String: String] = [:], output: String? = nil,
    while body: (Process) async throws -> Void = { _ in }
  ) async throws -> CommandResult {
    let process = try process(arguments, environment)
    // Files, unlike pipes, never make the command wait for a reader.
    let stem = "\(folder)/\(UUID().uuidString)"
    try Data(input).write(to: URL(fileURLWithPath: stem + ".in"))
    try Data().write(to: URL(fileURLWithPath: stem + ".out"))
    try Data().write(to: URL(fileURLWithPath: stem + ".err"))
    process.standardInput = FileHandle(forReadingAtPath: stem + ".in")
    process.standardOutput = FileHandle(forWritingAtPath: output ?? stem + ".out")
    process.standardError = FileHandle(forWritingAtPath: stem + ".err")
    let (ended, continuation) = AsyncStream.makeStream(of: Void.self)
    process.terminationHandler = { _ in continuation.finish() }
    try process.run()
    do {
      try await body(process)
    } catch {
      process.terminate()
      throw error
    }
    for await _ in ended {}
    #expect(process.terminationReason == .exit, "the command was ended by signal \(process.terminationStatus)")
    func text(_ suffix: String) throws -> String {
      String(decoding: try Data(contentsOf: URL(fileURLWithPath: stem + suffix)), as: UTF8.self)
    }
    return CommandResult(status: process.terminationStatus, output: try text(".out"), errors: try text(".err"))
  }

  /// The command, not yet started.
  func process(_ arguments: [String], _ environment: [String: String] = [:]) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try BuiltCommand.path())
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.environment = [
      "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "HOME": folder, "HF_HOME": folder + "/hf",
      "HF_HUB_OFFLINE": "1", "SWIFTLET_THREADS": "2",
    ].merging(environment) { $1 }
    return process
  }

  /// Runs the command, which must succeed.
  func succeed(
    _ arguments: String..., input: String = "", environment: [String: String] = [:],
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> CommandResult {
    let result = try await run(arguments, input: Array(input.utf8), environment: environment)
    #expect(result.status == 0, "\(arguments.joined(separator: " ")): \(result.errors)", sourceLocation: sourceLocation)
    return result
  }

  /// Writes a file into the folder and returns its path.
  func file(_ name: String, _ text: String) throws -> String {
    let path = folder + "/" + name
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    return path
  }

  func data(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name)) }

  func read(_ name: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name)), as: UTF8.self)
  }
}
