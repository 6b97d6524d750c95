internal import Synchronization

/// What the requests of an engine may take together.
public struct EngineLimits: Sendable, Equatable {
  /// Requests that are served at once; the others wait.
  public var maximumSequences: Int
  /// Bytes of all caches. A request that finds no room waits; one that never will is refused. nil: as much as requests need.
  public var cacheBytes: Int?
  /// Requests that wait beside those that are served at once; further ones are refused. nil: any number.
  public var maximumWaiting: Int?
  /// Whether a prompt may go on from what was computed for another tenant. How long an answer takes, and how many tokens are said to
  /// be known, tells then whether somebody else asked the like.
  public var sharesPrefixes: Bool

  public init(
    maximumSequences: Int = 64, cacheBytes: Int? = nil, maximumWaiting: Int? = nil, sharesPrefixes: Bool = false
  ) {
    self.sharesPrefixes = sharesPrefixes
    self.maximumSequences = maximumSequences
    self.cacheBytes = cacheBytes
    self.maximumWaiting = maximumWaiting
  }
}

/// What an engine has to do at one moment.
public struct EngineLoad: Sendable, Equatable {
  /// Requests that wait for a place or for memory.
  public var waiting = 0
  /// Requests whose prompt or answer is being computed.
  public var active = 0
  /// Bytes set aside for the caches of active requests.
  public var reservedCacheBytes = 0
  /// Bytes of caches that are kept for later requests.
  public var keptCacheBytes = 0
}

/// The load, written by the engine's thread and by whoever submits.
final class EngineCounters: Sendable {
  private let state = Mutex(EngineLoad())

  var load: EngineLoad { state.withLock { $0 } }

  /// Counts a request that begins to wait.
  func enqueue(_ limits: EngineLimits) throws(GenerationError) {
    let waiting: Int? = state.withLock { load in
      // Those that find a free place do not wait.
      let places = max(0, limits.maximumSequences - load.active)
      if let limit = limits.maximumWaiting, load.waiting >= limit + places { return load.waiting }
      load.waiting += 1
      return nil
    }
    if let waiting { throw .queueFull(waiting: waiting) }
  }

  /// A request waits no longer.
  /// - Parameter isActive: whether it is served now.
  func dequeue(isActive: Bool) {
    state.withLock { load in
      load.waiting -= 1
      if isActive { load.active += 1 }
    }
  }

  func set(active: Int, reserved: Int, kept: Int) {
    state.withLock { load in
      load.active = active
      load.reservedCacheBytes = reserved
      load.keptCacheBytes = kept
    }
  }
}
