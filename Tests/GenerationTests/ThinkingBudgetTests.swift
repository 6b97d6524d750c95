import Foundation
import Swiftlet
import SwiftletConstraints
import SwiftletJSON
import SwiftletTestSupport
import Testing

@testable import SwiftletGeneration

/// Budgets of thought, on a tiny random model whose tokens are bytes and whose prompt opens a thought.
@Suite struct ThinkingBudgetTests {
  private let folder: TemporaryFolder
  private let thinker: LanguageModel

  init() throws {
    folder = try TemporaryFolder()
    thinker = try LanguageModel(path: TinyModels.chat(in: folder.path, opensThought: true), threadCount: 2)
  }

  private static func bytes(_ text: String) -> [Int32] { text.utf8.map { Int32($0) } }

  private func options(
    _ thinking: ThinkingBudget, limit: Int = 60, always token: Int? = nil, seed: UInt64 = 1
  ) -> GenerationOptions {
    GenerationOptions(
      temperature: 1, logitBias: token.map { [Int32($0): 1000] } ?? [:], seed: seed, maximumResponseTokens: limit,
      topLogProbabilities: 0, thinking: thinking)
  }

  /// The answer, and which of its tokens were forced.
  private func answer(
    _ options: GenerationOptions, change: (inout GenerationRequest) -> Void = { _ in }
  ) async throws -> (completion: Completion, forced: [Int32], isReasoning: [Bool]) {
    var request = try thinker.request(.text("Hi"), options: options)
    change(&request)
    var completion = Completion(), forced: [Int32] = [], isReasoning: [Bool] = []
    for try await event in try thinker.engine.generate(request) {
      completion.add(event)
      if case .token(let token) = event {
        if token.isForced { forced.append(token.id) }
        isReasoning.append(token.isReasoning)
        #expect(token.logProbabilities != nil)
      }
    }
    return (completion, forced, isReasoning)
  }

  @Test func namesAreRead() {
    #expect(ThinkingBudget("off") == .off && ThinkingBudget("0") == .off && ThinkingBudget("max") == .max)
    #expect(ThinkingBudget("low")?.maximum == 1024 && ThinkingBudget("high")?.maximum == 8192)
    #expect(ThinkingBudget("77") == ThinkingBudget(isEnabled: true, maximum: 77))
    for text in ["", "-1", "1.5", "Low", "none", "99999999999999999999"] { #expect(ThinkingBudget(text) == nil, "\(text)") }
    for text in ["off", "77", "max"] { #expect(ThinkingBudget(text)?.description == text) }
    #expect(ThinkingBudget(minimum: 3).description == "default, at least 3")
    #expect(ThinkingBudget(minimum: 3).templateVariables.map(\.value.bool) == [true, true])
    #expect(ThinkingBudget().templateVariables.isEmpty)
  }

  @Test func impossibleBudgetsAreRefused() throws {
    for budget in [ThinkingBudget(maximum: -1), ThinkingBudget(minimum: -1), ThinkingBudget(maximum: 5, minimum: 6)] {
      #expect(throws: GenerationError.self) { try options(budget).validate(vocabularySize: 300) }
    }
    try options(ThinkingBudget(maximum: 5, minimum: 5)).validate(vocabularySize: 300)
  }

  @Test func offClosesTheThoughtInThePrompt() async throws {
    let request = try thinker.request(.text("Hi"), options: options(.off))
    #expect(thinker.loaded.tokenizer?.decode(request.prompt).hasSuffix("<think>\n\n</think>\n\n") == true)
    let (completion, forced, isReasoning) = try await answer(options(.off))
    #expect(completion.reasoning.isEmpty && forced.isEmpty && !isReasoning.contains(true))
    #expect(completion.summary?.reasoningTokens == 0)
  }

  @Test func theEndIsForcedAtTheBudget() async throws {
    let closing = Self.bytes("\n</think>\n\n")
    let (free, _, _) = try await answer(options(.max))
    let (completion, forced, isReasoning) = try await answer(options(.tokens(10)))
    #expect(completion.tokens[..<10] == free.tokens[..<10] && Array(completion.tokens[10..<21]) == closing)
    #expect(forced == closing && completion.tokens.count == 60 && !completion.content.isEmpty)
    #expect(completion.summary?.reasoningTokens == isReasoning.count { $0 })
    #expect(free.content.isEmpty && free.summary?.reasoningTokens == 60)
    let again = try await answer(options(.tokens(10)))
    #expect(again.completion.tokens == completion.tokens)
  }

  /// A model that always wants to end is kept thinking.
  @Test func anEndThatComesTooSoonIsReplaced() async throws {
    let (completion, forced, _) = try await answer(options(ThinkingBudget(minimum: 18), always: TinyModels.endToken))
    #expect(completion.reasoning == "WaitWaitWaitWaitWait" && completion.tokens.last == Int32(TinyModels.endToken))
    #expect(forced == Self.bytes(completion.reasoning) && completion.summary?.reasoningTokens == 20)
    #expect(completion.summary?.finishReason == .stop && completion.tokens.count == 21)
    // The only token of its own choice is the end, which is as good as certain no more than the model held it.
    #expect(completion.logProbability != nil)
  }

  /// The budget counts before the minimum, so a thought never has more than that but for the tag.
  @Test func minimumAndMaximumTogether() async throws {
    let (completion, _, _) = try await answer(
      options(ThinkingBudget(maximum: 6, minimum: 6), always: TinyModels.endToken))
    #expect(completion.reasoning == "WaitWa")
    #expect(completion.tokens == Self.bytes("WaitWa\n</think>\n\n") + [Int32(TinyModels.endToken)])
  }

  @Test func theClosingTagIsReplacedToo() async throws {
    // The tag's beginning is forced, its last byte is what the model always wants.
    let (completion, _, _) = try await answer(options(.max, limit: 30, always: Int(UInt8(ascii: ">")))) { request in
      request.thoughtLimit = ThoughtLimit(
        tokens: 0, closing: Self.bytes("</think"), minimum: 20, continuation: Self.bytes("Wait"))
    }
    #expect(completion.reasoning.hasPrefix("</thinkWait>>>") && completion.content.isEmpty)
    let (ended, _, _) = try await answer(options(.max, limit: 30, always: Int(UInt8(ascii: ">")))) { request in
      request.thoughtLimit = ThoughtLimit(
        tokens: 0, closing: Self.bytes("</think"), minimum: 7, continuation: Self.bytes("Wait"))
    }
    #expect(ended.reasoning.isEmpty && ended.content == String(repeating: ">", count: 22))
  }

  /// Stop texts are for what the model says.
  @Test func whatIsForcedStopsNothing() async throws {
    var kept = options(ThinkingBudget(minimum: 18), always: TinyModels.endToken)
    kept.stop = ["Wait", "tW"]
    let (waiting, _, _) = try await answer(kept)
    #expect(waiting.reasoning == "WaitWaitWaitWaitWait" && waiting.summary?.stopText == nil)
    var closed = options(.tokens(5), limit: 30, always: 97)
    closed.stop = ["</think>", "a\n", "\n\na"]
    let (completion, _, _) = try await answer(closed)
    #expect(completion.reasoning == "aaaaa" && completion.content == String(repeating: "a", count: 14))
    closed.stop = ["aaaaaa"]
    let stopped = try await answer(closed).completion
    #expect(stopped.reasoning == "aaaaa" && stopped.content.isEmpty && stopped.summary?.stopText == "aaaaaa")
  }

  @Test func theLimitOfTokensHolds() async throws {
    let (completion, _, _) = try await answer(
      options(ThinkingBudget(minimum: 1000), limit: 30, always: TinyModels.endToken))
    #expect(completion.tokens.count == 30 && completion.summary?.finishReason == .length)
  }

  /// Of what room there is the answer takes what it needs.
  @Test func structuredAnswersKeepTheirRoom() async throws {
    let schema = try JSONSchema(JSONValue(parsing: #"{"type":"object","properties":{"n":{"enum":[12,34]}},"required":["n"]}"#))
    for token in [TinyModels.endToken, nil] {
      var options = options(ThinkingBudget(minimum: 500), limit: 90, always: token)
      options.constraint = .schema(schema)
      let completion = try await thinker.complete(.text("Hi"), options: options)
      #expect(completion.content.contains("\"n\"") && completion.content.hasSuffix("}"), "\(completion.content)")
      #expect(completion.tokens.count <= 90 && completion.summary?.finishReason == .stop)
    }
  }

  /// Guesses change no token.
  @Test func guessesAndCompanyChangeNothing() async throws {
    for budget in [ThinkingBudget(maximum: 25, minimum: 18), .tokens(12)] {
      for token in [TinyModels.endToken, nil] {
        var asked = options(budget, always: token)
        asked.drafting = .none
        let plain = try await answer(asked).completion
        asked.drafting = .promptLookup
        let quiet = asked
        async let first = answer(quiet).completion.tokens
        async let second = answer(quiet).completion.tokens
        let both = try await [first, second]
        #expect(both == [plain.tokens, plain.tokens])
      }
    }
  }

  @Test func aThoughtThatAPrefixBeganGoesOn() throws {
    let tokenizer = try #require(thinker.loaded.tokenizer)
    let request = GenerationRequest(
      renderedPrompt: "x<think>\n", prefix: AnswerPrefix(reasoning: "So"), tokenizer: tokenizer, options: options(.off))
    #expect(tokenizer.decode(request.prompt) == "x<think>\n\n</think>\n\n<think>\nSo")
    #expect(request.promptOpensThought && request.continuesThought && request.thoughtLimit == nil)
    let said = GenerationRequest(
      renderedPrompt: "x<think>\n", prefix: AnswerPrefix(content: "So"), tokenizer: tokenizer, options: options(.max))
    #expect(tokenizer.decode(said.prompt) == "x<think>\n\n</think>\n\nSo" && !said.promptOpensThought)
    #expect(!said.continuesThought)
  }

  // MARK: Several answers

  @Test func oneOfSeveralIsChosen() async throws {
    var asked = options(.off, limit: 12)
    asked.topLogProbabilities = nil
    let answers = try await thinker.sample(.text("Hi"), count: 5, choosing: .likelihood, options: asked)
    let again = try await thinker.sample(.text("Hi"), count: 5, choosing: .likelihood, options: asked)
    #expect(answers.completions.map(\.tokens) == again.completions.map(\.tokens) && answers.scores == again.scores)
    #expect(Set(answers.completions.map(\.tokens)).count > 1)
    #expect(answers.scores[answers.chosen] == answers.scores.compactMap { $0 }.max())
    var second = asked
    second.sampleIndex = 1
    #expect(try await thinker.complete(.text("Hi"), options: second).tokens == answers.completions[1].tokens)
    let voted = try await thinker.sample(.text("Hi"), count: 5, choosing: .vote, options: asked)
    #expect(voted.completions.map(\.tokens) == answers.completions.map(\.tokens) && voted.vote != nil)
    let graded = try await thinker.sample(
      .text("Hi"), count: 3, choosing: .grader(GraderCommand("grep -c x || true")), options: asked)
    #expect(graded.scores.count == 3 && graded.failures.isEmpty)
    let broken = try await thinker.sample(.text("Hi"), count: 2, choosing: .grader(GraderCommand("exit 3")), options: asked)
    #expect(broken.chosen == 0 && broken.scores == [nil, nil] && broken.failures.count == 2)
  }

  @Test func theChosenAnswerIsRemembered() async throws {
    let session = LanguageModelSession(model: thinker)
    let answers = try await session.respond(to: "Hi", samples: 3, options: options(.off, limit: 8))
    #expect(session.transcript.entries.count == 2 && !session.isResponding)
    #expect(session.transcript.entries.last == .response(content: answers.best.content, reasoning: ""))
  }
}
