import Foundation
import Logging
import SwiftletGeneration
import SwiftletJSON
import SwiftletTestSupport
import Testing

@testable import SwiftletServer

@Suite struct KeyTests {
  @Test func amountsAreReadAndWrittenExactly() {
    let cases: [(String, String, Int64)] = [
      ("12", "12.00", 12_000_000_000_000), ("0.5", "0.50", 500_000_000_000), ("-0.000000000001", "-0.000000000001", -1),
      ("1000000", "1000000.00", 1_000_000_000_000_000_000), ("0.1", "0.10", 100_000_000_000),
    ]
    for (text, written, amount) in cases {
      #expect(Money(dollars: text)?.picodollars == amount)
      #expect(Money(dollars: text)?.description == written)
    }
    for text in [
      "", "-", ".", "1.", ".5", "1e3", "+1", "1000000.01", "9999999", "0.0000000000001", "1,5", "٣", "99999999999999999999",
    ] {
      #expect(Money(dollars: text) == nil, "\(text)")
    }
    let prices = Prices(cacheHit: 14_000, cacheMiss: 140_000, output: 280_000)
    var usage = Usage(promptTokens: 10, choices: [])
    (usage.cachedTokens, usage.completionTokens) = (4, 3)
    #expect(prices.charge(usage).description == "0.000001736")
  }

  @Test func aKeyCountsAtOnceAndUntilItIsRevoked() async throws {
    try await TestServer.run { server async throws in
      #expect(try await server.post("/chat/completions", TestServer.chat()).status == 200)
      let (secret, key) = try server.store.createKey(name: "a")
      #expect(secret.count == 46 && secret.hasPrefix("sk-") && key.prefix == secret.prefix(9))
      let bearer = ["Authorization": "Bearer " + secret]
      for path in ["/models", "/v1/models", "/user/balance", "/metrics", "/policy"] {
        let answer = try await server.send("GET", path)
        #expect(answer.status == 401 && answer.header("www-authenticate") == "Bearer", "\(path)")
        #expect(try answer.json["error"]?["code"]?.string == "invalid_api_key")
      }
      #expect(try await server.send("GET", "/health").status == 200)
      #expect(try await server.send("GET", "/v1/health").status == 200)
      #expect(try await server.post("/chat/completions", TestServer.chat(), headers: bearer).status == 200)
      #expect(try await server.send("GET", "/models", headers: ["x-api-key": secret]).status == 200)
      #expect(try await server.send("GET", "/models", headers: ["Authorization": "Bearer " + secret.dropLast()]).status == 401)
      let anthropic = try await server.post("/anthropic/v1/messages", TestServer.chat())
      #expect(anthropic.status == 401)
      #expect(try anthropic.json["error"]?["type"]?.string == "authentication_error")
      // What others do is not told to everybody.
      #expect(try await server.send("GET", "/metrics", headers: bearer).status == 403)
      let (admin, _) = try server.store.createKey(name: "admin", isAdmin: true)
      #expect(try await server.send("GET", "/metrics", headers: ["x-api-key": admin]).status == 200)
      // Whoever has a key may come by any name.
      #expect(try await server.send("GET", "/models", headers: ["x-api-key": admin, "Host": "models.example"]).status == 200)
      _ = try server.store.revokeKey(key.id)
      let revoked = try await server.send("GET", "/models", headers: bearer)
      #expect(revoked.status == 401 && revoked.text.contains("revoked"))
      let (late, _) = try server.store.createKey(name: "late", expires: .now - 1)
      #expect(try await server.send("GET", "/models", headers: ["x-api-key": late]).text.contains("expired"))
      // No secret is in the log, nor in the database.
      #expect(!server.log.lines.contains { $0.contains(secret) || $0.contains(admin) })
      let files = try FileManager.default.contentsOfDirectory(atPath: (server.store.path as NSString).deletingLastPathComponent)
      for file in files {
        let path = (server.store.path as NSString).deletingLastPathComponent + "/" + file
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)).range(of: Data(secret.utf8)) == nil)
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
      }
    }
  }

  @Test func limitsSayWhenToComeAgain() async throws {
    try await TestServer.run(contextLength: 4000) { server async throws in
      func headers(_ limits: KeyLimits) throws -> [String: String] {
        ["x-api-key": try server.store.createKey(name: "", limits: limits).secret]
      }
      let few = try headers(KeyLimits(requestsPerMinute: 2))
      for status in [200, 200, 429] {
        let answer = try await server.post("/tokenize", ["content": "a"], headers: few)
        #expect(answer.status == status)
        if status == 429 {
          #expect((1...60).contains(answer.header("retry-after").flatMap { Int($0) } ?? 0))
          #expect(try answer.json["error"]?["code"]?.string == "rate_limit_exceeded")
        }
      }
      #expect(try await server.send("GET", "/models", headers: few).status == 200)
      let tokens = try headers(KeyLimits(tokensPerMinute: 40))
      #expect(try await server.post("/chat/completions", TestServer.chat(), headers: tokens).status == 200)
      let refused = try await server.post("/chat/completions", TestServer.chat(), headers: tokens)
      #expect(refused.status == 429 && refused.text.contains("tokens per minute"))
      let single = try headers(KeyLimits(parallel: 1))
      try await server.raw { _, outbound in
        let body = TestServer.chat(["max_tokens": 3500, "stream": true]).serialized()
        let head = "POST /chat/completions HTTP/1.1\r\nHost: localhost\r\nx-api-key: \(single["x-api-key"] ?? "")\r\n"
        try await outbound.write(.init(string: head + "Content-Length: \(body.utf8.count)\r\n\r\n" + body))
        #expect(try await server.eventually { server.model.engine.load.active == 1 })
        let second = try await server.post("/chat/completions", TestServer.chat(), headers: single)
        #expect(second.status == 429 && second.header("retry-after") == "1")
      }
      // The client went away, and its place is free.
      #expect(
        try await server.eventually {
          try await server.post("/chat/completions", TestServer.chat(), headers: single).status == 200
        })
    }
  }

  /// Who has the end of an answer may send the next request, also while what made it is still there.
  @Test func aPlaceIsFreeBeforeTheAnswerIsWhole() async throws {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let store = try Store(folder: folder.path), limiter = RateLimiter()
    let key = try store.createKey(name: "a", limits: KeyLimits(tokensPerMinute: 10, parallel: 1)).key
    let admission = try limiter.admit(key, tokens: 1)
    #expect(throws: APIError.self) { try limiter.admit(key, tokens: 1) }
    let logger = Logger(label: "test")
    let meter = RequestMeter(
      entry: UsageEntry(
        request: "req_1", key: key.id, time: .now, model: "m", endpoint: "/chat/completions",
        usage: Usage(promptTokens: 1, choices: []), charge: .zero),
      requests: [], prices: nil, admission: admission, ledger: Ledger(store: store, logger: logger),
      alarm: ExtractionAlarm(AlarmThresholds(), metrics: Metrics(), logger: logger))
    try await meter.close("stop")
    let next = try limiter.admit(key, tokens: 8)
    // It ends once only, and one that was refused leaves nothing behind.
    admission.end()
    #expect(throws: APIError.self) { try limiter.admit(key, tokens: 1) }
    next.takeBack()
    let last = try limiter.admit(key, tokens: 9)
    #expect(throws: APIError.self) { try limiter.admit(key, tokens: 1) }
    withExtendedLifetime((meter, admission, next, last)) {}
    let error = #expect(throws: APIError.self) { try limiter.admit(key, tokens: 11) }
    #expect(error?.status == 400 && error?.retryAfter == nil)
  }

  /// What a key asked for before makes its next request no slower.
  @Test(.timeLimit(.minutes(1))) func anAlarmCountsVeryManyPrompts() async {
    let metrics = Metrics(), most = 400_000
    let alarm = ExtractionAlarm(AlarmThresholds(prompts: most), metrics: metrics, logger: Logger(label: "test"))
    for number in 1..<Int32(most) { await alarm.count(key: 1, prompts: [[number]], tokens: 1) }
    // One that came before counts no more.
    await alarm.count(key: 1, prompts: [[1]], tokens: 1)
    #expect(!metrics.text([]).contains("swiftlet_extraction_alarms_total{"))
    for number in 0..<Int32(2) { await alarm.count(key: 1, prompts: [[-number]], tokens: 1) }
    #expect(metrics.text([]).contains(#"swiftlet_extraction_alarms_total{key="1",cause="prompts"} 1"#))
  }

  @Test func aWindowForgetsAfterAMinute() {
    var window = MinuteWindow()
    #expect(window.add(3, at: 100, limit: 5) == nil)
    #expect(window.add(2, at: 130, limit: 5) == nil)
    #expect(window.add(1, at: 131, limit: 5) == 29)
    #expect(window.add(3, at: 159, limit: 5) == 1)
    #expect(window.add(4, at: 159, limit: 5) == 31)
    #expect(window.add(3, at: 160, limit: 5) == nil)
    #expect(window.sum == 5)
    window.remove(2, from: 160)
    window.remove(2, from: 100)
    #expect(window.sum == 3)
    #expect(window.add(2, at: 160, limit: 5) == nil)
    #expect(window.add(6, at: 10_000, limit: 5) == 60)
    #expect(window.add(5, at: 10_000, limit: 5) == nil)
    #expect(window.sum == 5)
  }

  @Test func keysTakeTurnsInTheQueue() async throws {
    // One at a time; the first key sends four, then the second one.
    try await TestServer.run(contextLength: 4000, limits: EngineLimits(maximumSequences: 1)) { server async throws in
      let engine = server.model.engine
      func start(_ tenant: Int, _ tokens: Int) throws -> GenerationStream {
        var options = GenerationOptions()
        (options.maximumResponseTokens, options.temperature) = (tokens, 0)
        var request = GenerationRequest(prompt: [1, 2, 3], options: options)
        request.tenant = tenant
        return try engine.generate(request)
      }
      let streams = [try start(1, 200), try start(1, 20), try start(1, 20), try start(2, 20)]
      let order = await withTaskGroup(of: Int.self) { group in
        for (index, stream) in streams.enumerated() {
          group.addTask {
            do { for try await _ in stream {} } catch {}
            return index
          }
        }
        return await group.reduce(into: [Int]()) { $0.append($1) }
      }
      #expect(Set(order) == [0, 1, 2, 3])
      #expect(order.firstIndex(of: 3) ?? 9 <= 1, "\(order)")
    }
  }
}
