import Foundation
import Synchronization

/// Why a program could not be started.
struct SubprocessError: Error {
  var reason: String
}

enum Subprocess {
  /// Runs a program to its end, without input, its output dropped and its errors written to a file.
  ///
  /// When the task is cancelled the program is told to terminate, and `CancellationError` is thrown after it did.
  /// - Parameters:
  ///   - command: a path, or a name that is looked up as a shell does; an unknown one ends with status 127.
  ///   - environment: variables to set beside this process's own.
  /// - Returns: the exit status; a signal's number when one ended it.
  static func run(
    _ command: String, _ arguments: [String], environment: [String: String], errorFile: String
  ) async throws -> Int32 {
    guard FileManager.default.createFile(atPath: errorFile, contents: nil), let errors = FileHandle(forWritingAtPath: errorFile)
    else {
      throw HubError.fileSystem(operation: "create", path: errorFile, reason: FileSystem.reason(ofErrno: errno))
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [command] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = errors
    let child = Child(process)
    let status = try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Int32, any Error>) in
        child.start(continuation)
      }
    } onCancel: {
      child.terminate()
    }
    try Task.checkCancellation()
    return status
  }

  /// Serializes the start of a process and its termination, which may come from another thread, even first.
  private final class Child: Sendable {
    private struct State {
      // Only touched while the mutex is held, but for its termination handler, which reads the status of the ended process.
      nonisolated(unsafe) var process: Process
      var isCancelled = false
    }
    private let state: Mutex<State>

    init(_ process: sending Process) { state = Mutex(State(process: process)) }

    func start(_ continuation: CheckedContinuation<Int32, any Error>) {
      state.withLock { state in
        if state.isCancelled { return continuation.resume(throwing: CancellationError()) }
        state.process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
        // A worker thread blocks most signals and a child inherits that: it could not be told to stop, not even by the keyboard.
        var none = sigset_t()
        var blocked = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &blocked)
        defer { pthread_sigmask(SIG_SETMASK, &blocked, nil) }
        do {
          try state.process.run()
        } catch {
          state.process.terminationHandler = nil
          continuation.resume(throwing: SubprocessError(reason: FileSystem.reason(error)))
        }
      }
    }

    func terminate() {
      state.withLock { state in
        state.isCancelled = true
        if state.process.isRunning { state.process.terminate() }
      }
    }
  }
}
