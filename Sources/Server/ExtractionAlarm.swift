internal import Logging
internal import Synchronization

/// From when on a key's use looks as if somebody copied the model by its answers.
public struct AlarmThresholds: Sendable, Equatable {
  /// Windows follow each other; each begins with the first request after the last one's end.
  public var window: Duration
  /// Tokens of prompts and answers in a window; nil for no threshold.
  public var tokens: Int?
  /// Prompts in a window that differ; nil for no threshold.
  public var prompts: Int?

  public init(window: Duration = .seconds(3600), tokens: Int? = nil, prompts: Int? = nil) {
    self.window = window
    self.tokens = tokens
    self.prompts = prompts
  }

  /// Reads `{"window_minutes": 60, "tokens": 2000000, "prompts": 5000}`.
  public init(_ settings: Settings) throws(SettingsError) {
    var settings = settings
    window = .seconds(60 * (try settings.integer("window_minutes", in: 1...44640) ?? 60))
    tokens = try settings.integer("tokens", in: 1...1_000_000_000_000)
    prompts = try settings.integer("prompts", in: 1...1_000_000)
    try settings.end()
  }
}

/// Tells whoever runs the server of keys that ask for very much, once a window; it refuses nothing.
final class ExtractionAlarm: Sendable {
  private struct Window {
    var start: ContinuousClock.Instant
    var tokens = 0
    /// Hashes of the prompts, up to the threshold.
    var prompts: Set<Int> = []
    var alarms: Set<String> = []

    /// Counts tokens and hashes of prompts.
    /// - Returns: which thresholds are reached now.
    mutating func count(
      _ tokens: Int, _ hashes: [Int], _ thresholds: AlarmThresholds
    ) -> [(name: String, count: Int, limit: Int)] {
      let now = ContinuousClock.now
      if start.duration(to: now) >= thresholds.window { self = Window(start: now) }
      self.tokens += tokens
      for hash in hashes where prompts.count < thresholds.prompts ?? 0 { prompts.insert(hash) }
      let counts = [("tokens", self.tokens, thresholds.tokens), ("prompts", prompts.count, thresholds.prompts)]
      return counts.compactMap { name, count, limit in
        guard let limit, count >= limit, alarms.insert(name).inserted else { return nil }
        return (name, count, limit)
      }
    }
  }

  private let windows = Mutex<[Int64: Window]>([:])
  private let thresholds: AlarmThresholds
  private let metrics: Metrics
  private let logger: Logger

  init(_ thresholds: AlarmThresholds, metrics: Metrics, logger: Logger) {
    self.thresholds = thresholds
    self.metrics = metrics
    self.logger = logger
  }

  /// Counts prompts and tokens of a key.
  func count(key: Int64, prompts: [[Int32]] = [], tokens: Int) async {
    guard thresholds.tokens != nil || thresholds.prompts != nil else { return }
    let hashes = thresholds.prompts == nil ? [] : prompts.map(\.hashValue)
    // In its place: a copy of a large set for each request takes long, while everybody waits for the lock.
    let causes = windows.withLock { $0[key, default: Window(start: .now)].count(tokens, hashes, thresholds) }
    for cause in causes {
      metrics.addAlarm(key: key, cause: cause.name)
      await logger.logApart(
        .warning, "a key asks for very much",
        [
          "key": "\(key)", "cause": "\(cause.name)", "count": .stringConvertible(cause.count),
          "threshold": .stringConvertible(cause.limit), "window": "\(thresholds.window)",
        ])
    }
  }
}
