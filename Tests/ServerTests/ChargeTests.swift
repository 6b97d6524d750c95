import Foundation
import SwiftletJSON
import Testing

@testable import SwiftletServer

/// What is charged is what answers say was used, to the pico-dollar.
@Suite struct ChargeTests {
  static let prices = Prices(cacheHit: 14_000, cacheMiss: 140_001, output: 280_003)

  private static func charge(_ usage: JSONValue?) -> Int64 {
    func count(_ name: String) -> Int64 { Int64(usage?[name]?.integer ?? -1) }
    return count("prompt_cache_hit_tokens") * prices.cacheHit + count("prompt_cache_miss_tokens") * prices.cacheMiss
      + count("completion_tokens") * prices.output
  }

  private static func withServer(
    balance: String = "1", _ body: @Sendable (TestServer, APIKey, [String: String]) async throws -> Void
  ) async throws {
    try await TestServer.run(contextLength: 4000, change: { $0.prices.models["tiny"] = prices }) { server async throws in
      let (secret, key) = try server.store.createKey(name: "k", balance: Money(dollars: balance) ?? .zero)
      try await body(server, key, ["x-api-key": secret])
    }
  }

  private static func balance(_ server: TestServer) throws -> Int64 { try server.store.findKey("k").balance.picodollars }

  @Test func aPriceOfNoModelIsTold() async throws {
    try await TestServer.run(change: { $0.prices.models = ["tiny": Self.prices, "deepseek-chat": Self.prices] }) { server in
      let warnings = server.log.lines.filter { $0.contains("a price names no model") }
      #expect(warnings.count == 1 && warnings.first?.contains("deepseek-chat") == true, "\(warnings)")
    }
  }

  @Test func everyShapeIsChargedExactly() async throws {
    try await Self.withServer { server, _, headers async throws in
      var balance = try Self.balance(server)
      let completion: JSONValue = ["model": "tiny", "prompt": ["ab", "cde"], "max_tokens": 3, "n": 2]
      let streamed: JSONValue = ["stream": true, "stream_options": ["include_usage": true]]
      let requests: [(String, JSONValue)] = [
        ("/chat/completions", TestServer.chat()), ("/chat/completions", TestServer.chat(streamed)),
        ("/chat/completions", TestServer.chat(["n": 3])), ("/completions", completion),
        ("/completions", .object((completion.members ?? []) + (streamed.members ?? []))),
      ]
      for (path, body) in requests {
        let answer = try await server.post(path, body, headers: headers)
        #expect(answer.status == 200, "\(answer.text)")
        let usage = body["stream"] == nil ? try answer.json["usage"] : try answer.events.last?["usage"]
        let charge = Self.charge(usage), left = try Self.balance(server)
        #expect(charge > 0 && left == balance - charge, "\(path): \(answer.text)")
        balance = left
      }
      let message = try await server.post("/anthropic/v1/messages", TestServer.chat(), headers: headers).json["usage"]
      func count(_ name: String) -> Int64 { Int64(message?[name]?.integer ?? -1) }
      let charge = count("cache_read_input_tokens") * 14_000 + count("input_tokens") * 140_001 + count("output_tokens") * 280_003
      #expect(try Self.balance(server) == balance - charge)
      let info = try await server.send("GET", "/user/balance", headers: headers).json
      #expect(info["is_available"]?.bool == true)
      let total = info["balance_infos"]?.elements?.first?["total_balance"]?.string
      #expect(total == Money(picodollars: balance - charge).description)
      let sum = try server.store.usage(by: .key)
      #expect(sum.count == 1 && sum.first?.requests == 6)
      #expect(sum.first?.charge.picodollars == 1_000_000_000_000 - (balance - charge))
      // Requests that are refused cost nothing.
      _ = try await server.post("/chat/completions", TestServer.chat(["temperature": 9]), headers: headers)
      #expect(try Self.balance(server) == balance - charge)
    }
  }

  @Test func nothingLeftIsRefusedBeforeItIsComputed() async throws {
    try await Self.withServer(balance: "0.000000000001") { server, key, headers async throws in
      // The last pico-dollar buys an answer; what it cost above that is owed.
      #expect(try await server.post("/chat/completions", TestServer.chat(), headers: headers).status == 200)
      #expect(try Self.balance(server) < 0)
      for path in ["/chat/completions", "/v1/messages"] {
        let answer = try await server.post(path, TestServer.chat(), headers: headers)
        #expect(answer.status == 402 && answer.text.contains("Insufficient Balance"))
      }
      #expect(try await server.send("GET", "/user/balance", headers: headers).json["is_available"]?.bool == false)
      _ = try server.store.topUpKey(key.id, by: Money(dollars: "1") ?? .zero)
      #expect(try await server.post("/chat/completions", TestServer.chat(), headers: headers).status == 200)
      #expect(try server.store.usage(by: .key).first?.requests == 2)
    }
  }

  @Test func aClientThatLeavesPaysForWhatWasComputed() async throws {
    try await Self.withServer { server, _, headers async throws in
      let before = try Self.balance(server)
      try await server.raw { inbound, outbound in
        let body = TestServer.chat(["max_tokens": 3500, "stream": true]).serialized()
        let head = "POST /chat/completions HTTP/1.1\r\nHost: localhost\r\nx-api-key: \(headers["x-api-key"] ?? "")\r\n"
        try await outbound.write(.init(string: head + "Content-Length: \(body.utf8.count)\r\n\r\n" + body))
        var received = ""
        while received.components(separatedBy: "data: ").count < 5, let buffer = try await inbound.next() {
          received += String(buffer: buffer)
        }
      }
      let isDone = try await server.eventually {
        try server.store.usage(by: .key).first?.requests == 1 && server.model.engine.load.active == 0
          && server.log.lines.contains { $0.contains("499") }
      }
      #expect(isDone)
      let sum = try #require(try server.store.usage(by: .key).first)
      #expect(sum.completionTokens >= 3 && sum.completionTokens < 3500)
      let uncached = Int64(sum.promptTokens - sum.cachedTokens)
      let charge = Int64(sum.cachedTokens) * 14_000 + uncached * 140_001 + Int64(sum.completionTokens) * 280_003
      #expect(sum.charge.picodollars == charge)
      #expect(try Self.balance(server) == before - charge)
    }
  }

  @Test func aServerThatStopsChargesWhatItCut() async throws {
    try await TestServer.run(
      contextLength: 8000,
      change: {
        $0.drainTimeout = .milliseconds(100)
        $0.prices.others = Self.prices
      }
    ) { server async throws in
      let (secret, _) = try server.store.createKey(name: "k", balance: Money(dollars: "1") ?? .zero)
      let body = TestServer.chat(["max_tokens": 7500, "stream": true, "stream_options": ["include_usage": true]])
      async let stream = server.post("/chat/completions", body, headers: ["x-api-key": secret])
      #expect(try await server.eventually { server.model.engine.load.active == 1 })
      await server.group.triggerGracefulShutdown()
      let usage = try await stream.events.last?["usage"]
      let charged = 1_000_000_000_000 - (try Self.balance(server))
      #expect(try server.store.usage(by: .key).first?.charge.picodollars == charged)
      #expect(charged >= Self.charge(usage) && charged <= Self.charge(usage) + 1000 * 280_003)
    }
  }

  @Test func theAlarmTellsOnceAndRefusesNothing() async throws {
    try await TestServer.run(change: { $0.alarm = AlarmThresholds(tokens: 60, prompts: 3) }) { server async throws in
      let (secret, _) = try server.store.createKey(name: "k", isAdmin: true)
      for index in 0..<6 {
        let body = TestServer.chat(text: "\(index / 2)")
        #expect(try await server.post("/chat/completions", body, headers: ["x-api-key": secret]).status == 200)
      }
      let text = try await server.send("GET", "/metrics", headers: ["x-api-key": secret]).text
      for cause in ["tokens", "prompts"] {
        #expect(text.contains(#"swiftlet_extraction_alarms_total{key="1",cause="\#(cause)"} 1"#))
      }
      #expect(server.log.lines.filter { $0.hasPrefix("warning a key asks for very much") }.count == 2)
    }
  }
}
