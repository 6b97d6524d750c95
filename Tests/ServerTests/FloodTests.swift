import Foundation
import NIOCore
import SwiftletJSON
import Testing

@testable import SwiftletServer

/// Requests that are far too large.
@Suite struct FloodTests {
  @Test func headersThatAreTooManyOrTooLongAreRefused() async throws {
    try await TestServer.run { server async throws in
      let start = "GET /health HTTP/1.1\r\nHost: localhost\r\n", megabyte = String(repeating: "a", count: 1 << 20)
      let many = (0..<10_000).map { "X-\($0): a\r\n" }.joined()
      let trailers = "GET /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\(many)\r\n"
      for (name, text) in [
        ("many", "\(start)\(many)\r\n"), ("long", "\(start)X: \(megabyte)\r\n\r\n"), ("name", "\(start)\(megabyte): a\r\n\r\n"),
        ("endless", "\(start)X: \(megabyte)"), ("address", "GET /\(megabyte) HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("method", megabyte),
      ] {
        #expect(try await server.exchange(text).hasPrefix("HTTP/1.1 400"), "\(name)")
      }
      _ = try await server.exchange(trailers)
      #expect(try await server.send("GET", "/health").status == 200)
      #expect(try await server.responses(500) == 0)
    }
  }

  @Test func aLargeBodyIsRefusedByItsLength() async throws {
    try await TestServer.run { server async throws in
      for path in ["POST /chat/completions", "POST /v1/messages", "POST /tokenize", "PUT /api/chats/a1"] {
        let head = "\(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(100 << 20)\r\n\r\n"
        // Nothing of the body is waited for, and the connection ends.
        let answer = try await server.raw { inbound, outbound in
          try await outbound.write(ByteBuffer(string: head))
          var answer = ""
          while let buffer = try? await inbound.next() { answer += String(buffer: buffer) }
          return answer
        }
        #expect(answer.hasPrefix("HTTP/1.1 413") && answer.contains("16777216 bytes"), "\(path): \(answer)")
      }
    }
  }

  @Test func textsOfVeryManyTokensAreRefused() async throws {
    try await TestServer.run { server async throws in
      let text = JSONValue.string(String(repeating: "a ", count: 500_001))
      let answer = try await server.post("/tokenize", ["content": text, "with_pieces": true])
      #expect(answer.status == 413 && answer.text.contains("1000002 tokens"), "\(answer.text.prefix(200))")
      #expect(try await server.post("/tokenize", ["content": "a b", "with_pieces": true]).json["tokens"]?.elements?.count == 3)
      let tokens = JSONValue.array(Array(repeating: 97, count: 1_000_001))
      #expect(try await server.post("/detokenize", ["tokens": tokens]).status == 413)
    }
  }

  /// Several times the memory of a body is taken while it becomes a request.
  @Test func manyLargeBodiesAtOnceAreRefused() async throws {
    try await TestServer.run(change: { $0.maximumBodyBytes = 1 << 20 }) { server async throws in
      let large: JSONValue = ["content": "a", "ignored": .string(String(repeating: " ", count: 300_000))]
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<4 {
          group.addTask {
            // One that is refused, since the request below was there at the time, comes again.
            while !Task.isCancelled {
              try? await server.raw { inbound, outbound in
                let head = "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(1 << 20)\r\n\r\n"
                try await outbound.write(ByteBuffer(string: head + String(repeating: " ", count: 1_000_000)))
                // It never becomes whole.
                _ = try await inbound.next()
              }
            }
          }
        }
        #expect(try await server.eventually(seconds: 40) { try await server.post("/tokenize", large).status == 429 })
        let refusal = try await server.post("/tokenize", large)
        #expect(refusal.header("Retry-After") == "1" && refusal.text.contains("4194304"))
        #expect(try await server.post("/tokenize", ["content": "a"]).status == 200)
        group.cancelAll()
      }
      // Who has gone leaves room.
      #expect(try await server.eventually { try await server.post("/tokenize", large).status == 200 })
    }
  }

  @Test func aLargeBodyWithoutALengthIsNotKept() async throws {
    try await TestServer.run(change: { $0.maximumBodyBytes = 1 << 20 }) { server async throws in
      let before = try #require(Metrics.residentBytes())
      let (answer, most) = try await server.raw { inbound, outbound in
        let sending = Task {
          let chunk = ByteBuffer(string: "10000\r\n" + String(repeating: " ", count: 1 << 16) + "\r\n")
          var most = 0
          do {
            let head = "POST /chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            try await outbound.write(ByteBuffer(string: head))
            for index in 0..<1600 {
              try await outbound.write(chunk)
              if index % 16 == 0 { most = max(most, Metrics.residentBytes() ?? 0) }
            }
          } catch {
            // The server has closed.
          }
          return most
        }
        var answer = ""
        while let buffer = try? await inbound.next() { answer += String(buffer: buffer) }
        return (answer, await sending.value)
      }
      #expect(answer.hasPrefix("HTTP/1.1 413") && answer.contains("1048576 bytes"), "\(answer)")
      #expect(most - before < 50 << 20, "\(most - before) bytes")
      #expect(try await server.post("/chat/completions", TestServer.chat()).status == 200)
    }
  }
}
