import NIOCore
import SwiftletJSON
import Testing

@testable import SwiftletServer

/// Bodies that are not what they should be, at every endpoint that takes one.
@Suite struct BodyTests {
  private struct Endpoint: Sendable {
    var method: String
    var path: String
    /// A body that it takes.
    var body: JSONValue
    /// Fields of wrong types.
    var wrong: [JSONValue]
  }

  private static let message: JSONValue = ["role": "user", "content": "Hi"]
  private static let endpoints = [
    Endpoint(
      method: "POST", path: "/chat/completions", body: ["model": "tiny", "messages": [message], "max_tokens": 2],
      wrong: [["messages": [message, nil]], ["messages": ["role": "user"]], ["stream": 1]]),
    Endpoint(
      method: "POST", path: "/completions", body: ["model": "tiny", "prompt": "a", "max_tokens": 2],
      wrong: [
        ["prompt": ["a": 1]], ["prompt": [["a"]]], ["echo": "yes"], ["stream": "no"], ["max_tokens": []], ["logprobs": "x"],
        ["stop": ["a": "b"]], ["model": ["tiny"]],
      ]),
    Endpoint(
      method: "POST", path: "/v1/messages", body: ["model": "tiny", "messages": [message], "max_tokens": 2],
      wrong: [
        ["messages": "Hi"], ["messages": [["role": "user", "content": 3]]], ["messages": [[]]], ["system": 3],
        ["max_tokens": "2"],
        ["stream": "yes"], ["stop_sequences": "x"], ["stop_sequences": [1]], ["temperature": "hot"], ["top_k": 0.5],
        ["thinking": true], ["tools": "x"], ["tools": [1]],
      ]),
    Endpoint(
      method: "POST", path: "/tokenize", body: ["content": "a"],
      wrong: [["content": 3], ["content": ["a"]], ["add_special": "yes"], ["with_pieces": 1], ["model": 3]]),
    Endpoint(
      method: "POST", path: "/detokenize", body: ["tokens": [1]],
      wrong: [["tokens": "a"], ["tokens": ["a"]], ["tokens": [1.5]], ["tokens": [-1]], ["tokens": [[1]]], ["tokens": [1e300]]]),
    Endpoint(
      method: "PUT", path: "/api/chats/a1", body: ["title": "a"],
      wrong: [["title": 3], ["settings": "x"], ["settings": []], ["current": 3], ["current": ["a"]]]),
    Endpoint(
      method: "PUT", path: "/api/chats/a1/messages/m1", body: message,
      wrong: [
        ["role": 3], ["content": 3], ["reasoning": []], ["details": "x"], ["created": "now"], ["created": -1], ["parent": 1],
      ]),
  ]

  private static func send(_ server: TestServer, _ endpoint: Endpoint, _ body: [UInt8]) async throws -> TestServer.Answer {
    try await server.send(endpoint.method, endpoint.path, body)
  }

  private static func changed(_ body: JSONValue, _ changes: JSONValue) -> [UInt8] {
    // Of members of one name the last counts.
    Array(JSONValue.object((body.members ?? []) + (changes.members ?? [])).serialized().utf8)
  }

  @Test func wrongTypesAreRefusedAndUnknownFieldsAreNot() async throws {
    try await TestServer.run { server async throws in
      #expect(try await server.send("PUT", "/api/chats/a1", Array("{}".utf8)).status == 200)
      for endpoint in Self.endpoints {
        for wrong in endpoint.wrong {
          let answer = try await Self.send(server, endpoint, Self.changed(endpoint.body, wrong))
          #expect([400, 422].contains(answer.status), "\(endpoint.path) \(wrong.serialized()): \(answer.status) \(answer.text)")
          #expect(try answer.json["error"]?["message"]?.string?.isEmpty == false)
        }
        let unknown: JSONValue = ["something": ["a": [1, nil]], "": 1, "__proto__": "x", "x-\u{1F600}": true]
        let answer = try await Self.send(server, endpoint, Self.changed(endpoint.body, unknown))
        #expect([200, 204].contains(answer.status), "\(endpoint.path): \(answer.text)")
      }
    }
  }

  @Test func whatIsNotUnicodeIsRefused() async throws {
    // A byte that never is; an overlong slash; half a surrogate pair; a scalar cut short; one above the last.
    let broken: [[UInt8]] = [[0xFF], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xE2, 0x82], [0xF4, 0x90, 0x80, 0x80], [0x80]]
    try await TestServer.run { server async throws in
      #expect(try await server.send("PUT", "/api/chats/a1", Array("{}".utf8)).status == 200)
      for endpoint in Self.endpoints {
        let whole = Self.changed(endpoint.body, ["note": "XX"])
        for bytes in broken {
          // In a text, in a name, and beside them.
          for body in [
            Array(whole.dropLast(4)) + bytes + whole.suffix(2), Array(#"{""#.utf8) + bytes + Array(#"": 1}"#.utf8), whole + bytes,
          ] {
            let answer = try await Self.send(server, endpoint, body)
            #expect(answer.status == 400, "\(endpoint.path) \(bytes): \(answer.text)")
            #expect(try answer.json["error"]?["message"]?.string?.isEmpty == false)
          }
        }
      }
      for head in ["GET /api/chats?search=%FF%C0%AF", "GET /models/%FF%FE", "GET /api/chats/%ED%A0%80", "GET /%C0%AE"] {
        let answer = try await server.exchange("\(head) HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(answer.wholeMatch(of: /HTTP\/1\.1 (200|4..) [\s\S]*/) != nil, "\(head): \(answer)")
      }
      // Bytes that are no text in a header and in an address.
      for bytes in broken {
        let heads = [
          Array("GET /models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ".utf8) + bytes + Array("\r\n\r\n".utf8),
          Array("GET /models/".utf8) + bytes + Array(" HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8),
        ]
        for head in heads {
          let status = try await server.raw { inbound, outbound in
            try await outbound.write(ByteBuffer(bytes: head))
            return try await inbound.next().map { String(buffer: $0).split(separator: " ").dropFirst().first ?? "" }
          }
          #expect(status.map { $0 == "200" || $0.hasPrefix("4") } ?? true, "\(bytes): \(status ?? "")")
        }
      }
      #expect(try await server.responses(500) == 0)
    }
  }

  @Test func packedBodiesAreRefusedByName() async throws {
    try await TestServer.run { server async throws in
      let packed = try await server.send("POST", "/tokenize", [0x1F, 0x8B, 8], headers: ["Content-Encoding": "gzip"])
      #expect(packed.status == 400 && packed.text.contains("Content-Encoding: found 'gzip'"), "\(packed.text)")
      let plain = try await server.post("/tokenize", ["content": "a"], headers: ["Content-Encoding": "identity"])
      #expect(plain.status == 200, "\(plain.text)")
    }
  }

  @Test func brokenFramesAreRefused() async throws {
    try await TestServer.run { server async throws in
      let head = "POST /tokenize HTTP/1.1\r\nHost: localhost\r\n"
      for text in [
        "\(head)Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", "\(head)Content-Length: -1\r\n\r\n{}",
        "\(head)Content-Length: 2, 3\r\n\r\n{}", "\(head)Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "\(head)Content-Length: 99999999999999999999\r\n\r\n{}",
        "\(head)Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        "\(head)Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n{}",
      ] {
        let answer = try await server.exchange(text)
        #expect(answer.hasPrefix("HTTP/1.1 4"), "\(text): \(answer)")
      }
      #expect(try await server.responses(500) == 0)
      #expect(try await server.post("/tokenize", ["content": "a"]).status == 200)
    }
  }
}
