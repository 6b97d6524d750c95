import SwiftletJSON
import Testing

@testable import SwiftletGeneration
@testable import SwiftletServer

@Suite struct ToolCallTests {
  private static func token(_ text: String) -> GenerationEvent {
    .token(GeneratedToken(id: 1, parts: [.content(text)], isReasoning: false, isEnd: false))
  }

  private static let end = GenerationEvent.finished(
    GenerationSummary(
      finishReason: .stop, parts: [], promptTokens: 1, cachedTokens: 0, completionTokens: 3, reasoningTokens: 0,
      prefillSeconds: 0, decodeSeconds: 0))

  @Test func callsEndAnAnswerAsSuch() {
    var choice = ChoiceState(findsCalls: true)
    for text in ["Let me see.", "\n<tool_", "call>{\"name\": \"f\", \"arguments\": {\"x\": 1}}", "</tool_call>"] {
      _ = choice.add(Self.token(text))
    }
    _ = choice.add(Self.end)
    #expect(choice.content == "Let me see." && choice.finishReason == "tool_calls")
    #expect(choice.toolCalls == [ToolCall(name: "f", arguments: #"{"x":1}"#)])
    // Without tools it is text like any other.
    var plain = ChoiceState()
    _ = plain.add(Self.token("<tool_call>{\"name\": \"f\"}</tool_call>"))
    _ = plain.add(Self.end)
    #expect(plain.content == "<tool_call>{\"name\": \"f\"}</tool_call>" && plain.finishReason == "stop")
  }
}
