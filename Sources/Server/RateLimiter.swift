internal import Synchronization

/// Counts what keys ask for, and refuses what is above their limits. Counts begin anew with the process.
final class RateLimiter: Sendable {
  private struct Use {
    var requests = MinuteWindow()
    var tokens = MinuteWindow()
    var active = 0
    /// Bytes of large things that are there, by what they are.
    var taken: [String: Int] = [:]
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

  /// Room for something large, such as the body of a request.
  /// - Parameters:
  ///   - key: nil for all who have none together.
  ///   - what: what is there, for errors; each has a limit of its own.
  ///   - limit: bytes that may be there at once. One thing alone may take more.
  func room(of key: APIKey?, for what: String, limit: Int) -> Room {
    Room(key: key?.id ?? 0, what: what, limit: limit, limiter: self)
  }

  /// What something large takes while it is there.
  final class Room: Sendable {
    private let key: Int64
    private let what: String
    private let limit: Int
    private let limiter: RateLimiter
    private let bytes = Mutex(0)

    fileprivate init(key: Int64, what: String, limit: Int, limiter: RateLimiter) {
      self.key = key
      self.what = what
      self.limit = limit
      self.limiter = limiter
    }

    /// - Throws: `APIError` (429) when what is there already leaves no room for so many bytes more.
    func take(_ count: Int) throws(APIError) {
      let fits = limiter.uses.withLock { uses in
        let earlier = uses[key, default: Use()].taken[what, default: 0]
        guard earlier == 0 || earlier + count <= limit else { return false }
        uses[key, default: Use()].taken[what, default: 0] += count
        return true
      }
      guard fits else { throw .limited(what, limit: limit, retryAfter: 1) }
      bytes.withLock { $0 += count }
    }

    /// Makes room for others.
    func leave() {
      let count = bytes.withLock { bytes in
        defer { bytes = 0 }
        return bytes
      }
      limiter.uses.withLock { $0[key]?.taken[what, default: 0] -= count }
    }

    deinit { leave() }
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
