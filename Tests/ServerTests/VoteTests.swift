import Swiftlet
import SwiftletJSON
import Testing

@testable import SwiftletGeneration
@testable import SwiftletServer

/// One of several answers, chosen by the server.
@Suite struct VoteTests {
  private static func chat(_ more: JSONValue) -> JSONValue {
    var members = TestServer.chat(["temperature": 1, "seed": 3]).members ?? []
    members += more.members ?? []
    return .object(members)
  }

  @Test(arguments: [("vote", JSONValue.bool(true)), ("best_by", "likelihood")]) func oneAnswerIsGiven(
    name: String, value: JSONValue
  ) async throws {
    try await TestServer.run { server async throws in
      let all = try await server.post("/chat/completions", Self.chat(["n": 6])).json
      let texts = all["choices"]?.elements?.compactMap { $0["message"]?["content"]?.string } ?? []
      let body = Self.chat(.object([JSONMember(key: "n", value: 6), JSONMember(key: name, value: value)]))
      let one = try await server.post("/chat/completions", body).json
      let choices = try #require(one["choices"]?.elements)
      let chosen = try #require(one["swiftlet"]?["chosen"]?.integer)
      #expect(choices.count == 1 && choices[0]["index"]?.integer == 0 && choices[0]["logprobs"]?.isNull == true)
      #expect(choices[0]["message"]?["content"]?.string == texts[chosen] && texts.count == 6)
      #expect(one["usage"]?["completion_tokens"]?.integer == all["usage"]?["completion_tokens"]?.integer)
      #expect(one["swiftlet"]?["samples"]?.integer == 6)
      if name == "vote" {
        let counts = one["swiftlet"]?["vote"]?["counts"]?.elements?.compactMap { $0["votes"]?.integer } ?? []
        #expect(counts == counts.sorted(by: >))
        #expect(counts.reduce(0, +) + (one["swiftlet"]?["vote"]?["blank"]?.integer ?? 0) == 6)
      } else {
        let scores = one["swiftlet"]?["scores"]?.elements?.compactMap(\.double) ?? []
        #expect(scores.count == 6 && scores[chosen] == scores.max())
      }
      let again = try await server.post("/chat/completions", body).json
      #expect(again["swiftlet"]?.serialized() == one["swiftlet"]?.serialized())
      #expect(all["swiftlet"] == nil)
    }
  }

  @Test func whatCannotWorkIsRefused() async throws {
    try await TestServer.run { server async throws in
      let tool: JSONValue = ["type": "function", "function": ["name": "f"]]
      for (more, reason) in [
        (["vote": true], "give \"n\""), (["vote": true, "n": 1], "give \"n\""),
        (["vote": true, "n": 2, "stream": true], "stream"),
        (["vote": true, "n": 2, "tools": .array([tool])], "tools"), (["vote": "yes", "n": 2], "vote"),
        (["vote": true, "n": 2, "best_by": "likelihood"], "one way"), (["best_by": "likelihood"], "give \"n\""),
      ] as [(JSONValue, String)] {
        let answer = try await server.post("/chat/completions", Self.chat(more))
        #expect(answer.status == 400)
        #expect(try answer.json["error"]?["message"]?.string?.contains(reason) == true, "\(answer.text)")
      }
      let unknown = try await server.post("/chat/completions", Self.chat(["best_by": "votes", "n": 2]))
      #expect(unknown.status == 422 && unknown.text.contains("expected likelihood"))
      let off = try await server.post("/chat/completions", Self.chat(["vote": false, "n": 2])).json
      #expect(off["choices"]?.elements?.count == 2 && off["swiftlet"] == nil)
    }
  }

  /// An answer that was cut off is not given where there is a whole one, though none has a vote.
  @Test(arguments: [AnswerChoice.vote, .likelihood]) func wholeAnswersGoFirst(choice: AnswerChoice) {
    var cut = ChoiceState(), whole = ChoiceState()
    cut.add(.token(GeneratedToken(id: 1, parts: [.content("4")], isReasoning: false, isEnd: false)))
    cut.cut()
    whole.add(
      .finished(
        GenerationSummary(
          finishReason: .stop, stopText: nil, parts: [], promptTokens: 1, cachedTokens: 0, completionTokens: 1,
          reasoningTokens: 0, prefillSeconds: 1, decodeSeconds: 1)))
    #expect(AnswerSelection([cut, whole, whole], by: choice).chosen == 1)
    #expect(AnswerSelection([cut, cut], by: choice).chosen == 0)
  }

  @Test func effortsAreRead() throws {
    func budget(_ body: JSONValue) throws -> ThinkingBudget { try ThinkingBudget(Fields(body), alias: nil, isAnthropic: true) }
    #expect(try budget(["output_config": ["effort": "low"], "reasoning_effort": "high"]).maximum == ThinkingBudget.lowTokens)
    #expect(try budget(["output_config": ["format": nil], "reasoning_effort": "high"]).maximum == ThinkingBudget.highTokens)
    #expect(try ThinkingBudget(Fields(["output_config": ["effort": "low"]]), alias: nil).maximum == nil)
  }

  /// A thought has at least `min_tokens`, whatever the model wants.
  @Test func thoughtsAreKeptUp() async throws {
    try await TestServer.run(opensThought: true) { server async throws in
      func answer(_ thinking: JSONValue) async throws -> TestServer.Answer {
        try await server.post(
          "/chat/completions",
          Self.chat(["max_tokens": 60, "thinking": thinking, "logit_bias": ["256": 100]]))
      }
      let kept = try await answer(["type": "enabled", "min_tokens": 20]).json
      #expect(kept["choices"]?.elements?[0]["message"]?["reasoning_content"]?.string == "WaitWaitWaitWaitWait")
      #expect(kept["usage"]?["completion_tokens_details"]?["reasoning_tokens"]?.integer == 20)
      #expect(kept["usage"]?["completion_tokens"]?.integer == 21)
      let plain = try await answer(["type": "enabled"]).json
      #expect(plain["usage"]?["completion_tokens"]?.integer == 1)
      let refused = try await answer(["type": "enabled", "budget_tokens": 5, "min_tokens": 6])
      #expect(try refused.status == 422 && refused.json["error"]?["param"]?.string == "thinking.min_tokens")
    }
  }
}
