import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

@testable import SwiftletGeneration
@testable import SwiftletServer

@Suite struct ToolCallTests {
  private static func token(_ text: String) -> GenerationEvent {
    .token(GeneratedToken(id: 1, parts: [.content(text)], isReasoning: false, isEnd: false))
  }

  private static func end(_ reason: FinishReason = .stop) -> GenerationEvent {
    .finished(
      GenerationSummary(
        finishReason: reason, parts: [], promptTokens: 1, cachedTokens: 0, completionTokens: 3, reasoningTokens: 0,
        prefillSeconds: 0, decodeSeconds: 0))
  }

  /// What a stream tells, joined: the text, and of each call its name and its arguments.
  private struct Told: Equatable {
    var content = ""
    var names: [String] = []
    var arguments: [String] = []

    mutating func add(_ pieces: [AnswerPiece]) {
      for piece in pieces {
        switch piece {
        case .reasoning: break
        case .content(let text): content += text
        case .call(let index, let name):
          #expect(index == names.count)
          names.append(name)
          arguments.append("")
        case .arguments(let index, let text):
          #expect(index == names.count - 1)
          arguments[arguments.count - 1] += text
        }
      }
    }
  }

  private static func answer(
    _ texts: [String], _ reason: FinishReason = .stop, callLimit: Int? = nil
  ) -> (told: Told, choice: ChoiceState) {
    var choice = ChoiceState(findsCalls: true, callLimit: callLimit), told = Told()
    for text in texts { told.add(choice.add(token(text))) }
    told.add(choice.add(end(reason)))
    return (told, choice)
  }

  @Test func callsEndAnAnswerAsSuch() {
    let texts = ["Let me see.", "\n<tool_", "call>{\"name\": \"f\", \"arguments\": {\"x\"", ": 1}", "}", "</tool_call>"]
    let (told, choice) = Self.answer(texts)
    #expect(choice.content == "Let me see." && choice.finishReason == "tool_calls")
    #expect(choice.toolCalls == [ToolCall(name: "f", arguments: #"{"x": 1}"#)])
    #expect(told == Told(content: "Let me see.", names: ["f"], arguments: [#"{"x": 1}"#]))
    // Without tools it is text like any other.
    var plain = ChoiceState()
    plain.add(Self.token("<tool_call>{\"name\": \"f\"}</tool_call>"))
    plain.add(Self.end())
    #expect(plain.content == "<tool_call>{\"name\": \"f\"}</tool_call>" && plain.finishReason == "stop")
    // And so it is in a thought.
    var thinking = ChoiceState(findsCalls: true)
    let thought = GeneratedToken(
      id: 1, parts: [.reasoning("<tool_call>{\"name\": \"f\"}</tool_call>")], isReasoning: true, isEnd: false)
    thinking.add(.token(thought))
    thinking.add(Self.end())
    #expect(thinking.toolCalls.isEmpty && thinking.finishReason == "stop" && thinking.reasoning.hasPrefix("<tool_call>"))
  }

  /// A stream has told of a call that is cut off; the whole answer has its text.
  @Test(arguments: [(FinishReason.length, "length"), (.stop, "stop")]) func callsAreCutOff(
    _ reason: FinishReason, _ name: String
  ) {
    let text = "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": \"a"
    let (told, choice) = Self.answer(["Well. ", text], reason)
    #expect(choice.content == "Well. " + text && choice.toolCalls.isEmpty && choice.finishReason == name)
    #expect(told == Told(content: "Well.", names: ["f"], arguments: [#"{"x": "a"#]))
    // One that is whole stays a call.
    let (_, whole) = Self.answer(["<tool_call>{\"name\": \"f\", \"arguments\": {}}", text], reason)
    #expect(whole.toolCalls.count == 1 && whole.finishReason == (reason == .stop ? "tool_calls" : name))
  }

  @Test func callsAreCounted() {
    let calls = ["f", "g", "h"].map { "<tool_call>{\"name\": \"\($0)\", \"arguments\": {}}</tool_call>\n" }
    #expect(Self.answer(calls).told.names == ["f", "g", "h"])
    for limit in 1...2 {
      let (told, choice) = Self.answer(calls, callLimit: limit)
      #expect(told.names == Array(["f", "g", "h"].prefix(limit)) && choice.toolCalls.map(\.name) == told.names)
      #expect(told.arguments == choice.toolCalls.map(\.arguments) && choice.finishReason == "tool_calls")
    }
    // One that is left out and cut off is text, of which nothing has been told.
    let (told, choice) = Self.answer([calls[0], "<tool_call>{\"name\": \"g\", \"arguments\": {\"x\""], .length, callLimit: 1)
    #expect(told.names == ["f"] && told.content == choice.content && told.content.hasSuffix("{\"x\""))
  }

  /// One that breaks off leaves its place to the next, which has a number of its own in a stream.
  @Test func brokenCallsDoNotCount() {
    let broken = "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": oops}}</tool_call>\n"
    let calls = ["g", "h"].map { "<tool_call>{\"name\": \"\($0)\", \"arguments\": {}}</tool_call>\n" }
    let (told, choice) = Self.answer([broken] + calls, callLimit: 1)
    #expect(choice.toolCalls == [ToolCall(name: "g", arguments: "{}")] && choice.finishReason == "tool_calls")
    #expect(told.names == ["f", "g"] && told.arguments == [#"{"x": "#, "{}"])
    #expect(choice.content.contains("oops") && !choice.content.contains("\"g\""))
  }

  /// An answer that the server ends has what has come of it.
  @Test func theServerEndsAnAnswer() throws {
    let text = "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": \"a"
    for begin in [text, "<tool_call>{\"name\": \"f\"", "Hm. <tool"] {
      var choice = ChoiceState(findsCalls: true), told = Told()
      told.add(choice.add(Self.token(begin)))
      told.add(choice.cut())
      #expect(choice.content == begin && choice.finishReason == "insufficient_system_resource")
      #expect(begin == text ? told.arguments == [#"{"x": "a"#] : told.content == begin)
      #expect(choice.cut().isEmpty)
    }
  }

  /// The policy reads what the model writes, so it sees arguments before they are told.
  @Test func thePolicyReadsArguments() throws {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let file = folder.path + "/policy.json"
    try Data(#"{"rules": [{"name": "word", "literal": "secret"}]}"#.utf8).write(to: URL(fileURLWithPath: file))
    let rules = try Policy(file: file).answerRules
    let text = "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": \"the secret is\"}}</tool_call>"
    for size in [1, 3, 8] {
      let scalars = Array(text.unicodeScalars)
      var filter = PolicyFilter(rules), choice = ChoiceState(findsCalls: true), told = Told()
      feed: for start in stride(from: 0, to: scalars.count, by: size) {
        let part = String(String.UnicodeScalarView(scalars[start..<min(start + size, scalars.count)]))
        for output in filter.add(Self.token(part)) {
          switch output {
          case .event(let event): told.add(choice.add(event))
          case .denied(let rule):
            told.add(choice.deny(by: rule))
            break feed
          }
        }
      }
      #expect(choice.finishReason == "content_filter" && choice.toolCalls.isEmpty)
      let arguments = try #require(told.arguments.first)
      #expect(#"{"x": "the "#.hasPrefix(arguments) && arguments.hasPrefix(#"{"x": "#) && told.content.isEmpty)
      #expect(choice.content == "<tool_call>{\"name\": \"f\", \"arguments\": " + arguments)
    }
  }

  /// Clients send back what they got: of a function without parameters nothing at all.
  @Test(arguments: [false, true]) func argumentsOfEarlierCallsMayBeEmpty(_ parsesArguments: Bool) throws {
    func arguments(_ value: JSONValue) throws -> JSONValue? {
      let call: JSONValue = ["id": "c", "type": "function", "function": ["name": "f", "arguments": value]]
      let body: JSONValue = ["messages": [["role": "assistant", "content": nil, "tool_calls": [call]]]]
      let chat = try ChatMessages(Fields(body), parsesArguments: parsesArguments)
      return chat.messages.first?["tool_calls"]?.elements?.first?["function"]?["arguments"]
    }
    let empty: [JSONValue] = ["", " \n", .null, "{}"]
    for value in empty {
      #expect(try arguments(value)?.serialized() == (parsesArguments ? "{}" : "\"{}\""))
    }
    #expect(try arguments("{\"x\": 1}")?.serialized() == (parsesArguments ? "{\"x\":1}" : "\"{\\\"x\\\": 1}\""))
    if parsesArguments { #expect(throws: APIError.self) { try arguments("{") } }
  }

  // MARK: - Over HTTP

  private static let parameters: JSONValue = [
    "type": "object", "properties": ["text": ["type": "string"], "count": ["type": "integer", "minimum": 0, "maximum": 99]],
    "required": ["text", "count"], "additionalProperties": false,
  ]

  @Test func aStreamTellsWhatAWholeAnswerHas() async throws {
    try await TestServer.run { server async throws in
      for seed in 0..<3 {
        let fields: [JSONMember] = [
          JSONMember(key: "tools", value: [["type": "function", "function": ["name": "f", "parameters": Self.parameters]]]),
          JSONMember(key: "tool_choice", value: "required"), JSONMember(key: "max_tokens", value: 400),
          JSONMember(key: "temperature", value: 2), JSONMember(key: "seed", value: .integer(seed)),
          JSONMember(key: "n", value: 2),
        ]
        let whole = try await server.post("/chat/completions", TestServer.chat(.object(fields))).json["choices"]?.elements ?? []
        let streaming = TestServer.chat(.object(fields + [JSONMember(key: "stream", value: true)]))
        let choices = try await server.post("/chat/completions", streaming).events.compactMap { $0["choices"]?.elements?.first }
        #expect(whole.count == 2)
        for choice in whole {
          let own = choices.filter { $0["index"]?.integer == choice["index"]?.integer }
          let deltas = own.flatMap { $0["delta"]?["tool_calls"]?.elements ?? [] }
          let calls = choice["message"]?["tool_calls"]?.elements ?? []
          #expect(!calls.isEmpty && own.last?["finish_reason"]?.string == choice["finish_reason"]?.string)
          for (index, call) in calls.enumerated() {
            let parts = deltas.filter { $0["index"]?.integer == index }
            #expect(parts.count > 3, "more than the name and one piece")
            let first = try #require(parts.first)
            #expect(first["id"]?.string?.hasPrefix("call_") == true && first["type"]?.string == "function")
            #expect(first["function"]?["name"]?.string == "f" && first["function"]?["arguments"]?.string == "")
            #expect(parts.dropFirst().allSatisfy { $0["id"] == nil && $0["function"]?["name"] == nil })
            let joined = parts.compactMap { $0["function"]?["arguments"]?.string }.joined()
            #expect(joined == call["function"]?["arguments"]?.string)
            #expect(try JSONValue(parsing: joined)["count"]?.integer != nil)
          }
          #expect(Set(deltas.compactMap { $0["index"]?.integer }).count == calls.count)
          #expect(Set(deltas.compactMap { $0["id"]?.string }).count == calls.count)
        }
      }
    }
  }

  @Test func anthropicsStreamToo() async throws {
    try await TestServer.run { server async throws in
      let fields: [JSONMember] = [
        JSONMember(key: "model", value: "tiny"), JSONMember(key: "max_tokens", value: 400),
        JSONMember(key: "messages", value: [["role": "user", "content": "Hi"]]),
        JSONMember(key: "tools", value: [["name": "f", "input_schema": Self.parameters]]),
        JSONMember(key: "tool_choice", value: ["type": "any"]), JSONMember(key: "stream", value: true),
      ]
      let events = try await server.post("/v1/messages", .object(fields)).events
      let starts = events.filter { $0["type"]?.string == "content_block_start" }
      #expect(
        !starts.isEmpty && events.last { $0["type"]?.string == "message_delta" }?["delta"]?["stop_reason"]?.string == "tool_use")
      #expect(events.filter { $0["type"]?.string == "content_block_stop" }.count == starts.count)
      for start in starts {
        let block = start["content_block"]
        #expect(block?["type"]?.string == "tool_use" && block?["input"]?.members?.isEmpty == true)
        let deltas = events.filter {
          $0["type"]?.string == "content_block_delta" && $0["index"]?.integer == start["index"]?.integer
        }
        let parts = deltas.compactMap { $0["delta"]?["partial_json"]?.string }
        #expect(parts.count == deltas.count && parts.count > 3)
        #expect(try JSONValue(parsing: parts.joined())["count"]?.integer != nil)
      }
    }
  }
}
