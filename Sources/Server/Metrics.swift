internal import Foundation
internal import Synchronization

/// What the server counts about itself, as Prometheus reads it.
final class Metrics: Sendable {
  enum Histogram: String, CaseIterable {
    case firstToken = "swiftlet_time_to_first_token_seconds"
    case tokenGap = "swiftlet_time_between_tokens_seconds"
    case request = "swiftlet_request_seconds"

    var help: String {
      switch self {
      case .firstToken: "From a request's arrival to its first token."
      case .tokenGap: "Between two tokens of an answer."
      case .request: "From a request's arrival to the end of its answer."
      }
    }

    /// Upper bounds, in seconds.
    var bounds: [Double] {
      switch self {
      case .firstToken, .request: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
      case .tokenGap: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
      }
    }
  }

  enum Counter: String, CaseIterable {
    case promptTokens = "swiftlet_prompt_tokens_total"
    case cachedTokens = "swiftlet_prompt_cache_hit_tokens_total"
    case completionTokens = "swiftlet_completion_tokens_total"
    case failures = "swiftlet_answer_failures_total"
    case disconnects = "swiftlet_client_disconnects_total"

    var help: String {
      switch self {
      case .promptTokens: "Tokens of prompts that were computed or found in the cache."
      case .cachedTokens: "Tokens of prompts that were in the cache."
      case .completionTokens: "Tokens generated."
      case .failures: "Answers that failed when their status, 200, had been sent."
      case .disconnects: "Requests whose client went away before the answer was whole."
      }
    }
  }

  private struct Denial: Hashable {
    var rule: String
    var target: String
  }

  private struct Alarm: Hashable {
    var key: Int64
    var cause: String
  }

  private struct Buckets {
    var counts: [Int]
    var sum = 0.0
    var count = 0
  }

  private struct State {
    var histograms = Dictionary(
      uniqueKeysWithValues: Histogram.allCases.map { ($0, Buckets(counts: Array(repeating: 0, count: $0.bounds.count))) })
    var counters: [Counter: Int] = [:]
    var responses: [Int: Int] = [:]
    var denials: [Denial: Int] = [:]
    var alarms: [Alarm: Int] = [:]
  }

  private let state = Mutex(State())

  func observe(_ histogram: Histogram, _ seconds: Double) {
    state.withLock { state in
      if let bucket = histogram.bounds.firstIndex(where: { seconds <= $0 }) {
        state.histograms[histogram]?.counts[bucket] += 1
      }
      state.histograms[histogram]?.sum += seconds
      state.histograms[histogram]?.count += 1
    }
  }

  func add(_ counter: Counter, _ amount: Int = 1) { state.withLock { $0.counters[counter, default: 0] += amount } }

  func addResponse(status: Int) { state.withLock { $0.responses[status, default: 0] += 1 } }

  func addDenial(rule: String, target: String) {
    state.withLock { $0.denials[Denial(rule: rule, target: target), default: 0] += 1 }
  }

  func addAlarm(key: Int64, cause: String) { state.withLock { $0.alarms[Alarm(key: key, cause: cause), default: 0] += 1 } }

  /// Seconds that a request takes on average; nil before the first.
  var meanRequestSeconds: Double? {
    state.withLock { state in
      state.histograms[.request].flatMap { $0.count > 0 ? $0.sum / Double($0.count) : nil }
    }
  }

  /// What has happened since the start.
  struct Totals: Sendable {
    /// Tokens generated, those of answers in progress too.
    var generatedTokens = 0
    /// Of requests that have ended.
    var promptTokens = 0
    var cachedTokens = 0
    var requests = 0
    /// Answers that have begun, and the seconds they took to, together.
    var firstTokens = 0
    var firstTokenSeconds = 0.0
  }

  var totals: Totals {
    state.withLock { state in
      let first = state.histograms[.firstToken], gaps = state.histograms[.tokenGap]
      return Totals(
        generatedTokens: (first?.count ?? 0) + (gaps?.count ?? 0), promptTokens: state.counters[.promptTokens] ?? 0,
        cachedTokens: state.counters[.cachedTokens] ?? 0, requests: state.histograms[.request]?.count ?? 0,
        firstTokens: first?.count ?? 0, firstTokenSeconds: first?.sum ?? 0)
    }
  }

  /// Prometheus' text format, version 0.0.4.
  func text(_ models: [ServedModel]) -> String {
    let state = state.withLock { $0 }
    var text = ""
    func header(_ name: String, _ kind: String, _ help: String) {
      text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
    }
    for histogram in Histogram.allCases {
      guard let buckets = state.histograms[histogram] else { continue }
      header(histogram.rawValue, "histogram", histogram.help)
      var total = 0
      for (bound, count) in zip(histogram.bounds, buckets.counts) {
        total += count
        text += "\(histogram.rawValue)_bucket{le=\"\(bound)\"} \(total)\n"
      }
      text += "\(histogram.rawValue)_bucket{le=\"+Inf\"} \(buckets.count)\n"
      text += "\(histogram.rawValue)_sum \(buckets.sum)\n\(histogram.rawValue)_count \(buckets.count)\n"
    }
    for counter in Counter.allCases {
      header(counter.rawValue, "counter", counter.help)
      text += "\(counter.rawValue) \(state.counters[counter] ?? 0)\n"
    }
    header("swiftlet_responses_total", "counter", "Responses by HTTP status.")
    for (status, count) in state.responses.sorted(by: { $0.key < $1.key }) {
      text += "swiftlet_responses_total{status=\"\(status)\"} \(count)\n"
    }
    header("swiftlet_policy_denials_total", "counter", "Prompts and answers that a rule of the policy denied.")
    for (denial, count) in state.denials.sorted(by: { ($0.key.rule, $0.key.target) < ($1.key.rule, $1.key.target) }) {
      text += "swiftlet_policy_denials_total{rule=\"\(Self.escaped(denial.rule))\",target=\"\(denial.target)\"} \(count)\n"
    }
    header("swiftlet_extraction_alarms_total", "counter", "Windows in which a key asked for more than the alarm's thresholds.")
    for (alarm, count) in state.alarms.sorted(by: { ($0.key.key, $0.key.cause) < ($1.key.key, $1.key.cause) }) {
      text += "swiftlet_extraction_alarms_total{key=\"\(alarm.key)\",cause=\"\(alarm.cause)\"} \(count)\n"
    }
    let loads = models.map { ($0.id, $0.model.engine.load) }
    func gauge(_ name: String, _ help: String, _ value: (Int) -> Int) {
      header(name, "gauge", help)
      for index in loads.indices { text += "\(name){model=\"\(Self.escaped(loads[index].0))\"} \(value(index))\n" }
    }
    gauge("swiftlet_requests_waiting", "Requests that wait for a place or for memory.") { loads[$0].1.waiting }
    gauge("swiftlet_batch_size", "Requests that are being computed.") { loads[$0].1.active }
    gauge("swiftlet_cache_reserved_bytes", "Set aside for the caches of active requests.") { loads[$0].1.reservedCacheBytes }
    gauge("swiftlet_cache_kept_bytes", "Caches kept for later requests.") { loads[$0].1.keptCacheBytes }
    // Models share one.
    if let prefixes = models.lazy.compactMap(\.model.engine.prefixStore).first?.statistics {
      func value(_ name: String, _ kind: String, _ help: String, _ value: Int) {
        header(name, kind, help)
        text += "\(name) \(value)\n"
      }
      value("swiftlet_prefix_cache_bytes", "gauge", "Beginnings of prompts on disk.", prefixes.byteCount)
      value("swiftlet_prefix_cache_blocks", "gauge", "The same in blocks of 64 tokens.", prefixes.blockCount)
      value("swiftlet_prefix_cache_blocks_read_total", "counter", "Blocks taken from disk.", prefixes.readBlocks)
      value("swiftlet_prefix_cache_blocks_written_total", "counter", "Blocks written to disk.", prefixes.writtenBlocks)
      value("swiftlet_prefix_cache_blocks_removed_total", "counter", "Blocks that gave way to others.", prefixes.removedBlocks)
      value("swiftlet_prefix_cache_blocks_damaged_total", "counter", "Blocks that were found damaged.", prefixes.damagedBlocks)
    }
    if let bytes = Self.residentBytes() {
      header("process_resident_memory_bytes", "gauge", "Memory of the process, mapped files included.")
      text += "process_resident_memory_bytes \(bytes)\n"
    }
    return text
  }

  private static func escaped(_ label: String) -> String {
    label.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
  }

  static func residentBytes() -> Int? {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
    let fields = text.split(separator: " ")
    return fields.count > 1 ? Int(fields[1]).map { $0 * Int(getpagesize()) } : nil
  }
}
