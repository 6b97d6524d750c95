import Foundation
import SwiftletJSON
import Testing

@testable import SwiftletChatTemplates

/// The built-in templates beside the published ones, as jinja2 renders these, and beside the official encoding of V3.2.
struct BuiltInTemplateTests {
  /// Where the published template has a text for the conversation. (Both fail on messages without what they need; where is not compared.)
  @Test(arguments: [
    (BuiltInTemplate.deepseekV2, "original-DeepSeek-V2"), (.deepseekV25, "original-DeepSeek-V2.5"),
    (.deepseekV3, "original-DeepSeek-V3"), (.deepseekR1, "deepseek-ai-DeepSeek-R1"), (.deepseekV31, "original-DeepSeek-V3.1"),
  ])
  func rendersLikeThePublishedTemplate(builtIn: BuiltInTemplate, name: String) throws {
    let fixture = try Fixtures.json("template-\(name).json")
    let results = try #require(fixture["results"]?.elements).flatMap { $0.elements ?? [] }
    let template = try ChatTemplate(source: builtIn.source)
    let chats = try Fixtures.chats()
    #expect(results.count == chats.count)
    var compared = 0
    for (place, (chat, result)) in zip(chats, results).enumerated() {
      guard var expected = result["text"]?.string else { continue }
      if builtIn == .deepseekV25 {
        // Its text has eight spaces before the beginning of sequence for every message of the system.
        expected = String(expected.trimmingPrefix { $0 == " " })
      }
      if builtIn == .deepseekR1, expected.hasSuffix("<｜Assistant｜>") {
        // The text in this fixture is the first that was published; since then R1 is made to begin with a thought.
        expected += "<think>\n"
      }
      compared += 1
      let outcome = Outcome { () throws(TemplateError) in try chat.render(template) }
      #expect(outcome == .text(expected), "conversation \(place / 4), flags \(place % 4)")
    }
    #expect(compared > 150)
  }

  private func encode(_ conversation: JSONValue, thinking: Bool) -> Outcome {
    Outcome { () throws(TemplateError) in
      try ChatTemplate(source: BuiltInTemplate.deepseekV32.source).render(
        messages: conversation["messages"] ?? .null, tools: conversation["tools"], addGenerationPrompt: true,
        variables: [
          JSONMember(key: "bos_token", value: "<｜begin▁of▁sentence｜>"), JSONMember(key: "thinking", value: .bool(thinking)),
        ], time: Fixtures.time)
    }
  }

  /// `encoding/test_input.json` and `test_output.txt` of DeepSeek-V3.2.
  @Test func encodesV32LikeItsPublishedGolden() throws {
    let file = Fixtures.folder.deletingLastPathComponent().appending(path: "originals/DeepSeek-V3.2.json")
    let golden = try JSONValue(parsing: [UInt8](Data(contentsOf: file)))
    #expect(encode(try #require(golden["input"]), thinking: true) == .text(try #require(golden["output"]?.string)))
  }

  @Test func encodesV32LikeTheOfficialProgram() throws {
    let cases = try #require(try Fixtures.json("encoding-DeepSeek-V3.2.json").elements)
    #expect(cases.count > 120)
    for (place, conversation) in cases.enumerated() {
      let outcome = encode(conversation, thinking: try #require(conversation["thinking"]?.bool))
      if let text = conversation["text"]?.string {
        #expect(outcome == .text(text), "case \(place)")
      } else if case .text(let text) = outcome {
        // The official program has no place for a developer's message before the last user's.
        #expect(conversation["messages"]?.elements?.first?["role"]?.string == "developer", "case \(place): \(text)")
      }
    }
  }

  @Test func v32SaysWhyItRefuses() {
    func reason(_ messages: JSONValue) -> String? {
      if case .raised(let reason) = encode(["messages": messages], thinking: true) { reason } else { nil }
    }
    #expect(
      reason([["role": "critic", "content": "x"]])?.hasSuffix("expected system, developer, user, assistant or tool") == true)
    #expect(reason([["role": "user", "content": "q"], ["role": "tool", "content": "1"]])?.contains("message 1 ") == true)
    #expect(
      reason([["role": "user", "content": "q"], ["role": "assistant", "content": "a"]])?.contains("reasoning_content") == true)
  }

  @Test(arguments: [BuiltInTemplate.deepseekR1, .deepseekV31, .deepseekV32], [false, true])
  func thoughtsOfEarlierTurnsAreLeftOut(builtIn: BuiltInTemplate, thinking: Bool) throws {
    let answer: JSONValue =
      builtIn == .deepseekV32
      ? ["role": "assistant", "reasoning_content": "secret", "content": "Four."]
      : ["role": "assistant", "content": "<think>secret</think>Four."]
    let text = try ChatTemplate(source: builtIn.source).render(
      messages: [["role": "user", "content": "2+2?"], answer, ["role": "user", "content": "And 3+3?"]],
      addGenerationPrompt: true, variables: [JSONMember(key: "enable_thinking", value: .bool(thinking))], time: Fixtures.time)
    #expect(text.contains("Four.<｜end▁of▁sentence｜><｜User｜>And 3+3?<｜Assistant｜>"))
    #expect(!text.contains("secret"))
    switch builtIn {
    case .deepseekR1: #expect(text.hasSuffix("<｜Assistant｜><think>\n"))
    default: #expect(text.hasSuffix("<｜Assistant｜>" + (thinking ? "<think>" : "</think>")))
    }
  }

  @Test(arguments: BuiltInTemplate.allCases) func theAnswersStartCanBeLeftOut(builtIn: BuiltInTemplate) throws {
    let template = try ChatTemplate(source: builtIn.source)
    func text(_ addGenerationPrompt: Bool) throws -> String {
      try template.render(
        messages: [["role": "user", "content": "Hi"]], addGenerationPrompt: addGenerationPrompt,
        variables: [JSONMember(key: "bos_token", value: ""), JSONMember(key: "eos_token", value: "")], time: Fixtures.time)
    }
    #expect(try text(false) == (builtIn == .deepseekV2 ? "User: Hi\n\n" : "<｜User｜>Hi"))
    #expect(try text(true).hasPrefix(text(false) + (builtIn == .deepseekV2 ? "Assistant:" : "<｜Assistant｜>")))
  }
}
