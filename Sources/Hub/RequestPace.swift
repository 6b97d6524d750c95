public import Foundation

/// When the next request to a server may go.
public actor RequestPace {
  private static let longestPause = 120.0
  private let interval: Duration
  private var next = ContinuousClock.now
  private var held = ContinuousClock.now

  /// - Parameter perMinute: nil for no limit.
  public init(perMinute: Double?) { interval = perMinute.map { .seconds(60 / $0) } ?? .zero }

  /// Waits for a request's turn.
  public func wait() async throws {
    repeat {
      let turn = max(next, held, .now)
      next = turn + interval
      try await Task.sleep(until: turn)
    } while held > .now
  }

  /// Sends nothing for a while: the server asked for it.
  public func hold(for pause: Duration) {
    held = max(held, ContinuousClock.now + pause)
  }

  /// How long to wait before a request that failed is sent again: twice as long each time, from a second on, or as the server asks.
  /// - Parameters:
  ///   - attempt: those before it.
  ///   - wish: what the server asks for.
  ///   - factor: many requests that were refused at once should not come back at once.
  public static func pause(
    after attempt: Int, wish: Duration? = nil, factor: Double = .random(in: 0.75...1.25)
  ) -> Duration {
    let own = Duration.seconds(1) * (1 << min(attempt, 6)) * factor
    guard let wish else { return own }
    // A server that never asks for a pause would be asked all times at once.
    return attempt < 3 ? wish : max(wish, own)
  }

  /// What `Retry-After` asks for, at most two minutes: seconds, or a date (RFC 9110, section 10.2.3) in the form of today or one of the
  /// two old ones, which are still to be read (section 5.6.7).
  public static func pause(retryAfter text: String, now: Date) -> Duration? {
    // The third form fills the day with a space.
    let text = text.split(separator: " ").joined(separator: " ")
    if let seconds = Double(text), seconds >= 0 { return .seconds(min(seconds, longestPause)) }
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.timeZone = TimeZone(identifier: "GMT")
    format.dateFormat =
      text.contains("-")
      ? "EEEE, dd-MMM-yy HH:mm:ss 'GMT'" : text.contains(",") ? "EEE, dd MMM yyyy HH:mm:ss 'GMT'" : "EEE MMM d HH:mm:ss yyyy"
    return format.date(from: text).map { .seconds(min(max(0, $0.timeIntervalSince(now)), longestPause)) }
  }
}
