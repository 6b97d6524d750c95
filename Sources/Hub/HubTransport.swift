import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// GET requests to the hub and to where it redirects.
struct HubTransport: Sendable {
  let configuration: HubConfiguration
  private let direct: HTTPClient
  /// By way of the proxy; nil when there is none.
  private let proxied: HTTPClient?

  struct Response {
    var status: Int
    var headers: HTTPHeaders
    /// The headers of the hub's own answer, which describes the file that a redirect leads to.
    var hubHeaders: HTTPHeaders
    var body: HTTPClientResponse.Body
    var url: String
    /// The answer is not the hub's but that of a storage it redirected to.
    var isRedirected: Bool
  }

  /// Opens connections for as long as `body` runs.
  static func with<Result: Sendable>(
    _ configuration: HubConfiguration, _ body: @Sendable (HubTransport) async throws -> Result
  ) async throws -> Result {
    guard Origin(configuration.endpoint) != nil else { throw HubError.invalidEndpoint(configuration.endpoint) }
    var settings = HTTPClient.Configuration(
      redirectConfiguration: .disallow,
      timeout: .init(
        connect: .init(configuration.connectTimeout), read: .init(configuration.readTimeout)))
    settings.connectionPool.retryConnectionEstablishment = false
    // One large body at a time: HTTP/2 would only add its flow control.
    settings.httpVersion = .http1Only
    let proxy = try configuration.proxies.proxy
    return try await HTTPClient.withHTTPClient(configuration: settings) { [settings] direct in
      guard let proxy else { return try await body(HubTransport(configuration: configuration, direct: direct, proxied: nil)) }
      var settings = settings
      settings.proxy = proxy
      return try await HTTPClient.withHTTPClient(configuration: settings) { proxied in
        try await body(HubTransport(configuration: configuration, direct: direct, proxied: proxied))
      }
    }
  }

  /// One GET with its redirects.
  /// - Throws: `PassingFailure` for what may go away by itself, `HubError` or `CancellationError` otherwise. A status of 400 and more
  ///   is no error here.
  func get(_ url: String, headers: HTTPHeaders = [:]) async throws -> Response {
    guard let home = Origin(configuration.endpoint), let start = URL(string: url) else {
      throw HubError.invalidEndpoint(configuration.endpoint)
    }
    var target = start
    var hubHeaders: HTTPHeaders?
    for _ in 0..<10 {
      guard let origin = Origin(target.absoluteString) else {
        throw HubError.malformedResponse(url: url, reason: "a redirect to '\(target.absoluteString.prefix(200))'")
      }
      // The token is the hub's alone. A step down from TLS is refused, since the next answer could be anybody's.
      guard origin.isSecure || !home.isSecure else {
        throw HubError.malformedResponse(url: url, reason: "a redirect from https to http")
      }
      var request = HTTPClientRequest(url: target.absoluteString)
      request.headers = headers
      request.headers.add(name: "User-Agent", value: "swiftlet")
      request.headers.add(name: "Accept-Encoding", value: "identity")
      if origin == home, let token = configuration.token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
      let response = try await execute(request, origin)
      if origin == home, response.headers.contains(name: "X-Repo-Commit") { hubHeaders = response.headers }
      let status = Int(response.status.code)
      guard [301, 302, 303, 307, 308].contains(status) else {
        return Response(
          status: status, headers: response.headers, hubHeaders: hubHeaders ?? response.headers, body: response.body,
          url: target.absoluteString, isRedirected: origin != home)
      }
      guard let location = response.headers.first(name: "Location"), let next = URL(string: location, relativeTo: target) else {
        throw HubError.malformedResponse(url: url, reason: "a redirect without a Location")
      }
      await Self.drain(response.body)
      target = next.absoluteURL
    }
    throw HubError.malformedResponse(url: url, reason: "more than 10 redirects")
  }

  /// Reads what a redirect says, so that its connection can serve again; one that says much, or says it slowly, is closed.
  private static func drain(_ body: HTTPClientResponse.Body) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { _ = try? await body.collect(upTo: 1 << 16) }
      group.addTask { try? await Task.sleep(for: .seconds(1)) }
      await group.next()
      group.cancelAll()
    }
  }

  private func execute(_ request: HTTPClientRequest, _ origin: Origin) async throws -> HTTPClientResponse {
    let client = configuration.proxies.excludes(origin) ? direct : proxied ?? direct
    do {
      return try await client.execute(request, deadline: .distantFuture)
    } catch {
      try Task.checkCancellation()
      throw PassingFailure.connection(host: origin.host, error)
    }
  }
}

/// Scheme, host and port: the ones to which a token may be sent.
package struct Origin: Equatable {
  package let isSecure: Bool
  package let host: String
  let port: Int

  package init?(_ address: String) {
    guard let url = URL(string: address), let host = url.host, !host.isEmpty else { return nil }
    switch url.scheme?.lowercased() {
    case "https": isSecure = true
    case "http": isSecure = false
    default: return nil
    }
    self.host = host.lowercased()
    port = url.port ?? (isSecure ? 443 : 80)
  }
}

extension TimeAmount {
  init(_ duration: Duration) {
    self = .milliseconds(Int64(duration.components.seconds) * 1000 + duration.components.attoseconds / 1_000_000_000_000_000)
  }
}
