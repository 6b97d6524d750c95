import AsyncHTTPClient
import NIOHTTP1
import NIOPosix

/// A failure that may go away by itself.
struct PassingFailure: Error {
  enum Kind {
    /// The server did not answer.
    case unreachable(host: String, reason: String)
    /// The answer broke off.
    case cut(host: String, reason: String)
    case limited(host: String)
    case server(status: Int, url: String)
  }
  var kind: Kind
  /// The pause the server asked for.
  var retryAfter: Duration?

  /// The failure of a request before its answer began.
  static func connection(host: String, _ error: any Error) -> PassingFailure {
    PassingFailure(kind: .unreachable(host: host, reason: reason(error)))
  }

  /// The failure of a body under way.
  static func cut(host: String, _ error: any Error) -> PassingFailure {
    PassingFailure(kind: .cut(host: host, reason: reason(error)))
  }

  private static func reason(_ error: any Error) -> String {
    if let error = error as? NIOConnectionError {
      if let failed = error.connectionErrors.first { return String(describing: failed.error) }
      if error.dnsAError != nil || error.dnsAAAAError != nil { return "its name cannot be resolved" }
    }
    return switch error as? HTTPClientError {
    case .remoteConnectionClosed?: "the connection was closed"
    case .readTimeout?: "nothing came for too long"
    case .connectTimeout?: "it did not accept a connection in time"
    default: String(String(describing: error).prefix(300))
    }
  }

  /// In a few words.
  var summary: String {
    switch kind {
    case .unreachable(let host, let reason): "no connection to \(host): \(reason)"
    case .cut(let host, let reason): "the connection to \(host) broke: \(reason)"
    case .limited(let host): "\(host) limits requests (status 429)"
    case .server(let status, let url): "\(Origin(url)?.host ?? url) answered with status \(status)"
    }
  }

  func final(attempts: Int) -> HubError {
    switch kind {
    case .unreachable(let host, let reason), .cut(let host, let reason):
      .connectionFailed(host: host, reason: reason, attempts: attempts)
    case .limited(let host):
      .rateLimited(host: host, attempts: attempts, retryAfterSeconds: retryAfter.map { Int($0.components.seconds) })
    case .server(let status, let url):
      .serverFailed(status: status, url: url, attempts: attempts)
    }
  }
}

/// Counts failures in a row and waits between them, longer each time.
struct Retries {
  private let policy: RetryPolicy
  private let onWait: (@Sendable (String) -> Void)?
  private var failures = 0

  init(_ configuration: HubConfiguration) {
    policy = configuration.retries
    onWait = configuration.onWait
  }

  /// Something came: the next failure is a first one again.
  mutating func reset() { failures = 0 }

  /// Waits before the next attempt.
  /// - Throws: the final `HubError` when there is none, `CancellationError` when cancelled meanwhile.
  mutating func pause(after failure: PassingFailure) async throws {
    failures += 1
    let limit = if case .unreachable = failure.kind { policy.connectionAttempts } else { policy.attempts }
    guard failures < limit else { throw failure.final(attempts: failures) }
    if let asked = failure.retryAfter {
      guard asked <= policy.longestRetryAfter else { throw failure.final(attempts: failures) }
      return try await wait(asked, failure)
    }
    let pause = min(policy.firstPause * (1 << min(failures - 1, 20)), policy.longestPause)
    // Many clients that were cut at once should not come back at once.
    try await wait(pause * Double.random(in: 0.75...1.25), failure)
  }

  private func wait(_ pause: Duration, _ failure: PassingFailure) async throws {
    onWait?("waiting \(Int((pause / .seconds(1)).rounded(.up))) s: \(failure.summary)")
    try await Task.sleep(for: pause)
  }

  /// Runs `operation` until it succeeds or fails for good.
  static func run<Result>(_ configuration: HubConfiguration, _ operation: () async throws -> Result) async throws -> Result {
    var retries = Retries(configuration)
    while true {
      do {
        return try await operation()
      } catch let failure as PassingFailure {
        try await retries.pause(after: failure)
      }
    }
  }
}

extension HubTransport.Response {
  /// Turns a status that is no success into what it means for the repository.
  /// - Parameters:
  ///   - file: the file asked for; nil for the repository's own description.
  func check(repository: String, revision: String, file: String? = nil, hasToken: Bool) throws {
    guard !(200..<300).contains(status) else { return }
    let host = Origin(url)?.host ?? url
    // Signed addresses of a storage carry secrets and a page of text: the path says enough.
    let shown = String(url.prefix { $0 != "?" })
    switch status {
    case 429:
      throw PassingFailure(kind: .limited(host: host), retryAfter: retryAfter)
    case 500...599, 408:
      throw PassingFailure(kind: .server(status: status, url: shown), retryAfter: retryAfter)
    case 401, 403, 404:
      // A storage that forbids has seen its signature expire: the hub signs a new one.
      if isRedirected { throw PassingFailure(kind: .server(status: status, url: shown)) }
    default:
      throw HubError.unexpectedStatus(status, url: shown)
    }
    switch (headers.first(name: "X-Error-Code"), status) {
    case ("GatedRepo", _): throw HubError.gated(repository, hasToken: hasToken)
    case ("RepoNotFound", _): throw HubError.repositoryNotFound(repository, hasToken: hasToken)
    case ("RevisionNotFound", _): throw HubError.revisionNotFound(revision, repository: repository)
    case ("EntryNotFound", _): throw HubError.fileNotFound(file ?? "", repository: repository)
    case (_, 401): throw HubError.unauthorized(repository, hasToken: hasToken)
    case (_, 403): throw HubError.forbidden(repository, hasToken: hasToken)
    default:
      guard let file else { throw HubError.repositoryNotFound(repository, hasToken: hasToken) }
      throw HubError.fileNotFound(file, repository: repository)
    }
  }

  /// Seconds, as the hub writes it; a date is left to the ordinary pauses.
  var retryAfter: Duration? {
    headers.first(name: "Retry-After").flatMap { Int($0) }.map { .seconds(min(max($0, 0), 1_000_000)) }
  }
}
