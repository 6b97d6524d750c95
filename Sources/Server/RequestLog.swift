internal import GRDB
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore

extension Logger {
  /// Writes a line on another thread than a connection's, where answers are put together: standard error may be slow, and others wait
  /// for that thread too. Returns when the line is written.
  func logApart(_ level: Level, _ message: Message, _ metadata: Metadata) async {
    await Task { log(level: level, message, metadata: metadata) }.value
  }
}

/// The outermost layer: turns errors into responses, names each request, and tells log and metrics how it ended. No text of prompts or
/// answers is logged.
struct RequestLog: RouterMiddleware {
  typealias Context = ServerContext

  let metrics: Metrics
  let logger: Logger

  /// What nginx logs for a client that closed its connection.
  private static let clientGone = 499
  private static let requestID = HTTPField.Name("X-Request-Id")
  /// Where errors have Anthropic's shape.
  private static let anthropicPaths = Set(
    ["/messages", "/v1/messages", "/anthropic/v1/messages", "/v1/anthropic/v1/messages"].flatMap { [$0, $0 + "/count_tokens"] })

  func handle(
    _ request: Request, context: ServerContext, next: (Request, ServerContext) async throws -> Response
  ) async throws -> Response {
    context.record.note(endpoint: request.uri.path.replacing(/^\/v1(?=\/)/, with: ""))
    var response: Response
    do {
      response = try await next(request, context)
    } catch is AnswerRun.ClientGone {
      // Nobody reads it.
      metrics.add(.disconnects)
      response = Response(status: .init(code: Self.clientGone))
    } catch {
      response = Self.response(error, request, context)
    }
    if let name = Self.requestID { response.headers[name] = "req_" + context.record.id }
    // What stood behind these headers would be read as the next answer (RFC 9110, section 9.3.2).
    if request.method == .head { response = response.createHeadResponse() }
    if response.body.contentLength != nil {
      note(request, context, status: response.status.code)
      return response
    }
    let body = response.body, status = response.status.code
    response.body = ResponseBody { writer in
      do {
        try await body.write(writer)
        if context.record.error != nil { metrics.add(.failures) }
        note(request, context, status: status)
      } catch {
        metrics.add(.disconnects)
        note(request, context, status: Self.clientGone)
        throw error
      }
    }
    return response
  }

  /// What a request is answered that failed.
  static func response(_ error: any Error, _ request: Request, _ context: ServerContext) -> Response {
    let failure: APIError
    switch error {
    case let error as HTTPError where error.status == .notFound:
      failure = .notFound("There is no \(request.method) \(request.uri.path.prefix(200)) here.")
    case let error as HTTPError:
      failure = APIError(
        status: error.status.code, type: "invalid_request_error", message: error.body ?? error.status.reasonPhrase)
    default: failure = APIError(error)
    }
    // The client is not told of the database's statements; GRDB leaves their values out.
    context.record.note(error: error is DatabaseError ? "\(error)" : failure.message)
    let isAnthropic = Self.anthropicPaths.contains(request.uri.path)
    var response = API.response(isAnthropic ? failure.anthropicJSON : failure.json, status: failure.status)
    // What the client still sends is not read to its end.
    if failure.status == 413 { response.headers[.connection] = "close" }
    if failure.status == 401 { response.headers[.wwwAuthenticate] = "Bearer" }
    if let seconds = failure.retryAfter { response.headers[.retryAfter] = "\(seconds)" }
    return response
  }

  private func note(_ request: Request, _ context: ServerContext, status: Int) {
    let record = context.record
    let seconds = record.start.duration(to: .now) / .seconds(1)
    metrics.addResponse(status: status)
    var metadata: Logger.Metadata = [
      "request_id": "req_\(record.id)", "method": "\(request.method)", "path": "\(request.uri.path.prefix(200))",
      "status": .stringConvertible(status), "seconds": .stringConvertible((seconds * 1e6).rounded() / 1e6),
    ]
    if let key = record.key { metadata["key"] = "\(key.id)" }
    if let model = record.model { metadata["model"] = "\(model)" }
    if let usage = record.usage {
      metrics.observe(.request, seconds)
      metrics.add(.promptTokens, usage.donePromptTokens)
      metrics.add(.cachedTokens, usage.cachedTokens)
      metrics.add(.completionTokens, usage.completionTokens)
      metadata["prompt_tokens"] = .stringConvertible(usage.promptTokens)
      metadata["cached_tokens"] = .stringConvertible(usage.cachedTokens)
      metadata["completion_tokens"] = .stringConvertible(usage.completionTokens)
    }
    if let reason = record.finishReason { metadata["finish_reason"] = "\(reason)" }
    // Messages of errors may quote what was found in the request, but only of fields that are no text of the conversation.
    if let error = record.error { metadata["error"] = "\(error)" }
    let hasFailed = status >= 500 || (status < 400 && record.error != nil)
    logger.log(level: hasFailed ? .error : .info, "request", metadata: metadata)
  }
}
