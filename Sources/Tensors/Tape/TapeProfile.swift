/// What the operations of a tape took, by name.
public struct TapeProfile {
  public struct Entry: Sendable {
    public var forward: Duration = .zero
    public var backward: Duration = .zero
  }

  public private(set) var entries: [String: Entry] = [:]

  public init() {}

  func start() -> ContinuousClock.Instant { .now }

  mutating func stop(_ start: ContinuousClock.Instant, _ name: String, isForward: Bool) {
    let duration = ContinuousClock.now - start
    if isForward {
      entries[name, default: Entry()].forward += duration
    } else {
      entries[name, default: Entry()].backward += duration
    }
  }
}
