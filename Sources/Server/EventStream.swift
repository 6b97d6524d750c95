internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import SwiftletJSON

/// Server-sent events (WHATWG HTML, section 9.2).
struct EventStream {
  private var writer: any ResponseBodyWriter
  /// Since `keepAlive` was called.
  private var hasWritten = false

  private init(writer: any ResponseBodyWriter) { self.writer = writer }

  private mutating func write(_ text: String) async throws {
    hasWritten = true
    try await writer.write(ByteBuffer(string: text))
  }

  /// A response whose events `produce` writes.
  static func response(_ produce: @escaping @Sendable (inout EventStream) async throws -> Void) -> Response {
    var headers = HTTPFields()
    headers[.contentType] = "text/event-stream; charset=utf-8"
    headers[.cacheControl] = "no-cache"
    // Proxies such as nginx must not collect the events.
    if let name = HTTPField.Name("X-Accel-Buffering") { headers[name] = "no" }
    let body = ResponseBody { writer in
      var events = EventStream(writer: writer)
      try await produce(&events)
      try await writer.finish(nil)
    }
    return Response(status: .ok, headers: headers, body: body)
  }

  mutating func send(_ json: JSONValue) async throws {
    try await write("data: \(json.serialized())\n\n")
  }

  /// Sends an event that is called by its `type`, where it has one.
  mutating func sendNamed(_ json: JSONValue) async throws {
    let name = (json["type"]?.string).map { "event: \($0)\n" } ?? ""
    try await write("\(name)data: \(json.serialized())\n\n")
  }

  /// Runs `body`; of what goes wrong in it the client is told by an event, unless nobody reads any more.
  mutating func tellingErrors(
    _ record: RequestRecord, as json: (APIError) -> JSONValue = \.json, _ body: (inout EventStream) async throws -> Void
  ) async throws {
    do {
      try await body(&self)
    } catch  where error is AnswerRun.ClientGone || error is CancellationError {
      throw error
    } catch {
      record.note(error: "\(error)")
      try await sendNamed(json(APIError(error)))
    }
  }

  /// What OpenAI's clients take for the end.
  mutating func sendDone() async throws { try await write("data: [DONE]\n\n") }

  /// Sends a sign of life unless something was sent since the last call: tokens may come of which nothing is told yet.
  /// - Parameter event: nil for a comment, which clients ignore.
  mutating func keepAlive(by event: JSONValue? = nil) async throws {
    if !hasWritten {
      if let event { try await sendNamed(event) } else { try await write(": keep-alive\n\n") }
    }
    hasWritten = false
  }
}
