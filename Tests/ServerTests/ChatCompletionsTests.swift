import Swiftlet
import SwiftletJSON
import SwiftletTestSupport
import Testing

@testable import SwiftletServer

@Suite struct ChatCompletionsTests {
  @Test func streamsWhatItAnswersWhole() async throws {
    try await TestServer.run { server async throws in
      for path in ["/chat/completions", "/v1/chat/completions"] {
        let whole = try await server.post(path, TestServer.chat())
        #expect(whole.status == 200)
        let json = try whole.json, choice = json["choices"]?.elements?[0]
        #expect(json["object"]?.string == "chat.completion" && choice?["finish_reason"]?.string == "length")
        let options: JSONValue = ["stream": true, "stream_options": ["include_usage": true]]
        let stream = try await server.post(path, TestServer.chat(options))
        #expect(stream.header("content-type")?.hasPrefix("text/event-stream") == true)
        #expect(stream.text.hasSuffix("data: [DONE]\n\n"))
        let events = try stream.events
        let texts = events.compactMap { $0["choices"]?.elements?.first?["delta"]?["content"]?.string }
        #expect(texts.joined() == choice?["message"]?["content"]?.string)
        #expect(events.last?["usage"]?["completion_tokens"]?.integer == 12)
        #expect(events.last?["choices"]?.elements?.isEmpty == true)
        #expect(events.dropLast().allSatisfy { $0["usage"]?.isNull == true })
      }
    }
  }

  @Test func countsTheCache() async throws {
    try await TestServer.run { server async throws in
      let text = String(repeating: "abc ", count: 30)
      _ = try await server.post("/chat/completions", TestServer.chat(text: text))
      let usage = try await server.post("/chat/completions", TestServer.chat(text: text)).json["usage"]
      let hits = try #require(usage?["prompt_cache_hit_tokens"]?.integer)
      let misses = try #require(usage?["prompt_cache_miss_tokens"]?.integer)
      #expect(hits > 100 && misses >= 1)
      #expect(usage?["prompt_tokens"]?.integer == hits + misses)
      #expect(usage?["prompt_tokens_details"]?["cached_tokens"]?.integer == hits)
      #expect(usage?["total_tokens"]?.integer == hits + misses + 12)
    }
  }

  /// A model that thinks first: deltas of the thought, then those of the answer.
  @Test func tellsThoughtsApart() async throws {
    try await TestServer.run(opensThought: true) { server async throws in
      // The thought is ended after a while by the budget.
      let body = TestServer.chat(["stream": true, "max_tokens": 60, "thinking": ["type": "enabled", "budget_tokens": 10]])
      let events = try await server.post("/chat/completions", body).events
      let deltas = events.compactMap { $0["choices"]?.elements?.first?["delta"] }.dropFirst()
      let firstContent = try #require(deltas.firstIndex { $0["content"]?.string != nil })
      #expect(deltas[..<firstContent].allSatisfy { $0["reasoning_content"]?.string != nil && $0["content"]?.isNull == true })
      #expect(deltas[firstContent...].allSatisfy { $0["reasoning_content"] == nil })
      let whole = try await server.post(
        "/chat/completions",
        TestServer.chat(["max_tokens": 60, "thinking": ["type": "enabled", "budget_tokens": 10]])
      ).json
      let message = whole["choices"]?.elements?[0]["message"]
      let thought = deltas[..<firstContent].compactMap { $0["reasoning_content"]?.string }.joined()
      #expect(message?["reasoning_content"]?.string == thought && !thought.isEmpty)
      let reasoning = try #require(whole["usage"]?["completion_tokens_details"]?["reasoning_tokens"]?.integer)
      // Ten of thought, and the closing tag byte by byte.
      #expect((10...24).contains(reasoning))
      let plain = try await server.post("/chat/completions", TestServer.chat(["thinking": ["type": "disabled"]])).json
      #expect(plain["choices"]?.elements?[0]["message"]?["reasoning_content"] == nil)
      #expect(plain["usage"]?["completion_tokens_details"]?["reasoning_tokens"]?.integer == 0)
    }
  }

  @Test func aliasesChooseThinking() async throws {
    try await TestServer.run(opensThought: true) { server async throws in
      func tokens(_ model: JSONValue) async throws -> Int? {
        let answer = try await server.post("/chat/completions", TestServer.chat(["model": model])).json
        #expect(answer["model"]?.string == model.string)
        return answer["usage"]?["completion_tokens_details"]?["reasoning_tokens"]?.integer
      }
      #expect(try await tokens("deepseek-chat") == 0)
      #expect(try await tokens("deepseek-reasoner") == 12)
    }
  }

  @Test func givesLogProbabilities() async throws {
    try await TestServer.run { server async throws in
      let body = TestServer.chat(["logprobs": true, "top_logprobs": 3, "temperature": 1, "seed": 4])
      let first = try await server.post("/chat/completions", body), second = try await server.post("/chat/completions", body)
      func tokens(_ answer: TestServer.Answer) throws -> [JSONValue] {
        let json = try answer.json
        return try #require(json["choices"]?.elements?[0]["logprobs"]?["content"]?.elements)
      }
      let values = try tokens(first)
      #expect(values.count == 12)
      #expect(try values.map { $0.serialized() } == tokens(second).map { $0.serialized() })
      for token in values {
        let top = try #require(token["top_logprobs"]?.elements?.map { $0["logprob"]?.double ?? 1 })
        #expect(top.count == 3 && top == top.sorted(by: >) && top[0] <= 0)
        #expect((token["logprob"]?.double ?? 1) <= top[0])
      }
    }
  }

  @Test func answersSeveralTimes() async throws {
    try await TestServer.run { server async throws in
      let body = TestServer.chat(["n": 3, "temperature": 1, "seed": 1])
      let json = try await server.post("/chat/completions", body).json
      let texts = json["choices"]?.elements?.compactMap { $0["message"]?["content"]?.string } ?? []
      #expect(texts.count == 3 && Set(texts).count == 3)
      #expect(json["usage"]?["completion_tokens"]?.integer == 36)
      let events = try await server.post(
        "/chat/completions", TestServer.chat(["n": 3, "temperature": 1, "seed": 1, "stream": true])
      )
      .events
      for index in 0..<3 {
        let parts = events.compactMap { event -> String? in
          guard let choice = event["choices"]?.elements?.first, choice["index"]?.integer == index else { return nil }
          return choice["delta"]?["content"]?.string
        }
        #expect(parts.joined() == texts[index])
      }
    }
  }

  @Test func goesOnFromAPrefix() async throws {
    try await TestServer.run { server async throws in
      let whole = try await server.post("/chat/completions", TestServer.chat()).json
      let begun: JSONValue = [
        "messages": [["role": "user", "content": "Hi"], ["role": "assistant", "content": "ab", "prefix": true]]
      ]
      let json = try await server.post("/chat/completions", TestServer.chat(begun)).json
      // Two bytes more than the prompt alone.
      #expect(json["usage"]?["prompt_tokens"]?.integer == (whole["usage"]?["prompt_tokens"]?.integer ?? 0) + 2)
    }
  }

  @Test func whoWaitsGetsSignsOfLife() async throws {
    try await TestServer.run(
      contextLength: 4000, limits: EngineLimits(maximumSequences: 1), change: { $0.keepAliveInterval = .milliseconds(20) }
    ) { server async throws in
      let long = TestServer.chat(["max_tokens": 3000])
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          // Its tokens come, but nobody sees them before the end.
          let answer = try await server.post("/chat/completions", long)
          #expect(answer.text.hasPrefix("\n\n\n\n") && answer.status == 200)
        }
        #expect(try await server.eventually { server.model.engine.load.active == 1 })
        async let streamed = server.post("/chat/completions", TestServer.chat(["stream": true]))
        async let whole = server.post("/chat/completions", TestServer.chat())
        #expect(try await streamed.text.contains(": keep-alive\n\n"))
        let answer = try await whole
        #expect(answer.text.hasPrefix("\n\n") && answer.status == 200)
        #expect(try answer.json["choices"]?.elements?.count == 1)
        try await group.waitForAll()
      }
    }
  }

  @Test func modelsWithoutATemplateOnlyContinue() async throws {
    try await TestServer.run(hasTemplate: false) { server async throws in
      let chat = try await server.post("/chat/completions", TestServer.chat())
      #expect(chat.status == 400 && chat.text.contains("chat template"))
      let text = try await server.post("/completions", ["model": "tiny", "prompt": "ab", "max_tokens": 3])
      #expect(text.status == 200)
    }
  }
}
