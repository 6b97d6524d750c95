import Dispatch
import Foundation
import Synchronization

/// Ctrl-C, and where it is asked for SIGTERM, that ends one piece of work instead of the process.
enum Interrupt {
  private struct State {
    var cancel: (@Sendable () -> Void)?
    /// Whether SIGTERM ends the work too.
    var takesTermination = false
    var endsIdleProcess = true
    var lastSignal = SIGINT
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

  /// The same for SIGTERM, from the first work that takes it.
  private nonisolated(unsafe) static let terminationSource: any DispatchSourceSignal = {
    watch(SIGTERM) {
      let cancel = state.withLock { state in
        state.lastSignal = SIGTERM
        return state.takesTermination ? state.cancel : nil
      }
      if let cancel { cancel() } else { exit(128 + SIGTERM) }
    }
  }()

  /// What a shell reports of a command that the last signal ended.
  static var status: Int32 { 128 + state.withLock(\.lastSignal) }

  /// Calls `handler` for a signal instead of what the system does, for as long as the source lives.
  static func watch(_ number: Int32, _ handler: @escaping @Sendable () -> Void) -> any DispatchSourceSignal {
    // A queue of its own has a thread of its own: where there is one processor, the work that is to end holds the only one of all others.
    let source = DispatchSource.makeSignalSource(signal: number, queue: DispatchQueue(label: "swiftlet.signals"))
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
  /// - Parameter onTermination: whether SIGTERM cancels it too, which systemd, docker and job queues send some time before they kill.
  static func cancelling<Result: Sendable>(
    onTermination: Bool = false, _ body: @escaping @Sendable () async throws -> Result
  ) async throws -> Result {
    _ = source
    if onTermination { _ = terminationSource }
    let task = Task { try await body() }
    state.withLock { ($0.cancel, $0.takesTermination) = ({ task.cancel() }, onTermination) }
    defer { state.withLock { ($0.cancel, $0.takesTermination) = (nil, false) } }
    return try await task.value
  }

  /// The same for work that starts programs, such as graders: they are ended with it, also by SIGTERM, and what fails by that is not
  /// told.
  static func cancellingPrograms<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
    try await cancelling(onTermination: true) {
      do {
        return try await body()
      } catch {
        try Task.checkCancellation()
        throw error
      }
    }
  }

  /// From now on Ctrl-C does nothing while no work is under way: a chat is left by other keys.
  static func ignoreWhileIdle() {
    _ = source
    state.withLock { $0.endsIdleProcess = false }
  }
}
