/// Lets searches through chats in: of a key one after the other, and of all keys few at once. A search may read all that a key keeps, and
/// what else is asked of the database, such as whose key a request has, waits for the same readers.
actor SearchTurns {
  /// At once. The database has five readers.
  private static let most = 2

  private struct Waiter {
    let number: Int
    let owner: ChatOwner
    let turn: CheckedContinuation<Void, any Error>
  }

  private var active: Set<ChatOwner> = []
  /// In the order of their coming.
  private var waiting: [Waiter] = []
  private var lastNumber = 0

  /// How many searches run, and how many wait.
  var load: (active: Int, waiting: Int) { (active.count, waiting.count) }

  /// Runs a search when its turn has come.
  /// - Throws: `APIError` (503) when it takes longer than it may, and what `search` throws.
  func run<Found: Sendable>(
    of owner: ChatOwner, within limit: Duration, _ search: @escaping @Sendable () async throws -> Found
  ) async throws -> Found {
    try await turn(of: owner)
    defer { end(owner) }
    return try await Self.run(within: limit, search)
  }

  private static func run<Found: Sendable>(
    within limit: Duration, _ search: @escaping @Sendable () async throws -> Found
  ) async throws -> Found {
    try await withThrowingTaskGroup(of: Found.self) { group in
      defer { group.cancelAll() }
      group.addTask { try await search() }
      group.addTask {
        try await Task.sleep(for: limit)
        throw APIError.overloaded("the search took longer than \(limit)", retryAfter: 60)
      }
      guard let found = try await group.next() else { throw CancellationError() }
      return found
    }
  }

  /// Returns when the search may run.
  /// - Throws: `CancellationError` when nobody waits for it any more.
  private func turn(of owner: ChatOwner) async throws {
    if active.count < Self.most, active.insert(owner).inserted { return }
    lastNumber += 1
    let number = lastNumber
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (turn: CheckedContinuation<Void, any Error>) in
        waiting.append(Waiter(number: number, owner: owner, turn: turn))
      }
    } onCancel: {
      Task { await leave(number) }
    }
  }

  private func leave(_ number: Int) {
    guard let index = waiting.firstIndex(where: { $0.number == number }) else { return }
    waiting.remove(at: index).turn.resume(throwing: CancellationError())
  }

  private func end(_ owner: ChatOwner) {
    active.remove(owner)
    while active.count < Self.most, let index = waiting.firstIndex(where: { !active.contains($0.owner) }) {
      let next = waiting.remove(at: index)
      active.insert(next.owner)
      next.turn.resume()
    }
  }
}
