internal import HTTPTypes
internal import Hummingbird

/// Keeps web pages from using the server of whoever visits them.
///
/// A page may reach a server on the visitor's machine by letting its own name point there (DNS rebinding): then `Host` is the page's
/// name, so only known names are served. And a page may simply send requests to localhost: then the browser names the page in `Origin`,
/// so only the server's own pages and configured ones are served.
struct HostCheck: RouterMiddleware {
  typealias Context = ServerContext

  private let store: Store
  private let hosts: Set<String>
  private let origins: Set<String>

  init(_ configuration: ServerConfiguration, store: Store) {
    self.store = store
    hosts = Set((["localhost", "127.0.0.1", "[::1]"] + configuration.allowedHosts).map { $0.lowercased() })
    origins = Set(configuration.corsOrigins.map { $0.lowercased() })
  }

  func handle(
    _ request: Request, context: ServerContext, next: (Request, ServerContext) async throws -> Response
  ) async throws -> Response {
    let host = request.head.authority?.lowercased() ?? ""
    // Whoever has a key needs no page to lend it; without one, nothing but this keeps pages out.
    if !hosts.contains(Self.name(host)), try await store.recognize(nil) == .noKeys {
      throw APIError.forbidden(
        "Host: found '\(host.prefix(200))', expected localhost, 127.0.0.1, [::1] or a name that the server is told to allow "
          + "(--allowed-host)")
    }
    guard let origin = request.headers[.origin]?.lowercased() else { return try await next(request, context) }
    let isNamed = origins.contains(origin) || origins.contains("*")
    guard isNamed || origin == "http://" + host || origin == "https://" + host else {
      throw APIError.forbidden(
        "Origin: pages of '\(origin.prefix(200))' may not use this server, unless it is told to allow them (--cors-origin)")
    }
    guard isNamed else { return try await next(request, context) }
    if request.method == .options, request.headers[.accessControlRequestMethod] != nil {
      var headers = Self.headers(origin)
      headers[.accessControlAllowMethods] = Self.methods
      // Clients have headers of their own (`x-stainless-…`), so what is asked for is allowed.
      headers[.accessControlAllowHeaders] = request.headers[.accessControlRequestHeaders] ?? Self.requestHeaders
      headers[.accessControlMaxAge] = "600"
      return Response(status: .noContent, headers: headers)
    }
    var response: Response
    do {
      response = try await next(request, context)
    } catch let error where !(error is AnswerRun.ClientGone) {
      // The page shall be able to read what was wrong.
      response = RequestLog.response(error, request, context)
    }
    response.headers.append(contentsOf: Self.headers(origin))
    return response
  }

  /// Of all paths together; a path answers 404 to those that it does not have.
  private static let methods = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
  /// What a client says of itself and of its request, where it does not ask for more.
  private static let requestHeaders =
    "authorization, content-type, x-api-key, anthropic-version, anthropic-beta, anthropic-dangerous-direct-browser-access"
  /// What a page may read of an answer beside its body.
  private static let answerHeaders = "x-request-id, retry-after, content-disposition"

  private static func headers(_ origin: String) -> HTTPFields {
    var headers = HTTPFields()
    headers[.accessControlAllowOrigin] = origin
    headers[.accessControlExposeHeaders] = answerHeaders
    headers[.vary] = "Origin"
    return headers
  }

  /// The host without its port.
  static func name(_ host: String) -> String {
    if host.hasPrefix("[") { return host.firstIndex(of: "]").map { String(host[...$0]) } ?? host }
    return String(host.prefix { $0 != ":" })
  }
}
