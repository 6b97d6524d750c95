import Dispatch
import Foundation
import Synchronization

/// Ctrl-C that ends one piece of work instead of the process.
enum Interrupt {
  private static let cancel = Mutex<(@Sendable () -> Void)?>(nil)

  /// Watches SIGINT from its first use to the end of the process: a source that is made anew for each piece of work can miss signals
  /// while the one before it is still being taken down. Between two pieces of work Ctrl-C ends the process, as ever.
  ///
  /// `nonisolated(unsafe)`: made once, and nothing but its being alive is used.
  private nonisolated(unsafe) static let source: any DispatchSourceSignal = {
    signal(SIGINT, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
    source.setEventHandler {
      guard let cancel = cancel.withLock({ $0 }) else { exit(130) }
      cancel()
    }
    source.resume()
    return source
  }()

  /// Runs `body` in a task that Ctrl-C cancels.
  static func cancelling<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
    _ = source
    let task = Task { try await body() }
    cancel.withLock { $0 = { task.cancel() } }
    defer { cancel.withLock { $0 = nil } }
    return try await task.value
  }
}
