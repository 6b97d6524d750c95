internal import HTTPTypes
internal import Hummingbird

/// Lets in who has a key, once there are keys; the database is asked each time, so that a key counts from the moment it is made to that
/// in which it is revoked.
struct KeyCheck: RouterMiddleware {
  typealias Context = ServerContext

  let store: Store
  let limiter: RateLimiter
  /// Whether nobody is let in while there are no keys: others than this machine can reach the server.
  let isReachable: Bool

  private static let apiKey = HTTPField.Name("x-api-key")

  func handle(
    _ request: Request, context: ServerContext, next: (Request, ServerContext) async throws -> Response
  ) async throws -> Response {
    let secret = Self.secret(request.headers)
    switch try await store.recognize(secret) {
    case .noKeys: if isReachable { throw APIError.unauthorized(Self.missing) }
    case .unknown: throw APIError.unauthorized(secret == nil ? Self.missing : "Incorrect API key provided.")
    case .key(let key):
      context.record.note(key: key)
      switch key.state {
      case .valid: break
      case .expired: throw APIError.unauthorized("The API key \(key.prefix)… has expired.")
      case .revoked: throw APIError.unauthorized("The API key \(key.prefix)… was revoked.")
      }
      if request.method == .post { try limiter.countRequest(key) }
    }
    return try await next(request, context)
  }

  private static let missing =
    "You didn't provide an API key. Send it in a header: Authorization: Bearer YOUR_KEY, or x-api-key: YOUR_KEY."

  private static func secret(_ headers: HTTPFields) -> String? {
    if let value = headers[.authorization] {
      let words = value.split(separator: " ", maxSplits: 1)
      if words.count == 2, words[0].lowercased() == "bearer" { return words[1].trimmingPrefix(" ").description }
    }
    return apiKey.flatMap { headers[$0] }
  }
}
