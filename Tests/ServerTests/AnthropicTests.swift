import SwiftletJSON
import SwiftletTestSupport
import Testing

@testable import SwiftletServer

@Suite struct AnthropicTests {
  private static func message(_ more: JSONValue = .object([])) -> JSONValue {
    let members: [JSONMember] = [
      JSONMember(key: "model", value: "tiny"), JSONMember(key: "max_tokens", value: 12), JSONMember(key: "temperature", value: 0),
      JSONMember(key: "messages", value: [["role": "user", "content": "Hi"]]),
    ]
    return .object(members + (more.members ?? []))
  }

  @Test func streamsWhatItAnswersWhole() async throws {
    try await TestServer.run(opensThought: true) { server async throws in
      let more: JSONValue = ["max_tokens": 60, "thinking": ["type": "enabled", "budget_tokens": 8]]
      let whole = try await server.post("/anthropic/v1/messages", Self.message(more), headers: ["x-api-key": "any"]).json
      #expect(whole["type"]?.string == "message" && whole["role"]?.string == "assistant")
      let blocks = try #require(whole["content"]?.elements)
      #expect(blocks.first?["type"]?.string == "thinking")
      let streaming: JSONValue = ["max_tokens": 60, "thinking": ["type": "enabled", "budget_tokens": 8], "stream": true]
      let stream = try await server.post("/v1/messages", Self.message(streaming))
      #expect(stream.text.hasPrefix("event: message_start\ndata: "))
      let events = try stream.events, kinds = events.compactMap { $0["type"]?.string }
      #expect(kinds.first == "message_start" && kinds.suffix(2) == ["message_delta", "message_stop"])
      #expect(kinds.filter { $0 == "content_block_start" }.count == blocks.count)
      #expect(kinds.filter { $0 == "content_block_stop" }.count == blocks.count)
      for (kind, name) in [("thinking", "thinking"), ("text", "text")] {
        let text = events.compactMap { $0["delta"]?[name]?.string }.joined()
        #expect(text == blocks.first { $0["type"]?.string == kind }?[name]?.string ?? "")
      }
      let end = events.last { $0["type"]?.string == "message_delta" }
      #expect(end?["usage"]?["output_tokens"]?.integer == whole["usage"]?["output_tokens"]?.integer)
    }
  }

  @Test func errorsHaveItsShape() async throws {
    try await TestServer.run { server async throws in
      let cases: [(JSONValue, Int, String)] = [
        (["model": "other"], 404, "not_found_error"), (["max_tokens": nil], 400, "invalid_request_error"),
        (["messages": []], 400, "invalid_request_error"), (["temperature": 3], 422, "invalid_request_error"),
        (["messages": [["role": "system", "content": "x"]]], 400, "invalid_request_error"),
        (["stop_sequences": "x"], 400, "invalid_request_error"),
      ]
      for (change, status, type) in cases {
        let answer = try await server.post("/anthropic/v1/messages", Self.message(change))
        #expect(answer.status == status, "\(answer.text)")
        #expect(try answer.json["type"]?.string == "error" && answer.json["error"]?["type"]?.string == type, "\(answer.text)")
      }
    }
  }

  @Test func readsBlocksAndContinuesAnAnswer() async throws {
    try await TestServer.run { server async throws in
      let messages: JSONValue = [
        "system": [["type": "text", "text": "Be short."]],
        "messages": [
          ["role": "user", "content": [["type": "text", "text": "a"], ["type": "text", "text": "b"]]],
          ["role": "assistant", "content": [["type": "tool_use", "id": "t1", "name": "f", "input": ["x": 1]]]],
          ["role": "user", "content": [["type": "tool_result", "tool_use_id": "t1", "content": "c"]]],
          ["role": "assistant", "content": "d"],
        ],
      ]
      let answer = try await server.post("/anthropic/v1/messages", Self.message(messages))
      #expect(answer.status == 200, "\(answer.text)")
      // system: Be short.|user: ab|assistant: |tool: c|assistant: d, with one token for each bar.
      #expect(try answer.json["usage"]?["input_tokens"]?.integer == 17 + 1 + 8 + 1 + 11 + 1 + 7 + 1 + 12)
    }
  }

  /// As many as the message itself has, from the cache or not; nobody pays for that.
  @Test func tokensAreCounted() async throws {
    let prices = PriceList(others: Prices(cacheHit: 1, cacheMiss: 1, output: 1))
    try await TestServer.run(opensThought: true, change: { $0.prices = prices }) { server async throws in
      let (rich, _) = try server.store.createKey(name: "rich", balance: Money(picodollars: 1_000_000))
      let (poor, _) = try server.store.createKey(name: "poor")
      let tool: JSONValue = ["name": "f", "description": "Looks.", "input_schema": ["type": "object"]]
      let conversations: [JSONValue] = [
        [:], ["system": "Be short."], ["tools": [tool]], ["tools": [tool], "tool_choice": ["type": "none"]],
        ["thinking": ["type": "disabled"]],
        ["messages": [["role": "user", "content": "a"], ["role": "assistant", "content": "b"]]],
      ]
      for more in conversations {
        let usage = try await server.post("/v1/messages", Self.message(more), headers: ["x-api-key": rich]).json["usage"]
        let expected = (usage?["input_tokens"]?.integer ?? -1) + (usage?["cache_read_input_tokens"]?.integer ?? -1)
        // What a message must say of its answer is not needed here.
        let body = JSONValue.object((Self.message(more).members ?? []).filter { $0.key != "max_tokens" })
        for path in ["/anthropic/v1/messages/count_tokens", "/v1/messages/count_tokens"] {
          let answer = try await server.post(path, body, headers: ["x-api-key": poor])
          #expect(try answer.json["input_tokens"]?.integer == expected, "\(more.serialized()): \(answer.text)")
        }
      }
      let path = "/anthropic/v1/messages/count_tokens"
      let unknown = try await server.post(path, Self.message())
      #expect(try unknown.status == 401 && unknown.json["error"]?["type"]?.string == "authentication_error")
      let refused = try await server.post(path, Self.message(["messages": []]), headers: ["x-api-key": poor])
      #expect(try refused.status == 400 && refused.json["type"]?.string == "error")
    }
  }
}
