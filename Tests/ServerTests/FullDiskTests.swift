import Foundation
import GRDB
import SwiftletJSON
import Testing

@testable import SwiftletServer

/// A disk without room. SQLite's own limit of pages stands for it: it fails in the same way, and every machine has it.
@Suite struct FullDiskTests {
  /// Leaves the file no room to grow, and the table of usage no room for a row.
  private static func fill(_ store: Store) throws {
    try store.pool.writeWithoutTransaction { database in
      let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
      _ = try Int.fetchOne(database, sql: "PRAGMA max_page_count = \(pages)")
      do {
        for number in 0..<10_000 {
          try database.execute(
            sql: "INSERT INTO usage VALUES (?, NULL, 1, '', '', 0, 0, 0, 0, 0, NULL)", arguments: ["filler \(number)"])
        }
      } catch let error as DatabaseError where error.resultCode == .SQLITE_FULL {
        return
      }
      Issue.record("the database grew in spite of its limit")
    }
  }

  private static func empty(_ store: Store) throws {
    try store.pool.writeWithoutTransaction { _ = try Int.fetchOne($0, sql: "PRAGMA max_page_count = 1000000") }
  }

  private static func balance(_ server: TestServer) throws -> Int64 { try server.store.findKey("k").balance.picodollars }

  @Test func nothingIsComputedForKeysThatCannotBeCharged() async throws {
    try await TestServer.run(contextLength: 4000, change: { $0.prices.others = ChargeTests.prices }) { server async throws in
      let start: Int64 = 1_000_000_000_000
      let (secret, _) = try server.store.createKey(name: "k", balance: Money(picodollars: start), isAdmin: true)
      let headers = ["x-api-key": secret]
      #expect(try await server.post("/chat/completions", TestServer.chat(), headers: headers).status == 200)
      try Self.fill(server.store)
      let before = try Self.balance(server)
      // Of the answer that meets the full disk only what was on its way is sent.
      let body = TestServer.chat(["max_tokens": 3500, "stream": true])
      let stream = try await server.post("/chat/completions", body, headers: headers)
      #expect(stream.status == 507 || stream.text.contains("insufficient_storage"))
      #expect(!stream.text.contains(#""finish_reason":"length""#))
      #expect(try await server.eventually { server.model.engine.load.active == 0 })
      // Its status said that all was well.
      let count = "swiftlet_answer_failures_total \(stream.status == 200 ? 1 : 0)\n"
      #expect(try await server.eventually { try await server.send("GET", "/metrics", headers: headers).text.contains(count) })
      // Nobody is told of statements, and nothing more is computed.
      let types = [("/chat/completions", "server_error"), ("/completions", "server_error"), ("/v1/messages", "api_error")]
      for (path, type) in types {
        let answer = try await server.post(path, TestServer.chat(["prompt": "a"]), headers: headers)
        #expect(answer.status == 507 && answer.text.contains("disk is full"), "\(path): \(answer.text)")
        #expect(try answer.json["error"]?["type"]?.string == type)
        #expect(!answer.text.contains("INSERT"))
      }
      for path in ["/models", "/user/balance", "/api/chats", "/metrics"] {
        #expect(try await server.send("GET", path, headers: headers).status == 200, "\(path)")
      }
      #expect(try await server.post("/tokenize", ["content": "a"], headers: headers).status == 200)
      #expect(try Self.balance(server) == before)
      // Once there is room, what was computed is charged, exactly.
      try Self.empty(server.store)
      #expect(try await server.post("/chat/completions", TestServer.chat(), headers: headers).status == 200)
      let rows = try server.store.pool.read { database in
        try Row.fetchAll(database, sql: "SELECT outcome, completion_tokens, charge FROM usage WHERE key IS NOT NULL")
      }
      #expect(rows.count == 3)
      let cut = try #require(rows.first { $0["outcome"] == "error" })
      let charges: [Int64] = rows.map { $0["charge"] }
      let tokens: Int = cut["completion_tokens"], charge: Int64 = cut["charge"]
      #expect(charge > 0 && tokens < 3500)
      #expect(try Self.balance(server) == start - charges.reduce(0, +))
    }
  }

  @Test func chatsThatCannotBeKeptAreErrors() async throws {
    try await TestServer.run { server async throws in
      func put(_ path: String, _ body: JSONValue) async throws -> TestServer.Answer {
        try await server.send("PUT", "/api/chats/" + path, Array(body.serialized().utf8))
      }
      let long = JSONValue.string(String(repeating: "long ", count: 40_000))
      #expect(try await put("a1", ["title": "Birds"]).status == 200)
      #expect(try await put("a1/messages/m1", ["role": "user", "content": "Short"]).status == 200)
      try Self.fill(server.store)
      for (path, body) in [
        ("a1/messages/m1", ["role": "user", "content": long]), ("a1/messages/m2", ["role": "user", "content": long]),
        ("a1", ["settings": ["system": long]]), ("a2", ["settings": ["system": long]]),
      ] as [(String, JSONValue)] {
        let answer = try await put(path, body)
        #expect(answer.status == 507, "\(path): \(answer.text.prefix(300))")
        #expect(try answer.json["error"]?["code"]?.string == "insufficient_storage" && !answer.text.contains("INSERT"))
      }
      // The log has the statement, without what would have been written.
      let logged = server.log.lines.joined()
      #expect(logged.contains("INSERT INTO messages") && !logged.contains("long long"))
      // All is as it was, and who pays nothing is answered all the same.
      let chat = try await server.send("GET", "/api/chats/a1").json
      #expect(chat["title"]?.string == "Birds" && chat["messages"]?.elements?.count == 1)
      #expect(chat["messages"]?.elements?.first?["content"]?.string == "Short")
      #expect(try await server.send("GET", "/api/chats/a2").status == 404)
      #expect(try await server.post("/chat/completions", TestServer.chat()).status == 200)
      try Self.empty(server.store)
      #expect(try await put("a1/messages/m1", ["role": "user", "content": long]).status == 200)
    }
  }
}
