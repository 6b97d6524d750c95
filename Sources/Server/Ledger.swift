internal import GRDB
internal import Logging
internal import Synchronization

/// Writes what requests use. Entries that come while others are being written share the next transaction, and with it the wait for the
/// disk.
///
/// What keys owe is not forgotten when it cannot be written, as on a full disk: it is tried again with whatever comes next, and until
/// then nothing more is computed for keys (`check`), so that it cannot grow.
final class Ledger: Sendable {
  private struct State {
    var entries: [UsageEntry] = []
    var waiters: [CheckedContinuation<Void, any Error>] = []
    var isWriting = false
    /// What could not be written, by request.
    var unwritten: [String: UsageEntry] = [:]
    /// Why nothing more can be written; nil once something was.
    var failure: (any Error)?
  }

  private let state = Mutex(State())
  private let store: Store
  private let logger: Logger

  init(store: Store, logger: Logger) {
    self.store = store
    self.logger = logger
  }

  /// Why nothing can be written at the moment; nil when something can.
  var failure: (any Error)? { state.withLock { $0.failure } }

  /// Tries again where something could not be written.
  /// - Throws: what is still in the way.
  func check() async throws {
    if failure != nil { try await withCheckedThrowingContinuation { add(nil, $0) } }
  }

  /// Has an entry written soon.
  func add(_ entry: UsageEntry) { add(entry, nil) }

  /// Returns when an entry is written.
  func write(_ entry: UsageEntry) async throws {
    try await withCheckedThrowingContinuation { add(entry, $0) }
  }

  private func add(_ entry: UsageEntry?, _ waiter: CheckedContinuation<Void, any Error>?) {
    let starts = state.withLock { state in
      if let entry { state.entries.append(entry) }
      if let waiter { state.waiters.append(waiter) }
      defer { state.isWriting = true }
      return !state.isWriting
    }
    // A task of its own: that of a client that went away is cancelled, and what it used is written all the same.
    if starts { Task { await writeAll() } }
  }

  private func writeAll() async {
    while let (entries, waiters) = take() {
      do {
        try await record(entries)
        state.withLock { ($0.unwritten, $0.failure) = ([:], nil) }
        for waiter in waiters { waiter.resume() }
      } catch {
        keep(entries, error)
        logger.error("usage not written", metadata: ["error": "\(error)", "requests": .stringConvertible(entries.count)])
        // What another process holds up for long is written later, and ends nobody's answer.
        for waiter in waiters { Self.isBusy(error) ? waiter.resume() : waiter.resume(throwing: error) }
      }
    }
  }

  /// Writes entries, all but those that the database will never take: they must not stand in the way of the others.
  private func record(_ entries: [UsageEntry]) async throws {
    do {
      try await store.record(entries)
    } catch  where entries.count > 1 && Self.isRefusal(error) {
      for entry in entries {
        do { try await store.record([entry]) } catch  where Self.isRefusal(error) {
          logger.error("usage refused", metadata: ["error": "\(error)", "request_id": "\(entry.request)"])
        }
      }
    }
  }

  private static func isRefusal(_ error: any Error) -> Bool {
    guard let error = error as? DatabaseError else { return true }
    return error.resultCode == .SQLITE_CONSTRAINT
  }

  private static func isBusy(_ error: any Error) -> Bool { (error as? DatabaseError)?.resultCode == .SQLITE_BUSY }

  /// What is to be written next, the oldest of each request first: a later entry takes the place of an earlier one.
  private func take() -> (entries: [UsageEntry], waiters: [CheckedContinuation<Void, any Error>])? {
    state.withLock { state in
      guard !state.entries.isEmpty || !state.waiters.isEmpty else {
        state.isWriting = false
        return nil
      }
      defer { (state.entries, state.waiters) = ([], []) }
      return (Array(state.unwritten.values) + state.entries, state.waiters)
    }
  }

  private func keep(_ entries: [UsageEntry], _ error: any Error) {
    state.withLock { state in
      // It was the only one.
      if Self.isRefusal(error) {
        (state.unwritten, state.failure) = ([:], nil)
        return
      }
      // Nobody is charged for what has no key.
      for entry in entries where entry.key != nil { state.unwritten[entry.request] = entry }
      if !Self.isBusy(error) { state.failure = error }
    }
  }
}
