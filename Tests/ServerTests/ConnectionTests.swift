import Foundation
import NIOCore
import Swiftlet
import SwiftletJSON
import SwiftletTestSupport
import Testing

@testable import SwiftletServer

/// Clients that do not behave, and those that are not let in.
@Suite struct ConnectionTests {
  private static func head(_ body: String, length: Int? = nil, path: String = "/chat/completions") -> String {
    "POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(length ?? body.utf8.count)\r\n\r\n\(body)"
  }

  private static let long = TestServer.chat(["max_tokens": 3500, "stream": true]).serialized()

  @Test func aClientThatGoesEndsItsGeneration() async throws {
    try await TestServer.run(contextLength: 4000) { server async throws in
      try await server.raw { inbound, outbound in
        try await outbound.write(ByteBuffer(string: Self.head(Self.long)))
        var text = ""
        while !text.contains("delta"), let buffer = try await inbound.next() { text += String(buffer: buffer) }
        #expect(try await server.eventually { server.model.engine.load.active == 1 })
      }
      #expect(try await server.eventually { server.model.engine.load.active == 0 })
      #expect(try await server.eventually { try await server.metric("swiftlet_client_disconnects_total") == 1 })
      let tokens = try await server.metric("swiftlet_completion_tokens_total") ?? 0
      #expect(tokens < 3400)
      // One that waits for the whole, and one that waits for its turn.
      try await server.raw { _, outbound in
        try await outbound.write(ByteBuffer(string: Self.head(TestServer.chat(["max_tokens": 3500]).serialized())))
        #expect(try await server.eventually { server.model.engine.load.active == 1 })
      }
      #expect(try await server.eventually { server.model.engine.load.active == 0 })
    }
  }

  @Test func aWaitingClientThatGoesLeavesTheQueue() async throws {
    try await TestServer.run(contextLength: 4000, limits: EngineLimits(maximumSequences: 1)) { server async throws in
      try await server.raw { _, outbound in
        try await outbound.write(ByteBuffer(string: Self.head(Self.long)))
        #expect(try await server.eventually { server.model.engine.load.active == 1 })
        try await server.raw { _, outbound in
          try await outbound.write(ByteBuffer(string: Self.head(Self.long)))
          #expect(try await server.eventually { server.model.engine.load.waiting == 1 })
        }
        #expect(try await server.eventually { server.model.engine.load.waiting == 0 })
        #expect(server.model.engine.load.active == 1)
        // Nothing of its prompt was computed.
        #expect(try await server.eventually { try await server.metric("swiftlet_request_seconds_count") == 1 })
        #expect(try await server.metric("swiftlet_prompt_tokens_total") == 0)
      }
    }
  }

  @Test func whoDoesNotReadStopsNobody() async throws {
    try await TestServer.run(contextLength: 4000) { server async throws in
      try await server.raw { _, outbound in
        try await outbound.write(ByteBuffer(string: Self.head(Self.long)))
        #expect(try await server.eventually { server.model.engine.load.active == 1 })
        #expect(try await server.post("/chat/completions", TestServer.chat()).status == 200)
      }
    }
  }

  @Test func halfABodyIsGivenUp() async throws {
    try await TestServer.run(change: { $0.idleTimeout = .milliseconds(300) }) { server async throws in
      let rest = try await server.raw { inbound, outbound in
        try await outbound.write(ByteBuffer(string: Self.head(#"{"model": "#, length: 500)))
        var text = ""
        while let buffer = try await inbound.next() { text += String(buffer: buffer) }
        return text
      }
      #expect(!rest.hasPrefix("HTTP/1.1 200"))
      #expect(try await server.post("/chat/completions", TestServer.chat()).status == 200)
    }
  }

  @Test func headersHaveLimits() async throws {
    try await TestServer.run { server async throws in
      let long = "GET /health HTTP/1.1\r\nHost: localhost\r\nX: \(String(repeating: "a", count: 40_000))\r\n\r\n"
      #expect(try await !server.exchange(long).hasPrefix("HTTP/1.1 200"))
      let many = (0..<200).map { "X-\($0): a\r\n" }.joined()
      #expect(try await !server.exchange("GET /health HTTP/1.1\r\nHost: localhost\r\n\(many)\r\n").hasPrefix("HTTP/1.1 200"))
      #expect(try await !server.exchange("nonsense\r\n\r\n").hasPrefix("HTTP/1.1 200"))
      #expect(try await server.exchange("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").hasPrefix("HTTP/1.1 200"))
    }
  }

  @Test func whoAsksFirstIsToldToSendItsBody() async throws {
    try await TestServer.run { server async throws in
      let body = TestServer.chat().serialized()
      let head = "POST /chat/completions HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: "
      let answer = try await server.raw { inbound, outbound in
        try await outbound.write(ByteBuffer(string: "\(head)\(body.utf8.count)\r\n\r\n"))
        let first = try await inbound.next().map { String(buffer: $0) } ?? ""
        #expect(first == "HTTP/1.1 100 Continue\r\n\r\n")
        try await outbound.write(ByteBuffer(string: body))
        return try await inbound.next().map { String(buffer: $0) } ?? ""
      }
      #expect(answer.hasPrefix("HTTP/1.1 200 "), "\(answer)")
      // Of a body that is refused nothing need be sent.
      #expect(try await server.exchange("\(head)99999999\r\n\r\n").hasPrefix("HTTP/1.1 413 "))
    }
  }

  @Test func connectionsEndWhereClientsWaitForIt() async throws {
    try await TestServer.run { server async throws in
      func exchange(_ text: String) async throws -> String {
        // Silence would end the connection as well, later.
        let (answer, time) = try await server.drip(text, "", count: 0)
        #expect(time < .seconds(30), "\(text)")
        return answer
      }
      let old = try await exchange("GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
      #expect(old.hasPrefix("HTTP/1.0 200 ") && old.hasSuffix(#"{"status":"ok"}"#), "\(old)")
      let body = TestServer.chat(["stream": true]).serialized()
      let rest = "Host: localhost\r\nConnection: keep-alive\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
      let stream = try await exchange("POST /chat/completions HTTP/1.0\r\n\(rest)")
      #expect(!stream.lowercased().contains("transfer-encoding") && stream.hasSuffix("data: [DONE]\n\n"), "\(stream)")
      for word in ["close", "Close", "TE, close"] {
        let answer = try await exchange("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: \(word)\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 200 "), "\(answer)")
      }
    }
  }

  @Test func headHasNoBody() async throws {
    try await TestServer.run { server async throws in
      let paths = [
        ("/health", 200), ("/v1/models/tiny", 200), ("/metrics", 200), ("/", 200), ("/nothing", 404),
        ("/v1/chat/completions", 404),
      ]
      let asked =
        paths.map { "HEAD \($0.0) HTTP/1.1\r\nHost: localhost\r\n\r\n" }.joined()
        + "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
      let answers = try await server.raw { inbound, outbound in
        try await outbound.write(ByteBuffer(string: asked))
        var text = ""
        while let buffer = try await inbound.next() { text += String(buffer: buffer) }
        return text
      }
      // Each begins where the headers of the one before it end.
      let heads = answers.components(separatedBy: "\r\n\r\n")
      #expect(heads.count == paths.count + 2 && heads.last == #"{"status":"ok"}"#, "\(answers)")
      for (head, (path, status)) in zip(heads, paths) {
        #expect(head.hasPrefix("HTTP/1.1 \(status) ") && head.lowercased().contains("\r\ncontent-length: "), "\(path): \(head)")
      }
    }
  }

  @Test func onlyKnownNamesAndPagesAreServed() async throws {
    try await TestServer.run(change: {
      $0.allowedHosts = ["models.example"]
      $0.corsOrigins = ["https://good.example"]
    }) { server async throws in
      func status(host: String?, origin: String? = nil) async throws -> Int? {
        let lines = (host.map { "Host: \($0)\r\n" } ?? "") + (origin.map { "Origin: \($0)\r\n" } ?? "")
        let answer = try await server.exchange("GET /health HTTP/1.1\r\n\(lines)\r\n")
        return answer.split(separator: " ").dropFirst().first.flatMap { Int($0) }
      }
      for host in ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:\(server.port)", "[::1]:80", "models.example:443"] {
        #expect(try await status(host: host) == 200, "\(host)")
      }
      for host in ["evil.example", "localhost.evil.example", "127.0.0.2", "[::2]", "127.0.0.1.evil.example"] {
        #expect(try await status(host: host) == 403, "\(host)")
      }
      #expect(try await status(host: nil) != 200)
      for origin in ["https://evil.example", "null", "http://localhost:9", "https://good.example.evil"] {
        #expect(try await status(host: "localhost", origin: origin) == 403, "\(origin)")
      }
      #expect(try await status(host: "localhost:80", origin: "http://localhost:80") == 200)
      let allowed = try await server.send("GET", "/nothing", headers: ["Origin": "https://good.example"])
      #expect(allowed.header("access-control-allow-origin") == "https://good.example")
      #expect(allowed.header("access-control-expose-headers")?.contains("retry-after") == true)
      let paths = [("POST", "/chat/completions"), ("PUT", "/api/chats/a1"), ("DELETE", "/api/chats/a1"), ("GET", "/models")]
      for (method, path) in paths {
        let asked = ["Origin": "https://good.example", "Access-Control-Request-Method": method]
        let preflight = try await server.send("OPTIONS", path, headers: asked)
        #expect(preflight.status == 204 && preflight.header("access-control-allow-methods")?.contains(method) == true)
        let headers = preflight.header("access-control-allow-headers") ?? ""
        for name in ["authorization", "content-type", "x-api-key", "anthropic-version"] { #expect(headers.contains(name)) }
        // Clients have headers of their own.
        let more = asked.merging(["Access-Control-Request-Headers": "x-stainless-lang"]) { $1 }
        let other = try await server.send("OPTIONS", path, headers: more)
        #expect(other.header("access-control-allow-headers") == "x-stainless-lang")
      }
      // Nobody is told of other origins unless one is named.
      #expect(try await server.send("GET", "/health").header("access-control-allow-origin") == nil)
    }
  }

  @Test func openAddressesAreRefused() async throws {
    let error = await #expect(throws: ServerError.self) { try await TestServer.run(change: { $0.host = "0.0.0.0" }) { _ in } }
    #expect(error == .openAddress("0.0.0.0"))
  }

  @Test func aPortThatIsTakenIsNamed() async throws {
    try await TestServer.run { server async throws in
      let error = await #expect(throws: ServerError.self) {
        try await TestServer.run(change: { $0.port = server.port }) { _ in }
      }
      #expect(error == .cannotListen(host: "127.0.0.1", port: server.port, reason: String(cString: strerror(EADDRINUSE))))
    }
  }

  @Test func namesThatNoRequestHasAreRefused() throws {
    for host in ["", "a b", "http://example.org", "example.org:8080", "example.org/x"] {
      #expect(throws: ServerError.notAHost(host)) { try ServerConfiguration(allowedHosts: [host]).check() }
    }
    for origin in [
      "", "example.org", "https://", "https://example.org/", "https://example.org/a", "https://a b", "*.example.org",
    ] {
      #expect(throws: ServerError.notAnOrigin(origin)) { try ServerConfiguration(corsOrigins: [origin]).check() }
    }
    let origins = ["*", "null", "https://example.org", "http://[::1]:8080", "chrome-extension://abc"]
    try ServerConfiguration(allowedHosts: ["example.org", "[fd00::1]"], corsOrigins: origins).check()
  }

  @Test func aFullQueueSaysWhenToComeAgain() async throws {
    let limits = EngineLimits(maximumSequences: 1, maximumWaiting: 0)
    try await TestServer.run(contextLength: 4000, limits: limits) { server async throws in
      try await server.raw { _, outbound in
        try await outbound.write(ByteBuffer(string: Self.head(Self.long)))
        #expect(try await server.eventually { server.model.engine.load.active == 1 })
        let answer = try await server.post("/chat/completions", TestServer.chat())
        #expect(answer.status == 503 && answer.header("retry-after").flatMap { Int($0) } ?? 0 >= 1)
      }
    }
  }

  @Test func stoppingCutsWhatTakesTooLong() async throws {
    let answer = try await TestServer.run(contextLength: 8000, change: { $0.drainTimeout = .milliseconds(100) }) {
      server async throws in
      async let stream = server.post("/chat/completions", TestServer.chat(["max_tokens": 7500, "stream": true]))
      #expect(try await server.eventually { server.model.engine.load.active == 1 })
      await server.group.triggerGracefulShutdown()
      return try await stream
    }
    #expect(answer.text.contains(#""finish_reason":"insufficient_system_resource""#) && answer.text.hasSuffix("data: [DONE]\n\n"))
  }

  @Test func logAndMetricsTellNoTexts() async throws {
    try await TestServer.run { server async throws in
      _ = try await server.post("/chat/completions", TestServer.chat(text: "secret"))
      _ = try await server.post("/chat/completions", TestServer.chat(["stream": true], text: "secret"))
      _ = try await server.post("/chat/completions", TestServer.chat(["temperature": 9], text: "secret"))
      #expect(try await server.eventually { server.log.lines.filter { $0.contains("request_id") }.count >= 3 })
      #expect(!server.log.lines.joined().contains("secret"))
      let text = try await server.send("GET", "/metrics").text
      #expect(text.contains("swiftlet_responses_total{status=\"200\"}") && text.contains("status=\"422\""))
      #expect(try await server.metric("swiftlet_completion_tokens_total") == 24)
      #expect(try await server.metric("swiftlet_time_to_first_token_seconds_count") == 2)
    }
  }
}
