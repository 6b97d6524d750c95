internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import SwiftletJSON

/// `/api/stats`: what the dashboard shows; `/api/prices`: what answers cost.
extension API {
  func addStats(to router: some RouterMethods<ServerContext>) {
    router.get("api/stats") { _, context in
      let now = LoadHistory.sample(metrics, models), date = Date.now
      // Whole steps, so that a step's use does not change its place from one look to the next.
      let since = Date(timeIntervalSince1970: ((date.timeIntervalSince1970 - 600) / Self.step).rounded(.up) * Self.step)
      // What others do is told to administrators alone.
      let key = context.record.key
      let isWhole = key?.isAdmin ?? true
      let usage = try await store.recentUsage(since: since, until: date, step: Int(Self.step), key: isWhole ? nil : key?.id)
      var response = Self.response([
        "load": isWhole ? history.json(now: now, date: date) : .null, "usage": .array(usage.map(\.json)),
        "usage_step_seconds": .number(Self.step),
        "models": .array(models.all.map { .string($0.id) }),
      ])
      response.headers[.cacheControl] = "no-store"
      return response
    }
    router.get("api/prices") { _, context in
      // Without a key nothing is charged.
      let priced = context.record.key == nil ? [] : models.all
      let members = priced.compactMap { served in
        prices[served.id].map { JSONMember(key: served.id, value: Self.json($0)) }
      }
      return Self.response(["prices": .object(members)])
    }
  }

  /// Dollars per million tokens.
  private static func json(_ prices: Prices) -> JSONValue {
    [
      "cache_hit": .number(Double(prices.cacheHit) / 1e6), "cache_miss": .number(Double(prices.cacheMiss) / 1e6),
      "output": .number(Double(prices.output) / 1e6),
    ]
  }

  /// Seconds whose use is told together.
  private static let step = 20.0
}
