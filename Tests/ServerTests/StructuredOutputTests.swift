import SwiftletConstraints
import SwiftletJSON
import SwiftletTestSupport
import Testing

@testable import SwiftletServer

/// Constrained answers over HTTP, of a random model.
@Suite struct StructuredOutputTests {
  private static let person: JSONValue = [
    "type": "object", "properties": ["name": ["type": "string"], "age": ["type": "integer", "minimum": 0, "maximum": 150]],
    "required": ["name", "age"], "additionalProperties": false,
  ]

  private static func format(_ schema: JSONValue) -> JSONValue {
    ["type": "json_schema", "json_schema": ["name": "person", "schema": schema, "strict": true]]
  }

  private static func chat(_ more: JSONValue) -> JSONValue {
    TestServer.chat(.object((more.members ?? []) + [JSONMember(key: "temperature", value: 2)]))
  }

  private static func tool(_ name: String, _ parameters: JSONValue? = nil) -> JSONValue {
    ["type": "function", "function": parameters.map { ["name": .string(name), "parameters": $0] } ?? ["name": .string(name)]]
  }

  private static func isPerson(_ text: String?) throws -> Bool {
    let value = try JSONValue(parsing: text ?? "")
    return value["name"]?.string != nil && (0...150).contains(value["age"]?.integer ?? -1) && value.members?.count == 2
  }

  @Test func formatsAreKept() async throws {
    try await TestServer.run { server async throws in
      for seed in 0..<3 {
        let body = Self.chat(["max_tokens": 100, "seed": .integer(seed), "response_format": Self.format(Self.person)])
        let answer = try await server.post("/v1/chat/completions", body).json["choices"]?.elements?[0]
        #expect(try Self.isPerson(answer?["message"]?["content"]?.string), "\(answer as Any)")
        #expect(answer?["finish_reason"]?.string == "stop")
        let streamed = Self.chat([
          "max_tokens": 100, "seed": .integer(seed), "response_format": Self.format(Self.person), "stream": true,
        ])
        let events = try await server.post("/v1/chat/completions", streamed).events
        let text = events.compactMap { $0["choices"]?.elements?.first?["delta"]?["content"]?.string }.joined()
        #expect(text == answer?["message"]?["content"]?.string)
      }
      let any = Self.chat(["max_tokens": 40, "response_format": ["type": "json_object"]])
      let object = try await server.post("/chat/completions", any).json["choices"]?.elements?[0]["message"]?["content"]?.string
      #expect(try JSONValue(parsing: object ?? "").members != nil)
      let prompt: JSONValue = [
        "model": "tiny", "prompt": "A person:", "max_tokens": 60, "temperature": 2, "response_format": Self.format(Self.person),
      ]
      #expect(try Self.isPerson(try await server.post("/v1/completions", prompt).json["choices"]?.elements?[0]["text"]?.string))
      let free = Self.chat(["response_format": ["type": "text"]])
      #expect(try await server.post("/chat/completions", free).status == 200)
    }
  }

  @Test func answersFollowAThought() async throws {
    try await TestServer.run(opensThought: true) { server async throws in
      let body = Self.chat(["max_tokens": 120, "response_format": Self.format(Self.person)])
      let message = try await server.post("/v1/chat/completions", body).json["choices"]?.elements?[0]["message"]
      #expect(try Self.isPerson(message?["content"]?.string) && message?["reasoning_content"]?.string?.isEmpty == false)
      let off = Self.chat(["max_tokens": 120, "response_format": Self.format(Self.person), "thinking": ["type": "disabled"]])
      let plain = try await server.post("/v1/chat/completions", off).json["choices"]?.elements?[0]["message"]
      #expect(try Self.isPerson(plain?["content"]?.string) && plain?["reasoning_content"] == nil)
    }
  }

  @Test func whatCannotBeKeptIsRefused() async throws {
    try await TestServer.run { server async throws in
      let many = JSONValue.array((0..<129).map { Self.tool("f\($0)") })
      let open = JSONValue.array((0..<20_000).map { _ in .object([]) })
      let hard = JSONValue.array((0..<40).map { Self.tool("f\($0)", ["properties": ["a": ["type": "boolean", "allOf": open]]]) })
      let cases: [(change: JSONValue, parameter: String, text: String)] = [
        (["response_format": Self.format(["type": "array", "uniqueItems": true])], "response_format", "#/uniqueItems"),
        (["response_format": Self.format(["enum": []])], "response_format", "no value"),
        (["response_format": Self.format(3)], "response_format", "expected a schema"),
        (["response_format": ["type": "json_schema"]], "response_format.json_schema", "missing"),
        (
          ["response_format": ["type": "json_schema", "json_schema": ["name": "x"]]], "response_format.json_schema.schema",
          "missing"
        ),
        (["response_format": ["type": "yaml"]], "response_format.type", "json_schema"),
        (["response_format": [:]], "response_format.type", "missing"), (["response_format": "json"], "response_format", "object"),
        (["response_format": Self.format(Self.person), "max_tokens": 3], "max_tokens", "3 tokens"),
        (["tool_choice": "required"], "tool_choice", "no tools"), (["tool_choice": "always"], "tool_choice", "required"),
        (["tool_choice": ["type": "function"]], "tool_choice.function", "missing"),
        (
          ["tools": [Self.tool("f")], "tool_choice": ["type": "function", "function": ["name": "g"]]], "tool_choice", "\"g\""
        ),
        (["tools": [Self.tool("f", ["not": [:]])], "tool_choice": "required"], "tools", "#/not"),
        (["tools": many, "tool_choice": "required"], "tools", "found 129"),
        (["tools": hard, "tool_choice": "required"], "tools", "with those of other tools"),
        (["parallel_tool_calls": 3], "parallel_tool_calls", "boolean"),
      ]
      for (change, parameter, text) in cases {
        let answer = try await server.post("/chat/completions", Self.chat(change))
        let error = try answer.json["error"]
        #expect(answer.status == 400 && error?["param"]?.string == parameter, "\(change.serialized()): \(answer.text)")
        #expect(error?["message"]?.string?.contains(text) == true, "\(answer.text)")
      }
    }
  }

  @Test func toolsAreCalledWhenTheyMustBe() async throws {
    try await TestServer.run { server async throws in
      let tools: JSONValue = [Self.tool("greet", Self.person), Self.tool("wait")]
      func calls(_ more: JSONValue) async throws -> (calls: [JSONValue], choice: JSONValue?) {
        let members = (more.members ?? []) + [JSONMember(key: "tools", value: tools), JSONMember(key: "max_tokens", value: 300)]
        let choice = try await server.post("/v1/chat/completions", Self.chat(.object(members))).json["choices"]?.elements?[0]
        return (choice?["message"]?["tool_calls"]?.elements ?? [], choice)
      }
      func check(_ call: JSONValue) throws {
        let function = call["function"], arguments = function?["arguments"]?.string
        switch function?["name"]?.string {
        case "greet": #expect(try Self.isPerson(arguments), "\(call)")
        case "wait": #expect(try JSONValue(parsing: arguments ?? "").members?.isEmpty == true, "\(call)")
        default: Issue.record("\(call)")
        }
      }
      for seed in 0..<3 {
        let required = try await calls(["tool_choice": "required", "seed": .integer(seed)])
        #expect(!required.calls.isEmpty && required.choice?["finish_reason"]?.string == "tool_calls", "\(required)")
        #expect(required.choice?["message"]?["content"]?.isNull == true)
        for call in required.calls { try check(call) }
        let one = try await calls(["tool_choice": "required", "parallel_tool_calls": false, "seed": .integer(seed)])
        #expect(one.calls.count == 1)
        let named = try await calls(["tool_choice": ["type": "function", "function": ["name": "greet"]], "seed": .integer(seed)])
        #expect(named.calls.count == 1 && named.calls.first?["function"]?["name"]?.string == "greet")
        for call in one.calls + named.calls { try check(call) }
        // With a format, an answer is either.
        let either = try await calls(["response_format": Self.format(Self.person), "seed": .integer(seed)])
        if either.calls.isEmpty { #expect(try Self.isPerson(either.choice?["message"]?["content"]?.string)) }
        for call in either.calls { try check(call) }
      }
    }
  }

  @Test func anthropicsRequestsToo() async throws {
    try await TestServer.run { server async throws in
      func post(_ more: JSONValue) async throws -> TestServer.Answer {
        let members: [JSONMember] = [
          JSONMember(key: "model", value: "tiny"), JSONMember(key: "max_tokens", value: 200),
          JSONMember(key: "temperature", value: 1),
          JSONMember(key: "messages", value: [["role": "user", "content": "Hi"]]),
        ]
        return try await server.post("/anthropic/v1/messages", .object(members + (more.members ?? [])))
      }
      let tools: JSONValue = [
        ["name": "greet", "input_schema": Self.person], ["name": "wait", "input_schema": ["type": "object"]],
      ]
      for choice: JSONValue in [["type": "any", "disable_parallel_tool_use": true], ["type": "tool", "name": "greet"]] {
        let answer = try await post(["tools": tools, "tool_choice": choice]).json
        let blocks = answer["content"]?.elements ?? []
        #expect(blocks.count == 1 && blocks[0]["type"]?.string == "tool_use" && blocks[0]["input"]?.members != nil, "\(answer)")
        #expect(answer["stop_reason"]?.string == "tool_use")
        if choice["name"] != nil { #expect(blocks[0]["input"]?["age"]?.integer != nil) }
      }
      let format: JSONValue = ["output_config": ["format": ["type": "json_schema", "schema": Self.person]]]
      #expect(try Self.isPerson(try await post(format).json["content"]?.elements?[0]["text"]?.string))
      #expect(try await post(["tools": tools, "tool_choice": ["type": "tool", "name": "x"]]).status == 400)
      #expect(try await post(["output_config": ["format": ["type": "json_schema", "schema": ["not": [:]]]]]).status == 400)
      #expect(try await post(["output_config": ["effort": "low"]]).status == 200)
      let unknown = try await post(["output_config": ["effort": "lots"]])
      #expect(unknown.status != 200 && unknown.text.contains("output_config.effort"), "\(unknown.text)")
    }
  }
}
