internal import Logging
internal import Synchronization

/// Writes what requests use. Entries that come while others are being written share the next transaction, and with it the wait for the
/// disk.
final class Ledger: Sendable {
  private struct State {
    var entries: [UsageEntry] = []
    var waiters: [CheckedContinuation<Void, any Error>] = []
    var isWriting = false
  }

  private let state = Mutex(State())
  private let store: Store
  private let logger: Logger

  init(store: Store, logger: Logger) {
    self.store = store
    self.logger = logger
  }

  /// Has an entry written soon.
  func add(_ entry: UsageEntry) { add(entry, nil) }

  /// Returns when an entry is written.
  func write(_ entry: UsageEntry) async throws {
    try await withCheckedThrowingContinuation { add(entry, $0) }
  }

  private func add(_ entry: UsageEntry, _ waiter: CheckedContinuation<Void, any Error>?) {
    let starts = state.withLock { state in
      state.entries.append(entry)
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
        try await store.record(entries)
        for waiter in waiters { waiter.resume() }
      } catch {
        logger.error("usage not written", metadata: ["error": "\(error)", "requests": .stringConvertible(entries.count)])
        for waiter in waiters { waiter.resume(throwing: error) }
      }
    }
  }

  private func take() -> (entries: [UsageEntry], waiters: [CheckedContinuation<Void, any Error>])? {
    state.withLock { state in
      guard !state.entries.isEmpty else {
        state.isWriting = false
        return nil
      }
      defer { (state.entries, state.waiters) = ([], []) }
      return (state.entries, state.waiters)
    }
  }
}
