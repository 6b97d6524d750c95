import SwiftletJSON
import SwiftletTestSupport
import Testing

@testable import SwiftletServer

@Suite struct ErrorTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var field: String
    var value: JSONValue
    var status: Int

    init(_ field: String, _ value: JSONValue, _ status: Int) {
      self.field = field
      self.value = value
      self.status = status
    }

    var testDescription: String { "\(field): \(value.serialized())" }
  }

  static let cases = [
    Case("temperature", "hot", 400), Case("temperature", 2.5, 422), Case("temperature", -1, 422), Case("top_p", 2, 422),
    Case("top_k", 1.5, 400), Case("min_p", true, 400), Case("max_tokens", 0, 422), Case("max_tokens", 1.5, 400),
    Case("max_completion_tokens", "3", 400), Case("n", 0, 422), Case("n", 1000, 422), Case("stop", 3, 400),
    Case("stop", ["a", 3], 400), Case("stop", [""], 422),
    Case("stop", .string(String(repeating: "x", count: 2000)), 422), Case("stream", "yes", 400), Case("seed", "x", 400),
    Case("frequency_penalty", 9, 422), Case("presence_penalty", -9, 422), Case("repetition_penalty", 0, 422),
    Case("logit_bias", [], 400), Case("logit_bias", ["x": 1], 400), Case("logit_bias", ["1": "x"], 400),
    Case("logit_bias", ["1000000": 1], 422), Case("logit_bias", ["1": 1000], 422), Case("logprobs", 3, 400),
    Case("top_logprobs", 3, 400), Case("stream_options", ["include_usage": true], 400), Case("model", 3, 400),
    Case("messages", "Hi", 400), Case("messages", [], 400), Case("tools", "x", 400), Case("tool_choice", "required", 400),
    Case("reasoning_effort", "huge", 422), Case("response_format", "json_object", 400),
  ]

  @Test func refusesWhatIsWrongByName() async throws {
    try await TestServer.run { server async throws in
      for test in Self.cases {
        let body = TestServer.chat(.object([JSONMember(key: test.field, value: test.value)]))
        let answer = try await server.post("/chat/completions", body)
        #expect(answer.status == test.status, "\(test.testDescription): \(answer.text)")
        let error = try answer.json["error"]
        #expect(error?["param"]?.string == test.field, "\(test.testDescription): \(answer.text)")
        #expect(error?["type"]?.string == "invalid_request_error" && error?["message"]?.string?.isEmpty == false)
      }
      // null is as good as nothing, and what is not known is ignored.
      let fields: JSONValue = ["temperature": nil, "stop": nil, "tools": nil, "something": ["a": 1], "user": "me"]
      #expect(try await server.post("/chat/completions", TestServer.chat(fields)).status == 200)
    }
  }

  @Test func refusesMessagesByPlace() async throws {
    try await TestServer.run { server async throws in
      let cases: [(JSONValue, String)] = [
        ([3], "messages[0]"), ([["role": "user"]], "messages[0].content"), ([["content": "x"]], "messages[0].role"),
        ([["role": "wizard", "content": "x"]], "messages[0].role"), ([["role": "user", "content": 3]], "messages[0].content"),
        (
          [["role": "user", "content": [["type": "image_url", "image_url": ["url": "x"]]]]],
          "messages[0].content[0].type"
        ),
        (
          [["role": "assistant", "content": "x", "prefix": true], ["role": "user", "content": "x"]], "messages[0].prefix"
        ),
        (
          [["role": "assistant", "tool_calls": [["function": ["arguments": "{}"]]]]],
          "messages[0].tool_calls[0].function.name"
        ),
      ]
      for (messages, parameter) in cases {
        let answer = try await server.post("/chat/completions", TestServer.chat(["messages": messages]))
        #expect(answer.status == 400)
        #expect(try answer.json["error"]?["param"]?.string == parameter, "\(answer.text)")
      }
    }
  }

  @Test func saysBothLengthsOfAPromptTooLong() async throws {
    try await TestServer.run(contextLength: 64) { server async throws in
      let answer = try await server.post("/chat/completions", TestServer.chat(text: String(repeating: "a", count: 100)))
      #expect(answer.status == 400 && answer.text.contains("context_length_exceeded"))
      // user: …<|end|>assistant: is 19 tokens.
      #expect(answer.text.contains("64 tokens") && answer.text.contains("118 tokens"), "\(answer.text)")
      #expect(try answer.json["error"]?["param"]?.string == "messages")
      let text: JSONValue = ["model": "tiny", "prompt": .string(String(repeating: "a", count: 100))]
      let other = try await server.post("/completions", text)
      #expect(other.status == 400 && other.text.contains("context_length_exceeded"))
      #expect(try other.json["error"]?["param"]?.string == "prompt")
    }
  }

  @Test func brokenBodiesAreRefused() async throws {
    try await TestServer.run(change: { $0.maximumBodyBytes = 10_000 }) { server async throws in
      let texts = [
        "", "{", "[]", "null", #"{"model": "tiny", }"#, #"{"model": "tiny\#u{0}"}"#, String(repeating: "[", count: 5000),
      ]
      var notUnicode = Array(#"{"model": "XX"}"#.utf8)
      notUnicode[11] = 0xFF
      let bodies = texts.map { Array($0.utf8) } + [notUnicode]
      for path in ["/chat/completions", "/v1/completions", "/tokenize", "/detokenize", "/v1/messages"] {
        for body in bodies {
          let answer = try await server.send("POST", path, body)
          #expect(answer.status == 400, "\(path) \(String(decoding: body.prefix(30), as: UTF8.self)): \(answer.text)")
          #expect(try answer.json["error"]?["message"]?.string?.isEmpty == false)
        }
        let large = try await server.send("POST", path, Array(repeating: 0x20, count: 20_000))
        #expect(large.status == 413)
      }
      #expect(try await server.post("/chat/completions", TestServer.chat()).status == 200)
    }
  }

  @Test func unknownPlacesAndModels() async throws {
    try await TestServer.run { server async throws in
      for path in ["/nothing", "/v1/../../etc/passwd", "/models/../../../etc/passwd", "/v1/models/%2e%2e%2fetc%2fpasswd", "/%00"]
      {
        let answer = try await server.exchange("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 404") || answer.hasPrefix("HTTP/1.1 400"), "\(path): \(answer)")
        #expect(!answer.contains("root:"))
      }
      let answer = try await server.post("/chat/completions", TestServer.chat(["model": "other"]))
      #expect(answer.status == 404 && answer.text.contains("model_not_found"))
      #expect(try await server.send("GET", "/models/tiny").json["id"]?.string == "tiny")
      #expect(try await server.send("GET", "/v1/models").json["data"]?.elements?.count == 3)
      #expect(try await server.send("GET", "/health").text == #"{"status":"ok"}"#)
    }
  }

  @Test func continuedTextsAreChecked() async throws {
    try await TestServer.run { server async throws in
      let cases: [(JSONValue, Int, String)] = [
        (["model": "tiny"], 400, "prompt"), (["model": "tiny", "prompt": 3], 400, "prompt"),
        (["model": "tiny", "prompt": [[100000]]], 422, "prompt[0]"), (["model": "tiny", "prompt": ["a", 3]], 400, "prompt"),
        (["model": "tiny", "prompt": "a", "suffix": "b"], 400, "suffix"), (["model": "tiny", "prompt": "a", "n": 99], 422, "n"),
        (["model": "tiny", "prompt": ""], 400, "prompt"),
        (["model": "tiny", "prompt": "a", "stream_options": ["include_usage": true]], 400, "stream_options"),
      ]
      for (body, status, parameter) in cases {
        let answer = try await server.post("/completions", body)
        #expect(answer.status == status, "\(answer.text)")
        #expect(try answer.json["error"]?["param"]?.string == parameter, "\(answer.text)")
      }
      let echoed = try await server.post(
        "/beta/completions", ["model": "tiny", "prompt": "ab", "max_tokens": 3, "temperature": 0, "echo": true, "logprobs": 1])
      let choice = try echoed.json["choices"]?.elements?[0]
      #expect(choice?["text"]?.string?.hasPrefix("ab") == true)
      // Of the prompt's tokens too, the first of which has none.
      let values = choice?["logprobs"]?["token_logprobs"]?.elements ?? []
      #expect(values.count == 5 && values.first?.isNull == true && values.dropFirst().allSatisfy { $0.double ?? 1 <= 0 })
      let offsets = choice?["logprobs"]?["text_offset"]?.elements?.compactMap(\.integer) ?? []
      #expect(offsets.count == 5 && offsets.prefix(3) == [0, 1, 2] && offsets == offsets.sorted())
      let scored = try await server.post(
        "/completions", ["model": "tiny", "prompt": "ab", "max_tokens": 0, "echo": true, "logprobs": 1])
      let only = try scored.json["choices"]?.elements?[0]
      #expect(only?["text"]?.string == "ab" && only?["finish_reason"]?.string == "length", "\(scored.text)")
      let again = only?["logprobs"]?["token_logprobs"]?.elements?.map { $0.serialized() }
      #expect(again == values.prefix(2).map { $0.serialized() })
      #expect(try scored.json["usage"]?["completion_tokens"]?.integer == 0)
      let bare = try await server.post("/completions", ["model": "tiny", "prompt": "ab", "max_tokens": 0, "echo": true])
      #expect(try bare.json["choices"]?.elements?[0]["logprobs"]?.isNull == true)
      #expect(try await server.post("/completions", ["model": "tiny", "prompt": "ab", "max_tokens": 0]).status == 422)
      let ids = try await server.post("/tokenize", ["content": "héllo"]).json["tokens"]
      #expect(ids?.elements?.count == 6)
      #expect(try await server.post("/detokenize", ["tokens": ids ?? .null]).json["content"]?.string == "héllo")
    }
  }
}
