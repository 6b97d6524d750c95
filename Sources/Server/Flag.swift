internal import Synchronization

/// Something that happens once, such as a client's leaving. Whoever observes it is told once, also when it has happened already.
final class Flag: Sendable {
  private struct State {
    var isRaised = false
    var nextObserver = 0
    var observers: [Int: @Sendable () -> Void] = [:]
  }

  private let state = Mutex(State())

  var isRaised: Bool { state.withLock { $0.isRaised } }

  func raise() {
    let observers = state.withLock { state in
      state.isRaised = true
      defer { state.observers = [:] }
      return state.observers
    }
    for observer in observers.values { observer() }
  }

  /// - Returns: what `remove` takes.
  func observe(_ observer: @escaping @Sendable () -> Void) -> Int {
    let number: Int? = state.withLock { state in
      if state.isRaised { return nil }
      state.nextObserver += 1
      state.observers[state.nextObserver] = observer
      return state.nextObserver
    }
    if number == nil { observer() }
    return number ?? 0
  }

  func remove(_ observer: Int) { _ = state.withLock { $0.observers.removeValue(forKey: observer) } }
}
