import Dispatch
import Foundation
import Synchronization

/// Ctrl-C that ends one piece of work instead of the process.
enum Interrupt {
  /// Runs `body` in a task that Ctrl-C cancels.
  static func cancelling<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
    let task = Task { try await body() }
    let previous = signal(SIGINT, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
    source.setEventHandler { task.cancel() }
    source.resume()
    defer {
      source.cancel()
      signal(SIGINT, previous)
    }
    return try await task.value
  }
}
