import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

@testable import SwiftletGeneration
@testable import SwiftletServer

@Suite struct PolicyTests {
  private static func policy(_ rules: JSONValue) throws -> Policy {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let file = folder.path + "/policy.json"
    try Data((["rules": rules] as JSONValue).serialized().utf8).write(to: URL(fileURLWithPath: file))
    return try Policy(file: file)
  }

  @Test func brokenRulesAreNamed() throws {
    let cases: [(JSONValue, String)] = [
      ([["name": "a", "pattern": "("]], "rules[0]: pattern"), ([["name": "a", "pattern": "a*"]], "every text"),
      ([["name": "a", "pattern": "(a{1000}){1000}"]], "too large"), ([["name": "a", "pattern": #"(a)\1"#]], "pattern"),
      ([["name": "a"]], "either a pattern or a literal"), ([["literal": "a"]], "name: is missing"),
      ([["name": "a", "literal": "a", "targets": "both"]], "\"targets\" is not known"),
      ([["name": "a", "literal": "a", "action": "block"]], "deny or allow"),
      ([["name": "a", "literal": "a"], ["name": "a", "literal": "b"]], "two rules"), ([3], "rules[0]"),
    ]
    for (rules, expected) in cases {
      let error = #expect(throws: SettingsError.self) { try Self.policy(rules) }
      #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
    }
  }

  @Test func theFirstRuleFoundDecides() throws {
    let policy = try Self.policy([
      ["name": "recipes", "action": "allow", "literal": "recipe", "target": "prompt"],
      ["name": "bombs", "pattern": "BOMB", "ignore_case": true],
      ["name": "end", "pattern": "x$|^y"],
    ])
    for (text, rule) in [
      ("a bomb", "bombs"), ("a Bomb", "bombs"), ("a recipe for a bomb", nil), ("nothing", nil), ("x", "end"), ("xy", nil),
      ("yx ", "end"), ("", nil),
    ] as [(String, String?)] {
      #expect(policy.refusal(ofPrompt: text)?.name == rule, "\(text)")
    }
  }

  /// However an answer is cut into tokens, the same text comes out, and never a part of what is denied.
  @Test func streamsHoldBackWhatMayBeDenied() throws {
    let policy = try Self.policy([
      ["name": "free", "action": "allow", "literal": "FREE"], ["name": "card", "pattern": "[0-9]{4}-[0-9]{4}"],
      ["name": "word", "literal": "秘密"],
    ])
    let cases: [(String, String, String?)] = [
      ("my card is 1234-5678, yes", "my card is ", "card"), ("from 1999-200 to 12345-67", "from 1999-200 to 12345-67", nil),
      ("12345-6789", "1", "card"), ("一个秘密。", "一个", "word"), ("秘 密", "秘 密", nil),
      ("FREE 1234-5678 秘密", "FREE 1234-5678 秘密", nil), ("1234-5678 FREE", "", "card"),
    ]
    for (text, sent, rule) in cases {
      for size in [1, 2, 3, 100] {
        var filter = PolicyFilter(policy.answerRules), output = "", denial: String?, tokens = 0
        let characters = Array(text),
          pieces = stride(from: 0, to: characters.count, by: size).map {
            String(characters[$0..<min($0 + size, characters.count)])
          }
        var events = pieces.map { piece in
          GenerationEvent.token(GeneratedToken(id: 1, parts: [.content(piece)], isReasoning: false, isEnd: false))
        }
        events.append(.finished(Self.summary))
        feed: for event in events {
          for result in filter.add(event) {
            switch result {
            case .event(.token(let token)):
              tokens += 1
              for case .content(let text) in token.parts { output += text }
            case .event: break
            case .denied(let rule):
              denial = rule.name
              break feed
            }
          }
        }
        #expect(denial == rule, "\(text) \(size)")
        // Whole tokens are dropped.
        #expect(size == 1 ? output == sent : sent.hasPrefix(output), "\(text) \(size): \(output)")
        if rule == nil { #expect(output == text && tokens == pieces.count) }
      }
    }
  }

  /// A token costs no more at the end of a long answer than at its beginning, and many rules find what one would.
  @Test(.timeLimit(.minutes(1))) func manyRulesFollowALongAnswer() throws {
    let rules = (0..<1000).map { index -> JSONValue in
      index % 2 == 0
        ? ["name": .string("\(index)"), "literal": .string("secret\(index)!")]
        : ["name": .string("\(index)"), "pattern": .string("secret\(index)[!?]")]
    }
    let policy = try Self.policy(.array(rules))
    var filter = PolicyFilter(policy.answerRules), count = 0, denied: String?
    let words = (0..<4000).map { "word\($0 % 7) sec " } + ["it is secr", "et77", "7? and", " more"]
    for word in words where denied == nil {
      let token = GenerationEvent.token(GeneratedToken(id: 1, parts: [.content(word)], isReasoning: false, isEnd: false))
      for result in filter.add(token) {
        switch result {
        case .event(.token(let token)): count += token.parts.isEmpty ? 0 : 1
        case .event: break
        case .denied(let rule): denied = rule.name
        }
      }
    }
    #expect(denied == "777" && count == 4000)
  }

  private static let summary = GenerationSummary(
    finishReason: .stop, parts: [], promptTokens: 1, cachedTokens: 0, completionTokens: 1, reasoningTokens: 0,
    prefillSeconds: 0, decodeSeconds: 0)

  @Test func promptsAndAnswersAreDenied() async throws {
    // What the tiny model answers is known once it has answered.
    let answer = try await TestServer.run { server async throws in
      try await server.post("/completions", Self.completion).json["choices"]?.elements?.first?["text"]?.string ?? ""
    }
    let scalars = Array(answer.unicodeScalars), middle = scalars.count / 2
    let denied = String(String.UnicodeScalarView(scalars[middle..<min(middle + 3, scalars.count)]))
    let policy = try Self.policy([
      ["name": "prompts", "target": "prompt", "pattern": "forbidden[a-z]+", "message": "Not here."],
      ["name": "answers", "target": "answer", "literal": .string(denied)],
    ])
    try await TestServer.run(change: { $0.policy = policy }) { server async throws in
      #expect(try await server.send("GET", "/policy").json["rules"]?.elements?.count == 2)
      for path in ["/chat/completions", "/v1/messages"] {
        let refused = try await server.post(path, TestServer.chat(text: "forbiddenthing"))
        #expect(refused.status == 400 && refused.text.contains("'prompts'") && refused.text.contains("Not here."))
      }
      let whole = try await server.post("/completions", Self.completion).json
      let choice = try #require(whole["choices"]?.elements?.first)
      #expect(choice["finish_reason"]?.string == "content_filter")
      #expect(choice["content_filter"]?["rule"]?.string == "answers")
      let text = choice["text"]?.string ?? "?"
      #expect(answer.hasPrefix(text) && !text.contains(denied))
      let streamed = try await server.post(
        "/completions", .object((Self.completion.members ?? []) + [JSONMember(key: "stream", value: true)]))
      let choices = try streamed.events.compactMap { $0["choices"]?.elements?.first }
      #expect(choices.compactMap { $0["text"]?.string }.joined() == text)
      #expect(choices.last?["finish_reason"]?.string == "content_filter")
      #expect(choices.last?["content_filter"]?["rule"]?.string == "answers")
      #expect(streamed.text.hasSuffix("data: [DONE]\n\n"))
      let metrics = try await server.send("GET", "/metrics").text
      #expect(metrics.contains(#"swiftlet_policy_denials_total{rule="prompts",target="prompt"} 2"#))
      #expect(metrics.contains(#"swiftlet_policy_denials_total{rule="answers",target="answer"} 2"#))
      #expect(server.log.lines.filter { $0.contains("policy") && $0.contains("answers") }.count == 2)
      #expect(!server.log.lines.contains { $0.contains("forbiddenthing") })
      // Others wait for those threads.
      #expect(!server.log.linesOfEventLoops.contains { $0.contains("policy") })
    }
  }

  private static let completion: JSONValue = [
    "model": "tiny", "prompt": "abc", "max_tokens": 30, "temperature": 0,
    "logit_bias": .object([JSONMember(key: "\(TinyModels.endToken)", value: -100)]),
  ]
}
