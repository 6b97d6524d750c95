import Dispatch
import Foundation
import Synchronization

/// Ctrl-C that ends one piece of work instead of the process.
enum Interrupt {
  private struct State {
    var cancel: (@Sendable () -> Void)?
    var endsIdleProcess = true
  }
  private static let state = Mutex(State())

  /// Watches SIGINT from its first use to the end of the process: a source that is made anew for each piece of work can miss signals
  /// while the one before it is still being taken down.
  ///
  /// `nonisolated(unsafe)`: made once, and nothing but its being alive is used.
  private nonisolated(unsafe) static let source: any DispatchSourceSignal = {
    watch(SIGINT) {
      let (cancel, endsIdleProcess) = state.withLock { ($0.cancel, $0.endsIdleProcess) }
      if let cancel { return cancel() }
      if endsIdleProcess { exit(130) }
    }
  }()

  /// Calls `handler` for a signal instead of what the system does, for as long as the source lives.
  static func watch(_ number: Int32, _ handler: @escaping @Sendable () -> Void) -> any DispatchSourceSignal {
    let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
    let isWatching = DispatchSemaphore(value: 0)
    source.setEventHandler(handler: handler)
    source.setRegistrationHandler { isWatching.signal() }
    source.resume()
    // Until it is watched a signal does what it always does: ignored, it would be lost.
    isWatching.wait()
    #if canImport(Darwin)
    signal(number, SIG_IGN)
    #endif
    // Elsewhere Dispatch has a handler of its own, which must stay.
    return source
  }

  /// Runs `body` in a task that Ctrl-C cancels. Between two such pieces of work Ctrl-C ends the process, as ever.
  static func cancelling<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
    _ = source
    let task = Task { try await body() }
    state.withLock { $0.cancel = { task.cancel() } }
    defer { state.withLock { $0.cancel = nil } }
    return try await task.value
  }

  /// From now on Ctrl-C does nothing while no work is under way: a chat is left by other keys.
  static func ignoreWhileIdle() {
    _ = source
    state.withLock { $0.endsIdleProcess = false }
  }
}
