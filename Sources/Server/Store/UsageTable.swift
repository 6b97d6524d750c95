public import Foundation
internal import GRDB

/// What a request used so far, and what that costs.
struct UsageEntry: Sendable, Equatable {
  /// Unlike that of all other requests.
  var request: String
  var key: Int64?
  var time: Date
  var model: String
  var endpoint: String
  var usage: Usage
  var charge: Money
  /// How the request ended; nil while it has not, and for ever where the process was killed.
  var outcome: String?
}

extension Store {
  /// Writes what requests used, and charges their keys, all in one transaction. What is written of a request takes the place of what was
  /// written of it before, and its key is charged the difference: however often a request is written, it is charged once.
  func record(_ entries: [UsageEntry]) async throws {
    try await pool.write { database in
      for entry in entries { try Self.record(entry, database) }
    }
  }

  private static func record(_ entry: UsageEntry, _ database: Database) throws {
    let before = try Int64.fetchOne(database, sql: "SELECT charge FROM usage WHERE request = ?", arguments: [entry.request])
    try database.execute(
      sql: """
        INSERT INTO usage
          (request, key, time, model, endpoint, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens, charge, outcome)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (request) DO UPDATE SET
          prompt_tokens = excluded.prompt_tokens, cached_tokens = excluded.cached_tokens,
          completion_tokens = excluded.completion_tokens, reasoning_tokens = excluded.reasoning_tokens,
          charge = excluded.charge, outcome = excluded.outcome
        """,
      arguments: [
        entry.request, entry.key, seconds(entry.time), entry.model, entry.endpoint, entry.usage.promptTokens,
        entry.usage.cachedTokens, entry.usage.completionTokens, entry.usage.reasoningTokens, entry.charge.picodollars,
        entry.outcome,
      ])
    let more = entry.charge - Money(picodollars: before ?? 0)
    guard let id = entry.key, more != .zero else { return }
    let key = try key(id, database)
    let granted = min(max(key.granted, .zero), max(more, .zero))
    try database.execute(
      sql: "UPDATE keys SET granted = ?, topped_up = ? WHERE id = ?",
      arguments: [(key.granted - granted).picodollars, (key.toppedUp - (more - granted)).picodollars, id])
  }

  /// By what usage is summed up.
  public enum UsageGrouping: String, Sendable, CaseIterable {
    case key
    /// Of the calendar in Greenwich.
    case day
    case model
  }

  /// What some requests used together.
  public struct UsageSum: Sendable, Equatable {
    /// The key's number and name, the day, or the model; nil for requests without a key.
    public var group: String?
    public var requests: Int
    public var promptTokens: Int
    public var cachedTokens: Int
    public var completionTokens: Int
    public var reasoningTokens: Int
    public var charge: Money
  }

  /// What was used since a moment, or ever.
  public func usage(by grouping: UsageGrouping, since: Date? = nil) throws -> [UsageSum] {
    let group =
      switch grouping {
      case .key: "keys.id || ' ' || keys.name"
      case .day: "date(time, 'unixepoch')"
      case .model: "model"
      }
    return try pool.read { database in
      try Row.fetchAll(
        database,
        sql: """
          SELECT \(group) AS label, count(*) AS requests, sum(prompt_tokens) AS prompt, sum(cached_tokens) AS cached,
            sum(completion_tokens) AS completion, sum(reasoning_tokens) AS reasoning, sum(charge) AS charge
          FROM usage LEFT JOIN keys ON keys.id = usage.key
          WHERE time >= ? GROUP BY label ORDER BY \(grouping == .key ? "keys.id" : "label")
          """, arguments: [since.map(Self.seconds) ?? 0]
      ).map { row in
        UsageSum(
          group: row["label"], requests: row["requests"], promptTokens: row["prompt"], cachedTokens: row["cached"],
          completionTokens: row["completion"], reasoningTokens: row["reasoning"],
          charge: Money(picodollars: row["charge"]))
      }
    }
  }
}
