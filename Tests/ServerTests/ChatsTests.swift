import Foundation
import GRDB
import SwiftletJSON
import Testing

@testable import SwiftletServer

/// `/api/chats`: what the page keeps.
@Suite struct ChatsTests {
  private static func message(_ content: String, parent: String? = nil, role: String = "user") -> JSONValue {
    [
      "role": .string(role), "content": .string(content), "parent": parent.map { .string($0) } ?? .null, "reasoning": "",
      "details": ["model": "tiny"], "created": 1_700_000_000_000,
    ]
  }

  private static func put(_ server: TestServer, _ path: String, _ body: JSONValue) async throws -> TestServer.Answer {
    try await server.send("PUT", "/api/chats/" + path, Array(body.serialized().utf8))
  }

  private static func fill(_ server: TestServer, _ id: String = "a1", title: String = "Birds") async throws {
    #expect(try await put(server, id, ["title": .string(title), "settings": ["model": "tiny"]]).status == 200)
    #expect(try await put(server, id + "/messages/m1", message("Where do they sleep?")).status == 200)
    let answer = message("On the *wing*, 在空中。", parent: "m1", role: "assistant")
    #expect(try await put(server, id + "/messages/m2", answer).status == 200)
  }

  @Test func chatsAreKeptAndChanged() async throws {
    try await TestServer.run { server async throws in
      #expect(try await server.send("GET", "/api/chats").json["chats"]?.elements?.isEmpty == true)
      try await Self.fill(server)
      let answer = try await server.send("GET", "/api/chats/a1")
      #expect(answer.header("Cache-Control") == "no-store" && answer.header("X-Content-Type-Options") == "nosniff")
      let chat = try answer.json
      #expect(chat["title"]?.string == "Birds" && chat["settings"]?["model"]?.string == "tiny")
      let messages = try #require(chat["messages"]?.elements)
      #expect(messages.compactMap { $0["id"]?.string } == ["m1", "m2"])
      #expect(messages[1]["parent"]?.string == "m1" && messages[1]["content"]?.string == "On the *wing*, 在空中。")
      // An answer grows; what is sent twice is there once.
      let more = Self.message("On the wing, for months.", parent: "m1", role: "assistant")
      for _ in 0..<2 { #expect(try await Self.put(server, "a1/messages/m2", more).status == 200) }
      // Fields that are not given stay.
      #expect(try await Self.put(server, "a1", ["current": "m2"]).status == 200)
      let changed = try await server.send("GET", "/api/chats/a1").json
      #expect(changed["title"]?.string == "Birds" && changed["current"]?.string == "m2")
      #expect(changed["messages"]?.elements?.count == 2)
      #expect(changed["messages"]?.elements?[1]["content"]?.string == "On the wing, for months.")
      let list = try await server.send("GET", "/api/chats").json
      #expect(list["chats"]?.elements?.count == 1 && list["chats"]?.elements?.first?["messages"] == nil)
      // A thousand of them could take very much.
      #expect(list["chats"]?.elements?.first?["title"] != nil && list["chats"]?.elements?.first?["settings"] == nil)
      #expect(try await server.send("DELETE", "/api/chats/a1").status == 204)
      #expect(try await server.send("GET", "/api/chats/a1").status == 404)
      #expect(try await server.send("DELETE", "/api/chats/a1").status == 404)
      #expect(try await Self.put(server, "a1/messages/m3", more).status == 404)
    }
  }

  /// Nobody writes over what somebody else changed, and what is sent twice is no change.
  @Test func oldRevisionsAreRefused() async throws {
    try await TestServer.run { server async throws in
      try await Self.fill(server)
      func put(_ path: String, _ body: JSONValue, _ revision: Int) async throws -> (Int, Int?) {
        let members = (body.members ?? []) + [JSONMember(key: "revision", value: .integer(revision))]
        let answer = try await Self.put(server, path, .object(members))
        let json = try answer.json
        #expect(answer.status != 409 || json["error"]?["code"]?.string == "revision_conflict")
        return (answer.status, json["revision"]?.integer ?? json["error"]?["revision"]?.integer)
      }
      let path = "a1/messages/m2"
      func text(_ content: String) -> JSONValue { Self.message(content, parent: "m1", role: "assistant") }
      #expect(try await put(path, text("One."), 0) == (409, 1))
      #expect(try await put(path, text("One."), 1) == (200, 2))
      #expect(try await put(path, text("Two."), 1) == (409, 2))
      // Its answer was lost.
      #expect(try await put(path, text("One."), 1) == (200, 2))
      #expect(try await put("a1/messages/m3", text("New."), 4) == (409, 0))
      #expect(try await put("a1/messages/m3", text("New."), 0) == (200, 1))
      #expect(try await put("a1", ["title": "Swifts"], 1) == (200, 2))
      #expect(try await put("a1", ["title": "Swans"], 1) == (409, 2))
      #expect(try await put("a1", ["title": "Swifts"], 0) == (200, 2))
      // Which branch is shown is nobody's loss.
      #expect(try await put("a1", ["current": "m3"], 1) == (200, 2))
      #expect(try await put("b2", [:], 0) == (200, 1))
      // It was deleted meanwhile.
      #expect(try await put("c3", ["title": "Swans"], 3).0 == 404)
      let chat = try await server.send("GET", "/api/chats/a1").json
      #expect(chat["revision"]?.integer == 2 && chat["title"]?.string == "Swifts")
      #expect(chat["messages"]?.elements?.compactMap { $0["revision"]?.integer } == [1, 2, 1])
      #expect(chat["messages"]?.elements?[1]["content"]?.string == "One.")
    }
  }

  @Test func chatsHaveLimits() async throws {
    let limits = ChatLimits(bytesPerChat: 3000, bytesPerKey: 5000)
    try await TestServer.run(change: { $0.chatLimits = limits }) { server async throws in
      func put(_ path: String, _ body: JSONValue) async throws -> (Int, String?) {
        let answer = try await Self.put(server, path, body)
        return (answer.status, try answer.json["error"]?["code"]?.string)
      }
      let long = String(repeating: "長", count: 600)
      for chat in ["a1", "b2"] {
        #expect(try await put(chat, ["title": "Long"]) == (200, nil))
        #expect(try await put(chat + "/messages/m1", Self.message(long)) == (200, nil))
        // What it had counts no more.
        #expect(try await put(chat + "/messages/m1", Self.message(long + "!")) == (200, nil))
      }
      #expect(try await put("a1/messages/m2", Self.message(long)) == (413, "chat_too_large"))
      #expect(try await put("c3", ["settings": ["system": .string(long)]]) == (413, "chats_too_large"))
      #expect(try await server.send("GET", "/api/chats/c3").status == 404)
      #expect(try await put("c3", [:]) == (200, nil))
      #expect(try await put("c3/messages/m1", Self.message(long)) == (413, "chats_too_large"))
      // Less is taken, and room that was made.
      #expect(try await put("b2/messages/m1", Self.message("short")) == (200, nil))
      #expect(try await server.send("DELETE", "/api/chats/a1").status == 204)
      #expect(try await put("c3/messages/m1", Self.message(long)) == (200, nil))
      // Chats without any text come to an end too.
      var count = 0
      while try await put("empty\(count)", [:]).0 == 200, count < 100 { count += 1 }
      #expect(count < 20)
    }
  }

  /// Megabytes of JSON are parsed when others need not wait for the database any more: there they are text, whatever it says.
  @Test func nothingIsParsedWhileOthersWaitForTheDatabase() async throws {
    try await TestServer.run { server async throws in
      try await Self.fill(server)
      try await server.store.pool.write { database in
        try database.execute(sql: "UPDATE messages SET details = '['; UPDATE chats SET settings = '['")
      }
      let chat = try #require(try await server.store.chat("a1", of: nil))
      #expect(chat.chat.settings == "[" && chat.messages.map(\.details) == ["[", "["])
      #expect(throws: JSONError.self) { try chat.json }
      #expect(try await server.send("GET", "/api/chats/a1").status != 200)
      // It can be written over.
      try await Self.fill(server)
      #expect(try await server.send("GET", "/api/chats/a1").json["messages"]?.elements?.count == 2)
    }
  }

  @Test func nullCharactersEndNoText() async throws {
    try await TestServer.run { server async throws in
      try await Self.fill(server, title: "a\0b")
      #expect(try await Self.put(server, "a1/messages/m1", Self.message("c\0d")).status == 200)
      let chat = try await server.send("GET", "/api/chats/a1").json
      #expect(chat["title"]?.string == "a\u{FFFD}b")
      #expect(chat["messages"]?.elements?.first?["content"]?.string == "c\u{FFFD}d")
    }
  }

  @Test func chatsAreFoundByTheirTexts() async throws {
    try await TestServer.run { server async throws in
      try await Self.fill(server)
      try await Self.fill(server, "b2", title: "100% \"free\" <b>things</b>")
      func found(_ text: String) async throws -> [String] {
        let query = text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        let answer = try await server.send("GET", "/api/chats?search=\(query)")
        return try answer.json["chats"]?.elements?.compactMap { $0["id"]?.string } ?? []
      }
      #expect(try await Set(found("WING")) == ["a1", "b2"])
      #expect(try await Set(found("在空中")) == ["a1", "b2"])
      #expect(try await found("birds") == ["a1"])
      #expect(try await found("100%") == ["b2"])
      #expect(try await found("_") == [])
      #expect(try await found("%") == ["b2"])
      #expect(try await found("' OR 1=1 --") == [])
      // Forms write a blank as a plus sign, and a plus sign by its number.
      try await Self.fill(server, "c3", title: "Sums: a+b, a b=2")
      for (query, expected) in [
        ("search=a%2Bb", ["c3"]), ("search=a+b%3D2", ["c3"]), ("search=a%20b=2", ["c3"]), ("search=a%2B+b", []),
        ("limit=9&search=where+do", ["c3", "b2", "a1"]), ("search=100%", ["b2"]), ("%73earch=100%25", ["b2"]),
      ] {
        let found = try await server.send("GET", "/api/chats?" + query).json["chats"]?.elements?.compactMap { $0["id"]?.string }
        #expect(Set(found ?? []) == Set(expected), "\(query)")
      }
      let excerpt = try await server.send("GET", "/api/chats?search=wing").json["chats"]?.elements?.first?["excerpt"]?.string
      #expect(excerpt?.contains("On the *wing*") == true)
      #expect(try await server.send("GET", "/api/chats?limit=1").json["chats"]?.elements?.count == 1)
      #expect(try await server.send("GET", "/api/chats?before=1").json["chats"]?.elements?.isEmpty == true)
    }
  }

  /// Page after page has each chat once, also those that were changed in the same millisecond.
  @Test func pagesOfChatsLeaveNoneOut() async throws {
    try await TestServer.run { server async throws in
      for (id, time) in [("a", 5), ("b", 7), ("c", 7), ("d", 7), ("e", 7), ("f", 9)] {
        _ = try await server.store.save(Store.ChatChange(title: id), chat: id, of: nil, limits: ChatLimits(), now: time)
      }
      for limit in 1...6 {
        var found: [String] = [], query = ""
        while found.count < 10 {
          let page = try await server.send("GET", "/api/chats?limit=\(limit)" + query).json["chats"]?.elements ?? []
          found += page.compactMap { $0["id"]?.string }
          guard let last = page.last, let id = last["id"]?.string, let time = last["updated"]?.integer else { break }
          query = "&before=\(time)&before_id=\(id)"
        }
        #expect(found == ["f", "b", "c", "d", "e", "a"], "\(limit)")
      }
      // A time alone is before all chats that have it.
      #expect(try await server.send("GET", "/api/chats?before=7").json["chats"]?.elements?.count == 1)
      #expect(try await server.send("GET", "/api/chats?before=7&before_id=%20").status == 422)
    }
  }

  /// Searches of a key follow each other, few run at once, and who leaves or takes too long makes room.
  @Test func searchesWaitForTheirTurn() async throws {
    let turns = SearchTurns()
    func search(of owner: Int64?) -> Task<Void, any Error> {
      Task { try await turns.run(of: owner, within: .seconds(60)) { try await Task.sleep(for: .seconds(60)) } }
    }
    func become(_ active: Int, _ waiting: Int) async throws {
      for _ in 0..<500 {
        if await turns.load == (active, waiting) { return }
        try await Task.sleep(for: .milliseconds(10))
      }
      let load = await turns.load
      Issue.record("\(load) is not \((active, waiting))")
    }
    let first = search(of: 1)
    try await become(1, 0)
    let second = search(of: 1)
    try await become(1, 1)
    let other = search(of: nil)
    try await become(2, 1)
    let third = search(of: 3)
    try await become(2, 2)
    third.cancel()
    try await become(2, 1)
    first.cancel()
    try await become(2, 0)
    for search in [second, other] { search.cancel() }
    try await become(0, 0)
    for search in [first, second, other, third] { await #expect(throws: CancellationError.self) { try await search.value } }
    let error = await #expect(throws: APIError.self) {
      try await turns.run(of: 1, within: .milliseconds(10)) { try await Task.sleep(for: .seconds(60)) }
    }
    #expect(error?.status == 503)
    let found = try await turns.run(of: 1, within: .seconds(60)) { 7 }
    #expect(found == 7)
  }

  @Test func chatsBecomeFiles() async throws {
    try await TestServer.run { server async throws in
      try await Self.fill(server)
      let beside = Self.message("Another answer.", parent: "m1", role: "assistant")
      #expect(try await Self.put(server, "a1/messages/m3", beside).status == 200)
      #expect(try await Self.put(server, "a1", ["current": "m2"]).status == 200)
      let json = try await server.send("GET", "/api/chats/a1/export?format=json")
      #expect(json.header("Content-Type") == "application/json")
      #expect(json.header("Content-Disposition")?.hasPrefix("attachment") == true)
      #expect(try json.json["messages"]?.elements?.count == 3)
      let markdown = try await server.send("GET", "/api/chats/a1/export?format=markdown")
      #expect(markdown.header("Content-Type") == "text/markdown; charset=utf-8")
      #expect(markdown.text.hasPrefix("# Birds\n") && markdown.text.contains("## User\n\nWhere do they sleep?\n"))
      #expect(markdown.text.contains("## tiny\n\nOn the *wing*, 在空中。\n") && !markdown.text.contains("Another answer."))
      #expect(try await server.send("GET", "/api/chats/a1/export?format=pdf").status == 422)
    }
  }

  @Test func whatIsMalformedIsRefusedByName() async throws {
    try await TestServer.run { server async throws in
      func refusal(_ path: String, _ body: JSONValue) async throws -> (Int, String?) {
        let answer = try await Self.put(server, path, body)
        return (answer.status, try answer.json["error"]?["param"]?.string)
      }
      #expect(try await refusal("no%20id", [:]) == (422, "chat"))
      #expect(try await refusal(String(repeating: "x", count: 65), [:]) == (422, "chat"))
      #expect(try await refusal("a1", ["title": .string(String(repeating: "x", count: 201))]) == (422, "title"))
      // One character to who reads it.
      #expect(try await refusal("a1", ["title": .string("a" + String(repeating: "\u{301}", count: 200))]) == (422, "title"))
      #expect(try await server.send("GET", "/api/chats?search=a" + String(repeating: "%CC%81", count: 200)).status == 422)
      #expect(try await refusal("a1", ["title": 1]) == (400, "title"))
      #expect(try await refusal("a1", ["settings": "x"]) == (400, "settings"))
      #expect(try await refusal("a1/messages/m1", ["role": "system", "content": ""]) == (422, "role"))
      #expect(try await refusal("a1/messages/m1", ["role": "user"]) == (400, "content"))
      #expect(try await refusal("a1/messages/m1", ["role": "user", "content": "", "details": []]) == (400, "details"))
      #expect(try await refusal("a1/messages/m1", ["role": "user", "content": ""]) == (404, "chat"))
      #expect(try await refusal("a1", ["revision": -1]) == (422, "revision"))
      #expect(try await refusal("a1/messages/m1", ["role": "user", "content": "", "revision": "1"]) == (400, "revision"))
      #expect(try await server.send("GET", "/api/chats?limit=0").status == 422)
      #expect(try await server.send("PUT", "/api/chats/a1", Array("{".utf8)).status == 400)
      // Pages of others are kept out here too.
      #expect(try await server.send("GET", "/api/chats", headers: ["Origin": "https://evil.example"]).status == 403)
    }
  }

  /// No message follows itself; a chat in which one does, from before that was refused, is still shown and saved.
  @Test func circlesEnd() async throws {
    try await TestServer.run { server async throws in
      #expect(try await Self.put(server, "c", ["title": "Circle", "current": "m1"]).status == 200)
      // A parent may come later.
      #expect(try await Self.put(server, "c/messages/m1", Self.message("one", parent: "m2")).status == 200)
      for (id, parent) in [("m2", "m1"), ("m2", "m2"), ("m1", "m1")] {
        let answer = try await Self.put(server, "c/messages/" + id, Self.message("two", parent: parent))
        #expect(answer.status == 400 && answer.text.contains("'\(id)'"), "\(answer.text)")
        #expect(try answer.json["error"]?["param"]?.string == "parent")
      }
      #expect(try await Self.put(server, "c/messages/m2", Self.message("two")).status == 200)
      #expect(try await Self.put(server, "c/messages/m3", Self.message("three", parent: "m1")).status == 200)
      #expect(try await Self.put(server, "c/messages/m2", Self.message("two", parent: "m3")).status == 400)
      try await server.store.pool.write { database in
        try database.execute(sql: "UPDATE messages SET parent = 'm1' WHERE chat = 'c' AND id = 'm2'")
      }
      #expect(try await Self.put(server, "c/messages/m4", Self.message("four", parent: "m3")).status == 200)
      #expect(try await server.send("GET", "/api/chats/c/export?format=markdown").status == 200)
    }
  }
}
