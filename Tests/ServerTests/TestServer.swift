import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Swiftlet
import SwiftletJSON
import SwiftletTestSupport
import Synchronization

@testable import SwiftletServer

/// A server in this process with a tiny random model, spoken to over HTTP.
struct TestServer {
  let port: Int
  let model: LanguageModel
  let group: ServiceGroup
  let log: Log
  let store: Store

  var url: String { "http://127.0.0.1:\(port)" }

  /// What the server logged.
  final class Log: Sendable {
    private let state = Mutex<[(line: String, isOnEventLoop: Bool)]>([])

    var lines: [String] { state.withLock { $0.map(\.line) } }

    /// Those that a connection's thread wrote.
    var linesOfEventLoops: [String] { state.withLock { $0.filter(\.isOnEventLoop).map(\.line) } }

    func add(_ line: String) {
      let isOnEventLoop = MultiThreadedEventLoopGroup.currentEventLoop != nil
      state.withLock { $0.append((line, isOnEventLoop)) }
    }
  }

  private struct Recorder: LogHandler {
    let target: Log
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { target.add("\(event.level) \(event.message) \(event.metadata ?? [:])") }
  }

  /// Runs `body` beside a server of the model `tiny`, which is stopped then.
  /// - Parameter path: of another model than the tiny one.
  static func run<Value: Sendable>(
    model path: String? = nil, opensThought: Bool = false, hasTemplate: Bool = true, contextLength: Int? = nil,
    limits: EngineLimits = EngineLimits(),
    change: (inout ServerConfiguration) -> Void = { _ in }, _ body: @Sendable (TestServer) async throws -> Value
  ) async throws -> Value {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let tiny = try TinyModels.chat(
      in: folder.path, opensThought: opensThought, hasTemplate: hasTemplate, contextLength: contextLength)
    let model = try LanguageModel(path: path ?? tiny, threadCount: 2, limits: limits)
    var configuration = ServerConfiguration(port: 0, drainTimeout: .seconds(5))
    change(&configuration)
    let log = Log()
    let logger = Logger(label: "test") { _ in Recorder(target: log) }
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    let store = try Store(folder: folder.path + "/data")
    let server = try APIServer(
      models: [ServedModel(id: "tiny", model: model)], store: store, configuration: configuration, logger: logger
    ) { continuation.yield($0) }
    var quiet = logger
    quiet.logLevel = .critical
    let group = ServiceGroup(configuration: ServiceGroupConfiguration(services: [server], logger: quiet))
    return try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask {
        defer { continuation.finish() }
        try await group.run()
      }
      for await port in ports {
        let value = try await body(TestServer(port: port, model: model, group: group, log: log, store: store))
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
        return value
      }
      try await tasks.waitForAll()
      throw CancellationError()
    }
  }

  /// A response, read to its end.
  struct Answer {
    var status: Int
    var headers: [(String, String)]
    var body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
    var json: JSONValue { get throws { try JSONValue(parsing: body) } }
    /// The JSON of every event of a stream.
    var events: [JSONValue] {
      get throws {
        let data = text.split(separator: "\n").filter { $0.hasPrefix("data: ") && $0 != "data: [DONE]" }
        return try data.map { try JSONValue(parsing: String($0.dropFirst(6))) }
      }
    }

    func header(_ name: String) -> String? { headers.first { $0.0.lowercased() == name.lowercased() }?.1 }
  }

  func send(
    _ method: String = "POST", _ path: String, _ body: [UInt8]? = nil, headers: [String: String] = [:]
  ) async throws -> Answer {
    var request = HTTPClientRequest(url: url + path)
    request.method = .init(rawValue: method)
    for (name, value) in headers { request.headers.replaceOrAdd(name: name, value: value) }
    if let body { request.body = .bytes(ByteBuffer(bytes: body)) }
    let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
    let collected = try await response.body.collect(upTo: 64 << 20)
    return Answer(
      status: Int(response.status.code), headers: response.headers.map { ($0.name, $0.value) },
      body: Array(collected.readableBytesView))
  }

  func post(_ path: String, _ body: JSONValue, headers: [String: String] = [:]) async throws -> Answer {
    try await send("POST", path, Array(body.serialized().utf8), headers: headers)
  }

  /// A chat of one message with the tiny model, which never ends by itself.
  static func chat(_ more: JSONValue = .object([]), text: String = "Hi") -> JSONValue {
    let members: [JSONMember] = [
      JSONMember(key: "model", value: "tiny"),
      JSONMember(key: "messages", value: [["role": "user", "content": .string(text)]]),
      JSONMember(key: "max_tokens", value: 12), JSONMember(key: "temperature", value: 0),
      JSONMember(key: "logit_bias", value: .object([JSONMember(key: "\(TinyModels.endToken)", value: -100)])),
    ]
    return .object(members + (more.members ?? []))
  }

  /// Speaks to the server byte by byte.
  /// - Parameter receiveBuffer: bytes that the system takes for a client that does not read.
  func raw<Value: Sendable>(
    receiveBuffer: Int? = nil,
    _ body:
      @Sendable (inout NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator, NIOAsyncChannelOutboundWriter<ByteBuffer>)
      async throws -> Value
  ) async throws -> Value {
    var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    if let receiveBuffer { bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: .init(receiveBuffer)) }
    let channel = try await bootstrap.connect(host: "127.0.0.1", port: port) { channel in
      channel.eventLoop.makeCompletedFuture {
        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
      }
    }
    return try await channel.executeThenClose { inbound, outbound in
      var iterator = inbound.makeAsyncIterator()
      return try await body(&iterator, outbound)
    }
  }

  /// Sends bytes and returns what comes until the server closes, or one response without its body is there.
  func exchange(_ text: String) async throws -> String {
    try await raw { inbound, outbound in
      try await outbound.write(ByteBuffer(string: text))
      var answer = ""
      // A server that refuses may close before all is read.
      while let buffer = try? await inbound.next() {
        answer += String(buffer: buffer)
        if answer.contains("\r\n\r\n") { break }
      }
      return answer
    }
  }

  /// Sends up to `count` pieces with pauses, until the server closes the connection.
  /// - Returns: what came, and how long the connection lasted.
  func drip(_ start: String, _ piece: String, count: Int, pause: Duration = .milliseconds(50)) async throws -> (String, Duration)
  {
    try await raw { inbound, outbound in
      let begin = ContinuousClock.now
      let sending = Task {
        try await outbound.write(ByteBuffer(string: start))
        for _ in 0..<count {
          try await Task.sleep(for: pause)
          try await outbound.write(ByteBuffer(string: piece))
        }
      }
      defer { sending.cancel() }
      var answer = ""
      while let buffer = try? await inbound.next() { answer += String(buffer: buffer) }
      return (answer, begin.duration(to: .now))
    }
  }

  /// Waits until a condition holds.
  func eventually(seconds: Int = 4, _ condition: @Sendable () async throws -> Bool) async throws -> Bool {
    for _ in 0..<seconds * 100 {
      if try await condition() { return true }
      try await Task.sleep(for: .milliseconds(10))
    }
    return false
  }

  /// How many responses had a status.
  func responses(_ status: Int) async throws -> Int {
    Int(try await metric("swiftlet_responses_total{status=\"\(status)\"}") ?? 0)
  }

  func metric(_ name: String) async throws -> Double? {
    let line = try await send("GET", "/metrics").text.split(separator: "\n").first { $0.hasPrefix(name + " ") }
    return line?.split(separator: " ").last.flatMap { Double($0) }
  }
}
