import NIOCore
import SwiftletJSON
import Testing

@testable import SwiftletServer

/// Clients that send or read too slowly hold nothing for ever.
@Suite struct SlowClientTests {
  private static let post = "POST /chat/completions HTTP/1.1\r\nHost: localhost\r\n"

  @Test func whoReadsNothingIsLetGo() async throws {
    try await TestServer.run(contextLength: 8000, change: { $0.idleTimeout = .milliseconds(500) }) { server async throws in
      // Some ten megabytes, more than the system takes for a client that does not read.
      let body = TestServer.chat(["max_tokens": 7500, "stream": true, "logprobs": true, "top_logprobs": 20]).serialized()
      let before = try #require(Metrics.residentBytes())
      try await server.raw(receiveBuffer: 4096) { _, outbound in
        try await outbound.write(ByteBuffer(string: "\(Self.post)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"))
        #expect(try await server.eventually { server.model.engine.load.active == 1 })
        // Nobody else waits for it.
        let other = try await server.post("/chat/completions", TestServer.chat(["stream": true]))
        #expect(other.status == 200 && other.text.hasSuffix("data: [DONE]\n\n"))
        #expect(try await server.eventually(seconds: 40) { try await server.responses(499) == 1 })
      }
      #expect(try await server.eventually { server.model.engine.load.active == 0 })
      let after = try #require(Metrics.residentBytes())
      #expect(after - before < 200 << 20, "\(after - before) bytes")
      #expect(try await server.post("/chat/completions", TestServer.chat()).status == 200)
    }
  }

  /// A whole chat takes much memory until it is read.
  @Test func whoReadsNoChatGetsNoMore() async throws {
    try await TestServer.run(change: { $0.chatLimits = ChatLimits(bytesPerChat: 25_000_000) }) { server async throws in
      // Of some megabytes the system and NIO take all, so that nobody waits for the client.
      let message: JSONValue = ["role": "user", "content": .string(String(repeating: "long ", count: 1_600_000))]
      #expect(try await server.send("PUT", "/api/chats/a1", Array("{}".utf8)).status == 200)
      for number in 1...3 {
        let path = "/api/chats/a1/messages/m\(number)"
        #expect(try await server.send("PUT", path, Array(message.serialized().utf8)).status == 200)
      }
      let (answers, answered) = AsyncStream.makeStream(of: String.self)
      try await withThrowingTaskGroup(of: Void.self) { group async throws in
        for _ in 0..<4 {
          group.addTask {
            try await server.raw(receiveBuffer: 4096) { inbound, outbound in
              try await outbound.write(ByteBuffer(string: "GET /api/chats/a1 HTTP/1.1\r\nHost: localhost\r\n\r\n"))
              let first = try #require(try await inbound.next())
              answered.yield(String(buffer: first))
              try await Task.sleep(for: .seconds(60))
            }
          }
        }
        for await answer in answers.prefix(4) { #expect(answer.hasPrefix("HTTP/1.1 200"), "\(answer)") }
        let refused = try await server.send("GET", "/api/chats/a1")
        #expect(refused.status == 429, "\(refused.text.prefix(300))")
        #expect(try await server.send("GET", "/api/chats").status == 200)
        group.cancelAll()
      }
      #expect(try await server.eventually(seconds: 20) { try await server.send("GET", "/api/chats/a1").status == 200 })
    }
  }

  @Test func roomIsSharedUnlessOneThingTakesItAll() throws {
    let limiter = RateLimiter()
    func room(_ what: String = "bytes") -> RateLimiter.Room { limiter.room(of: nil, for: what, limit: 10) }
    let large = room()
    try large.take(50)
    #expect(throws: APIError.self) { try room().take(1) }
    try room("others").take(1)
    large.leave()
    // What nobody has any more leaves its room.
    try room().take(10)
    let small = room()
    try small.take(6)
    try small.take(4)
    #expect(throws: APIError.self) { try room().take(1) }
    small.leave()
  }

  @Test func aBodyThatDripsIsGivenUp() async throws {
    try await TestServer.run(change: { $0.requestTimeout = .milliseconds(400) }) { server async throws in
      let (answer, time) = try await server.drip("\(Self.post)Content-Length: 500\r\n\r\n{", " ", count: 200)
      #expect(answer.isEmpty && time < .seconds(5), "\(answer) \(time)")
      #expect(try await server.eventually { try await server.responses(499) == 1 })
      // Nobody reads this one's body, so it is answered at once; that it never ends holds the connection no longer either.
      let head = "GET /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
      let (health, lasted) = try await server.drip(head, "1\r\na\r\n", count: 200)
      #expect(health.hasPrefix("HTTP/1.1 200") && lasted < .seconds(5), "\(health) \(lasted)")
      // A client that takes its time within the limit, on the same server.
      let quick = TestServer.chat().serialized()
      let (whole, _) = try await server.drip(
        "\(Self.post)Connection: close\r\nContent-Length: \(quick.utf8.count + 2)\r\n\r\n\(quick)", " ", count: 2)
      #expect(whole.hasPrefix("HTTP/1.1 200"), "\(whole)")
      #expect(try await server.responses(500) == 0)
    }
  }

  @Test func headersThatDripAreGivenUp() async throws {
    try await TestServer.run(change: { $0.idleTimeout = .milliseconds(400) }) { server async throws in
      let (answer, time) = try await server.drip("GET /health HTTP/1.1\r\nHost: localhost\r\n", "X: a\r\n", count: 90)
      #expect(!answer.hasPrefix("HTTP/1.1 200") && time < .seconds(3), "\(answer) \(time)")
      // The same behind a request that was answered.
      let first = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n"
      let (second, lasted) = try await server.drip(first, "X: a\r\n", count: 90)
      #expect(second.components(separatedBy: "HTTP/1.1 200").count == 2 && lasted < .seconds(3), "\(second) \(lasted)")
      #expect(try await server.send("GET", "/health").status == 200)
    }
  }

  @Test func halfABodyIsNoErrorOfTheServer() async throws {
    try await TestServer.run { server async throws in
      for path in ["POST /chat/completions", "POST /v1/messages", "PUT /api/chats/a1"] {
        // What came would do, if it were all.
        let body = path.hasPrefix("PUT") ? "{}" : TestServer.chat().serialized()
        try await server.raw { _, outbound in
          let head = "\(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count + 9)\r\n\r\n\(body)"
          try await outbound.write(ByteBuffer(string: head))
        }
      }
      #expect(try await server.eventually { try await server.responses(499) == 3 })
      #expect(try await server.responses(500) == 0)
      #expect(server.model.engine.load.active == 0)
      #expect(try await server.send("GET", "/api/chats/a1").status == 404)
    }
  }

  @Test func connectionsBeyondTheLimitWaitTheirTurn() async throws {
    try await TestServer.run(change: {
      $0.maximumConnections = 2
      $0.idleTimeout = .milliseconds(600)
    }) { server async throws in
      let request = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
      try await server.raw { inbound, outbound in
        try await outbound.write(ByteBuffer(string: request))
        #expect(try await inbound.next() != nil)
        try await server.raw { inbound, outbound in
          try await outbound.write(ByteBuffer(string: request))
          #expect(try await inbound.next() != nil)
          let start = ContinuousClock.now
          // Those who keep connections without using them make room.
          #expect(try await server.exchange(request).hasPrefix("HTTP/1.1 200"))
          #expect(start.duration(to: .now) > .milliseconds(200))
        }
      }
      #expect(try await server.send("GET", "/health").status == 200)
    }
  }
}
