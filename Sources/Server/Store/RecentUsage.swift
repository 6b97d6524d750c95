internal import Foundation
internal import GRDB
internal import SwiftletJSON

/// What a key used in a few seconds.
struct RecentUsage: Sendable {
  /// nil for requests without a key.
  let key: Int64?
  let name: String?
  /// Seconds since 1970.
  let time: Int
  let requests: Int
  let promptTokens: Int
  let completionTokens: Int
  /// Trillionths of a dollar.
  let charge: Int64

  var json: JSONValue {
    [
      "key": key.map { .integer(Int($0)) } ?? .null, "name": name.map { .string($0) } ?? .null, "time": .integer(time),
      "requests": .integer(requests), "prompt_tokens": .integer(promptTokens), "completion_tokens": .integer(completionTokens),
      "cost": .number(Double(charge) / 1e12),
    ]
  }
}

extension Store {
  /// What was used between two moments, by key and in steps of time.
  /// - Parameters:
  ///   - until: what is later was written before the clock was set back.
  ///   - step: seconds.
  ///   - key: whose use is told; nil for everybody's.
  func recentUsage(since: Date, until: Date, step: Int, key: Int64?) async throws -> [RecentUsage] {
    try await pool.read { database in
      try Row.fetchAll(
        database,
        sql: """
          SELECT usage.key AS key, keys.name AS name, time / :step * :step AS start, count(*) AS requests,
            sum(prompt_tokens) AS prompt, sum(completion_tokens) AS completion, sum(charge) AS charge
          FROM usage LEFT JOIN keys ON keys.id = usage.key
          WHERE time BETWEEN :since AND :until AND (:key IS NULL OR usage.key = :key)
          GROUP BY usage.key, start ORDER BY start, usage.key
          """,
        arguments: [
          "step": step, "since": Self.seconds(since), "until": Self.seconds(until), "key": key,
        ]
      ).map { row in
        RecentUsage(
          key: row["key"], name: row["name"], time: row["start"], requests: row["requests"], promptTokens: row["prompt"],
          completionTokens: row["completion"], charge: row["charge"])
      }
    }
  }
}
