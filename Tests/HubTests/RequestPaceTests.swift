import Foundation
import Testing

@testable import SwiftletHub

@Suite struct RequestPaceTests {
  @Test func retryAfterIsReadAsSecondsAndAsADate() throws {
    let now = Date(timeIntervalSince1970: 784_111_777)  // Sun, 06 Nov 1994 08:49:37 GMT
    #expect(RequestPace.pause(retryAfter: "3", now: now) == .seconds(3))
    #expect(RequestPace.pause(retryAfter: "1e9", now: now) == .seconds(120))
    #expect(RequestPace.pause(retryAfter: "Sun, 06 Nov 1994 08:49:47 GMT", now: now) == .seconds(10))
    #expect(RequestPace.pause(retryAfter: "Sun, 06 Nov 1994 08:49:07 GMT", now: now) == .zero)
    // The two old forms: of RFC 850, and of C's asctime.
    #expect(RequestPace.pause(retryAfter: "Sunday, 06-Nov-94 08:49:47 GMT", now: now) == .seconds(10))
    #expect(RequestPace.pause(retryAfter: "Sun Nov  6 08:49:47 1994", now: now) == .seconds(10))
    #expect(RequestPace.pause(retryAfter: " 3 ", now: now) == .seconds(3))
    #expect(RequestPace.pause(retryAfter: "soon", now: now) == nil && RequestPace.pause(retryAfter: "-1", now: now) == nil)
  }

  @Test func pausesGrow() {
    let own = (0...7).map { RequestPace.pause(after: $0, factor: 1) / .seconds(1) }
    #expect(own == [1, 2, 4, 8, 16, 32, 64, 64])
    #expect((0...20).allSatisfy { _ in (0.75...1.25).contains(RequestPace.pause(after: 0) / .seconds(1)) })
    // As the server asks; but one that asks for none each time is not asked seven times at once.
    let asked = (0...4).map { RequestPace.pause(after: $0, wish: .zero, factor: 1) / .seconds(1) }
    #expect(asked == [0, 0, 0, 8, 16])
    #expect(RequestPace.pause(after: 5, wish: .seconds(100), factor: 1) == .seconds(100))
  }

  @Test func requestsKeepTheirPace() async throws {
    let pace = RequestPace(perMinute: 1200), start = ContinuousClock.now
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<5 { group.addTask { try await pace.wait() } }
      try await group.waitForAll()
    }
    #expect(start.duration(to: .now) >= .milliseconds(199))
    await pace.hold(for: .milliseconds(150))
    let held = ContinuousClock.now
    try await pace.wait()
    #expect(held.duration(to: .now) >= .milliseconds(149))
  }
}
