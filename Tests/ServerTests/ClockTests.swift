import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

@testable import SwiftletServer

/// The machine's clock is set forwards and back; what is measured goes by a clock that nobody sets.
@Suite struct ClockTests {
  private static let year: TimeInterval = 365 * 86400

  @Test func limitsHoldNobodyBackForMoreThanAMinute() {
    // Seconds that go back, which the limiter's clock does not, count as none.
    var window = MinuteWindow()
    #expect(window.add(5, at: 1_000_000, limit: 5) == nil)
    #expect(window.add(1, at: 10, limit: 5) ?? 0 <= 60)
    #expect(window.add(5, at: 1_000_060, limit: 5) == nil)
    #expect(window.add(5, at: 1 << 60, limit: 5) == nil)
    #expect((1...60).contains(window.add(1, at: 0, limit: 5) ?? 0))
    #expect(window.sum == 5)
  }

  @Test func keysEndByTheCalendarAndNotForGood() throws {
    let folder = try TemporaryFolder()
    let store = try Store(folder: folder.path), day = Date.now + 86400
    let (_, key) = try store.createKey(name: "k", expires: day)
    for (time, state) in [
      (Date.now, APIKey.State.valid), (.now + Self.year, .expired), (.now, .valid), (.now - 30 * Self.year, .valid),
      (day + 1, .expired),
    ] {
      #expect(key.state(at: time) == state, "\(time)")
    }
    #expect(try store.revokeKey(key.id).state(at: .now - Self.year) == .revoked)
  }

  @Test func aRequestIsChargedOnceWhateverTheClockSays() async throws {
    let folder = try TemporaryFolder()
    let store = try Store(folder: folder.path), now = Date.now
    let key = try store.createKey(name: "k", balance: Money(picodollars: 1000)).key
    for (number, offset) in [0, 10 * Self.year, -10 * Self.year, -60 * Self.year].enumerated() {
      var entry = UsageEntry(
        request: "req_\(number)", key: key.id, time: now + offset, model: "m", endpoint: "/chat/completions",
        usage: Usage(promptTokens: 5, choices: []), charge: Money(picodollars: 30))
      try await store.record([entry])
      (entry.time, entry.charge) = (now - offset, Money(picodollars: 50))
      try await store.record([entry])
    }
    #expect(try store.findKey("k").balance.picodollars == 1000 - 4 * 50)
    let days = try store.usage(by: .day, since: .distantPast)
    #expect(days.count == 4 && days.allSatisfy { $0.requests == 1 && $0.group != nil })
    // What a clock that ran ahead wrote is not of the last ten minutes.
    let recent = try await store.recentUsage(since: now - 600, until: now + 1, step: 20, key: nil)
    #expect(recent.count == 1 && recent.first?.requests == 1)
  }

  @Test func theLoadIsOfTheLastTenMinutes() throws {
    let history = LoadHistory(), now = ContinuousClock.now
    for seconds in [600, 300, 2] {
      var sample = LoadHistory.Sample(totals: Metrics().totals)
      sample.time = now - .seconds(seconds)
      history.add(sample)
    }
    var last = LoadHistory.Sample(totals: Metrics().totals)
    last.time = now
    // Whatever the clock says when somebody looks.
    for date in [Date.now, .now + Self.year, Date(timeIntervalSince1970: 1000), Date(timeIntervalSince1970: 0)] {
      let times = history.json(now: last, date: date)["time"]?.elements?.compactMap(\.integer) ?? []
      let ages = times.map { Int((date.timeIntervalSince1970 * 1000).rounded()) - $0 }
      #expect(ages.count == 4)
      for (age, expected) in zip(ages, [600_000, 300_000, 2000, 0]) { #expect(abs(age - expected) <= 1, "\(date): \(ages)") }
    }
  }

  @Test func chatsComeBackFromTheFuture() async throws {
    let folder = try TemporaryFolder()
    let store = try Store(folder: folder.path), now = Store.now(), ahead = now + Int(Self.year * 1000)
    var message = ChatMessageRecord(
      id: "m1", parent: nil, role: "user", content: "Hi", reasoning: "", details: .object([]), created: now)
    for (id, time) in [("a", ahead), ("b", now)] {
      _ = try await store.save(Store.ChatChange(title: id), chat: id, of: nil, limits: ChatLimits(), now: time)
      _ = try await store.save(message, revision: nil, chat: id, of: nil, limits: ChatLimits(), now: time)
    }
    func list() async throws -> [String] {
      try await store.chats(of: nil, search: "", behind: nil, limit: 10).map(\.chat.id)
    }
    #expect(try await list() == ["a", "b"])
    // The next message puts it where it belongs.
    message.content = "Ho"
    _ = try await store.save(message, revision: nil, chat: "a", of: nil, limits: ChatLimits(), now: now - 1000)
    #expect(try await list() == ["b", "a"])
  }
}
