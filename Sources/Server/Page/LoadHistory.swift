internal import Foundation
internal import SwiftletJSON
internal import Synchronization

/// How busy the server was in the last ten minutes, for the dashboard.
final class LoadHistory: Sendable {
  /// The server at one moment; what is counted is counted since its start.
  struct Sample: Sendable {
    /// Not by the wall clock, which may jump.
    var time = ContinuousClock.now
    var totals: Metrics.Totals
    var active = 0
    var waiting = 0
    /// Bytes of caches: set aside for requests, and kept for later ones.
    var reservedCache = 0
    var keptCache = 0
    /// Bytes of the process in memory.
    var memory = 0
  }

  static let interval = Duration.seconds(2)
  static let length = Duration.seconds(600)

  private let samples = Mutex<[Sample]>([])

  /// Takes samples until its task is cancelled.
  func run(_ metrics: Metrics, _ models: ServedModels) async {
    while !Task.isCancelled {
      add(Self.sample(metrics, models))
      try? await Task.sleep(for: Self.interval)
    }
  }

  func add(_ sample: Sample) {
    let most = Int(Self.length / Self.interval) + 1
    samples.withLock { samples in
      samples.append(sample)
      if samples.count > most { samples.removeFirst(samples.count - most) }
    }
  }

  static func sample(_ metrics: Metrics, _ models: ServedModels) -> Sample {
    var sample = Sample(totals: metrics.totals, memory: Metrics.residentBytes() ?? 0)
    for model in models.all {
      let load = model.model.engine.load
      sample.active += load.active
      sample.waiting += load.waiting
      sample.reservedCache += load.reservedCacheBytes
      sample.keptCache += load.keptCacheBytes
    }
    return sample
  }

  /// A column for each quantity, with the moment `now` as the last row.
  /// - Parameter date: what the wall clock says at that moment; the times of the others are told by it.
  func json(now: Sample, date: Date = .now) -> JSONValue {
    let rows = samples.withLock { $0 } + [now]
    func column(_ name: String, _ value: (Sample) -> JSONValue) -> JSONMember {
      JSONMember(key: name, value: .array(rows.map(value)))
    }
    return .object([
      column("time") { .integer(Int((date.timeIntervalSince1970 - $0.time.duration(to: now.time) / .seconds(1)) * 1000)) },
      column("generated_tokens") { .integer($0.totals.generatedTokens) },
      column("prompt_tokens") { .integer($0.totals.promptTokens) },
      column("cached_tokens") { .integer($0.totals.cachedTokens) },
      column("requests") { .integer($0.totals.requests) },
      column("first_tokens") { .integer($0.totals.firstTokens) },
      column("first_token_seconds") { .number($0.totals.firstTokenSeconds) },
      column("active") { .integer($0.active) },
      column("waiting") { .integer($0.waiting) },
      column("cache_reserved_bytes") { .integer($0.reservedCache) },
      column("cache_kept_bytes") { .integer($0.keptCache) },
      column("memory_bytes") { .integer($0.memory) },
    ])
  }
}
