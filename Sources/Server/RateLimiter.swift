internal import Synchronization

/// Counts what keys ask for, and refuses what is above their limits. Counts begin anew with the process.
final class RateLimiter: Sendable {
  private struct Use {
    var requests = MinuteWindow()
    var tokens = MinuteWindow()
    var active = 0
    /// Of bodies that are being read.
    var bodyBytes = 0
  }

  private let uses = Mutex<[Int64: Use]>([:])
  private let start = ContinuousClock.now

  private var second: Int { Int(start.duration(to: .now) / .seconds(1)) }

  /// Counts a request of any kind.
  /// - Throws: `APIError` (429) when there were as many in the last minute as the key may send.
  func countRequest(_ key: APIKey) throws(APIError) {
    guard let limit = key.limits.requestsPerMinute else { return }
    let second = second
    let wait = uses.withLock { uses in
      uses[key.id, default: Use()].requests.add(1, at: second, limit: limit)
    }
    if let wait { throw .limited("requests per minute", limit: limit, retryAfter: wait) }
  }

  /// Lets a request in that is to be computed.
  /// - Parameter tokens: of its prompts.
  /// - Returns: what the request keeps until its end.
  /// - Throws: `APIError` (429) when the key has its limit of tokens or of requests in progress.
  func admit(_ key: APIKey, tokens: Int) throws(APIError) -> Admission {
    let second = second
    if let limit = key.limits.tokensPerMinute, tokens > limit {
      // No waiting helps.
      throw .malformed(
        "The prompt has \(tokens) tokens, and this key may have \(limit) a minute. Please shorten it.",
        code: "rate_limit_exceeded")
    }
    let refusal: APIError? = uses.withLock { uses in
      var use = uses[key.id, default: Use()]
      defer { uses[key.id] = use }
      if let limit = key.limits.parallel, use.active >= limit {
        return .limited("requests in progress", limit: limit, retryAfter: 1)
      }
      if let wait = use.tokens.add(tokens, at: second, limit: key.limits.tokensPerMinute) {
        return .limited("tokens per minute", limit: key.limits.tokensPerMinute ?? 0, retryAfter: wait)
      }
      use.active += 1
      return nil
    }
    if let refusal { throw refusal }
    return Admission(key: key.id, tokens: tokens, second: second, limiter: self)
  }

  /// Room for the body of a request.
  /// - Parameters:
  ///   - key: nil for all who have none together.
  ///   - limit: bytes of all bodies that are read at once.
  func bodyRoom(of key: APIKey?, limit: Int) -> BodyRoom { BodyRoom(key: key?.id ?? 0, limit: limit, limiter: self) }

  /// What a body takes until it has become a request.
  final class BodyRoom: Sendable {
    private let key: Int64
    private let limit: Int
    private let limiter: RateLimiter
    private let taken = Mutex(0)

    fileprivate init(key: Int64, limit: Int, limiter: RateLimiter) {
      self.key = key
      self.limit = limit
      self.limiter = limiter
    }

    /// - Throws: `APIError` (429) when other bodies leave no room for so many bytes more.
    func take(_ bytes: Int) throws(APIError) {
      let fits = limiter.uses.withLock { uses in
        let all = uses[key, default: Use()].bodyBytes + bytes
        if all <= limit { uses[key, default: Use()].bodyBytes = all }
        return all <= limit
      }
      guard fits else { throw .limited("bytes of requests that are read at once", limit: limit, retryAfter: 1) }
      taken.withLock { $0 += bytes }
    }

    /// Makes room for others.
    func leave() {
      let bytes = taken.withLock { taken in
        defer { taken = 0 }
        return taken
      }
      limiter.uses.withLock { $0[key]?.bodyBytes -= bytes }
    }
  }

  /// A request in progress, until it is ended, or nobody has this any more.
  final class Admission: Sendable {
    private let key: Int64
    /// Of its prompts, and when they were counted.
    private let tokens: Int
    private let second: Int
    private let limiter: RateLimiter
    private let isOpen = Mutex(true)

    fileprivate init(key: Int64, tokens: Int, second: Int, limiter: RateLimiter) {
      self.key = key
      self.tokens = tokens
      self.second = second
      self.limiter = limiter
    }

    /// A token of the answer.
    func countToken() {
      let second = limiter.second
      limiter.uses.withLock { _ = $0[key]?.tokens.add(1, at: second, limit: nil) }
    }

    /// Makes room for the key's next request.
    func end() {
      let wasOpen: Bool = isOpen.withLock { isOpen in
        defer { isOpen = false }
        return isOpen
      }
      if wasOpen { limiter.uses.withLock { $0[key]?.active -= 1 } }
    }

    /// Ends a request of which nothing is computed: its prompts do not count.
    func takeBack() {
      end()
      limiter.uses.withLock { $0[key]?.tokens.remove(tokens, from: second) }
    }

    deinit { end() }
  }
}

/// How many there were in the last minute, by the second.
struct MinuteWindow {
  private var counts = [Int](repeating: 0, count: 60)
  /// The second of the last count.
  private var last = 0
  private(set) var sum = 0

  /// Counts some, unless there would be more than the limit then.
  /// - Returns: the seconds after which there is room; nil when they were counted.
  mutating func add(_ count: Int, at second: Int, limit: Int?) -> Int? {
    for passed in last..<min(max(second, last), last + 60) {
      let slot = (passed + 1) % 60
      sum -= counts[slot]
      counts[slot] = 0
    }
    last = max(second, last)
    if let limit, sum + count > limit { return wait(until: limit - count) }
    counts[last % 60] += count
    sum += count
    return nil
  }

  /// Takes back what was counted at a second.
  mutating func remove(_ count: Int, from second: Int) {
    // Forgotten already.
    guard last - second < 60 else { return }
    counts[second % 60] -= count
    sum -= count
  }

  private func wait(until room: Int) -> Int {
    var rest = sum
    // The slot behind the last one is the oldest.
    for seconds in 1...60 {
      rest -= counts[(last + seconds) % 60]
      if rest <= room { return seconds }
    }
    return 60
  }
}
