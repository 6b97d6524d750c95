internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import SwiftletJSON

/// `/api/stats`: what the dashboard shows.
extension API {
  func addStats(to router: some RouterMethods<ServerContext>) {
    router.get("api/stats") { _, context in
      let now = LoadHistory.sample(metrics, models)
      // Whole steps, so that a step's use does not change its place from one look to the next.
      let since = Date(timeIntervalSince1970: ((now.time.timeIntervalSince1970 - 600) / Self.step).rounded(.up) * Self.step)
      let usage = try await store.recentUsage(since: since, step: Int(Self.step), key: nil)
      var response = Self.response([
        "load": history.json(now: now), "usage": .array(usage.map(\.json)), "usage_step_seconds": .number(Self.step),
        "models": .array(models.all.map { .string($0.id) }),
      ])
      response.headers[.cacheControl] = "no-store"
      return response
    }
  }

  /// Seconds whose use is told together.
  private static let step = 20.0
}
