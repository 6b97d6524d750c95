internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Swiftlet
internal import SwiftletGeneration
internal import SwiftletJSON

/// What all endpoints work with.
struct API: Sendable {
  let models: ServedModels
  let store: Store
  let configuration: ServerConfiguration
  let metrics: Metrics
  let history = LoadHistory()
  let searches = SearchTurns()
  let lifecycle: Lifecycle
  let limiter: RateLimiter
  let ledger: Ledger
  let alarm: ExtractionAlarm
  let logger: Logger

  /// Bodies of the largest size that are read at once of a key: what is made of them takes several times as much memory.
  private static let bodiesAtOnce = 4

  /// What `make` makes of a request's body, which is JSON, on a thread of its own.
  func read<Value: Sendable>(
    _ request: Request, _ context: ServerContext, _ make: @escaping @Sendable (JSONValue) throws -> Value
  ) async throws -> Value {
    let limit = configuration.maximumBodyBytes
    if let encoding = request.headers[.contentEncoding], encoding.lowercased() != "identity" {
      throw APIError.malformed(
        "Content-Encoding: found '\(encoding.prefix(40))', but bodies are read as they are; send this one without")
    }
    if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit { throw tooLarge(context) }
    let room = limiter.room(
      of: context.record.key, for: "bytes of requests that are read at once", limit: Self.bodiesAtOnce * limit)
    defer { room.leave() }
    let body = try await bytes(request, context, room, limit: limit)
    return try await Self.apart { try make(JSONValue(parsing: body)) }
  }

  private func bytes(
    _ request: Request, _ context: ServerContext, _ room: RateLimiter.Room, limit: Int
  ) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    // Who asks first sends nothing before this is said (RFC 9110, section 10.1.1).
    if request.headers[.expect]?.lowercased() == "100-continue" {
      try? await context.channel.writeAndFlush(HTTPConnectionStateHandler.OutboundOut.head(HTTPResponse(status: .continue)))
    }
    do {
      for try await buffer in request.body {
        guard bytes.count + buffer.readableBytes <= limit else { throw tooLarge(context) }
        try room.take(buffer.readableBytes)
        bytes.append(contentsOf: buffer.readableBytesView)
      }
    } catch let error as APIError {
      throw error
    } catch {
      // The client went before its request was whole, or what it sends is no HTTP.
      if await ClientWatch.gone(context.channel).isRaised { throw AnswerRun.ClientGone() }
      throw APIError.malformed("the body is not sent as HTTP/1.1 has it: \(error)")
    }
    return bytes
  }

  /// What is still sent of a body that is too large is read and forgotten for a moment, so that the client sees the answer.
  private func tooLarge(_ context: ServerContext) -> APIError {
    let channel = context.channel
    channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
    return .tooLarge(limit: configuration.maximumBodyBytes)
  }

  /// Runs work that takes the processor for a while, such as tokenizing, on threads of its own, not on Swift's cooperative pool.
  static func apart<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await NIOThreadPool.singleton.runIfActive(body)
  }

  /// Hands requests to the engine.
  /// - Throws: `APIError` when one of them cannot be served, the key may not have it, or the server is stopping.
  func start(
    _ requests: [GenerationRequest], _ served: ServedModel, _ context: ServerContext
  ) async throws(APIError) -> AnswerRun {
    guard !lifecycle.isDraining else { throw .draining }
    let record = context.record, key = record.key
    let prices = try checkedPrices(served, key)
    try await checkPolicy(requests, served)
    if key != nil { try await checkLedger() }
    let prompts = requests.filter { $0.options.sampleIndex == 0 }.map(\.prompt)
    let promptTokens = prompts.reduce(0) { $0 + $1.count }
    let admission: RateLimiter.Admission? = if let key { try limiter.admit(key, tokens: promptTokens) } else { nil }
    let client = await ClientWatch.gone(context.channel)
    var streams: [GenerationStream] = []
    for request in requests {
      do throws(GenerationError) {
        var request = request
        request.tenant = key?.tenant ?? 0
        streams.append(try served.model.engine.generate(request))
      } catch {
        admission?.takeBack()
        throw APIError(error, retryAfter: retryAfter(served))
      }
    }
    if let key { await alarm.count(key: key.id, prompts: prompts, tokens: promptTokens) }
    let entry = UsageEntry(
      request: "req_" + record.id, key: key?.id, time: record.time, model: served.id, endpoint: record.endpoint,
      usage: Usage(promptTokens: 0, choices: []), charge: .zero)
    let meter = RequestMeter(entry: entry, requests: requests, prices: prices, admission: admission, ledger: ledger, alarm: alarm)
    return AnswerRun(
      streams: streams, meter: meter, rules: configuration.policy.answerRules, client: client, cut: lifecycle.cut,
      idleInterval: configuration.keepAliveInterval, metrics: metrics,
      onDenial: { [self] in await noteDenial($0, of: "answer") }, start: record.start,
      executor: EventLoopExecutor(context.channel.eventLoop))
  }

  /// - Throws: `APIError` when it could not be written down what a key uses.
  private func checkLedger() async throws(APIError) {
    do { try await ledger.check() } catch { throw APIError(error) }
  }

  /// About as long as the waiting requests take.
  private func retryAfter(_ served: ServedModel) -> Int {
    let load = served.model.engine.load
    let seconds = (metrics.meanRequestSeconds ?? 1) * Double(load.waiting + 1) / Double(max(1, load.active))
    return Int(min(60, max(1, seconds.rounded(.up))))
  }

  // MARK: Answers

  static func response(_ json: JSONValue, status: Int = 200) -> Response {
    var headers = HTTPFields()
    headers[.contentType] = "application/json"
    let buffer = ByteBuffer(string: json.serialized())
    return Response(status: .init(code: status), headers: headers, body: ResponseBody(byteBuffer: buffer))
  }

  private enum Outcome: Sendable {
    case idle
    case done(JSONValue)
    case failed(any Error)
  }

  /// An answer that is sent when it is whole. When it takes long, the status and blank lines are sent before, so that nobody on the
  /// way believes the connection dead.
  /// - Parameter make: makes the answer; calls its argument now and then while it does.
  func whole(
    _ context: ServerContext, errors: @escaping @Sendable (APIError) -> JSONValue = \.json,
    _ make: @escaping @Sendable (_ idle: @Sendable () -> Void) async throws -> JSONValue
  ) async throws -> Response {
    let (outcomes, continuation) = AsyncStream.makeStream(of: Outcome.self)
    let task = Task {
      do {
        continuation.yield(.done(try await make { continuation.yield(.idle) }))
      } catch {
        continuation.yield(.failed(error))
      }
      continuation.finish()
    }
    continuation.onTermination = { _ in task.cancel() }
    for await outcome in outcomes {
      switch outcome {
      case .done(let json): return Self.response(json)
      case .failed(let error): throw error
      case .idle:
        var headers = HTTPFields()
        headers[.contentType] = "application/json"
        let body = ResponseBody { writer in
          try await writer.write(ByteBuffer(string: "\n"))
          for await outcome in outcomes {
            switch outcome {
            case .idle: try await writer.write(ByteBuffer(string: "\n"))
            case .done(let json): try await writer.write(ByteBuffer(string: json.serialized()))
            case .failed(let error):
              if error is AnswerRun.ClientGone { throw error }
              context.record.note(error: "\(error)")
              try await writer.write(ByteBuffer(string: errors(APIError(error)).serialized()))
            }
          }
          try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: body)
      }
    }
    throw CancellationError()
  }
}
