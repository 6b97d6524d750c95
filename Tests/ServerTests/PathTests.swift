import Foundation
import SwiftletJSON
import Testing

@testable import SwiftletServer

/// Nothing that a request names is a place on the disk.
@Suite struct PathTests {
  private static let ways = [
    "../../../../etc/passwd", "..%2f..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "%252e%252e%252fetc%252fpasswd", "..%5c..%5cetc%5cpasswd", "..%00", "/etc/passwd",
    "....//....//etc/passwd", "..;/..;/etc/passwd", "%c0%ae%c0%ae%c0%afetc/passwd", "app.js/../../../../etc/passwd",
  ]

  @Test func pathsLeadNowhereElse() async throws {
    try await TestServer.run { server async throws in
      let folder = (server.store.path as NSString).deletingLastPathComponent
      let parent = (folder as NSString).deletingLastPathComponent
      func names() throws -> [Set<String>] {
        try [folder, parent].map { Set(try FileManager.default.contentsOfDirectory(atPath: $0)) }
      }
      let before = try names()
      for start in ["/", "/page/", "/v1/", "/models/", "/v1/models/", "/api/chats/", "/api/chats/a1/messages/", "/dashboard/"] {
        for way in Self.ways {
          for method in ["GET", "PUT", "DELETE"] {
            let answer = try await server.exchange(
              "\(method) \(start)\(way) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            let status = answer.split(separator: " ").dropFirst().first ?? ""
            #expect(["400", "404", "405", "422"].contains(status), "\(method) \(start)\(way): \(answer)")
            #expect(!answer.contains("root:"))
          }
        }
      }
      #expect(try names() == before)
      #expect(try await server.send("GET", "/api/chats").json["chats"]?.elements?.isEmpty == true)
    }
  }

  @Test func namesOfModelsAndChatsAreNoPaths() async throws {
    try await TestServer.run { server async throws in
      for name in ["../tiny", "/etc/passwd", "tiny/../../etc/passwd", "./tiny", "tiny\0", "file:///etc/passwd", "..", ""] {
        for path in ["/chat/completions", "/completions", "/v1/messages"] {
          let body = TestServer.chat(["model": .string(name), "prompt": "a"])
          let answer = try await server.post(path, body)
          #expect(answer.status == 404, "\(path) \(name): \(answer.text)")
        }
        let body: JSONValue = ["role": "user", "content": "", "parent": .string(name)]
        let message = try await server.send("PUT", "/api/chats/a1/messages/m1", Array(body.serialized().utf8))
        #expect(message.status == 422, "\(name): \(message.text)")
      }
    }
  }
}
