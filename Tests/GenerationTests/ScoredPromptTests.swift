import Foundation
import SwiftletModels
import SwiftletTensors
import SwiftletTestSupport
import Testing

@testable import SwiftletGeneration

/// Log-probabilities of a prompt's own tokens.
@Suite struct ScoredPromptTests {
  struct Answer: Equatable {
    var scores: [TokenLogProbabilities] = []
    var tokens: [Int32] = []
    var cachedTokens = 0
    var reason: FinishReason?
  }

  private func answer(_ engine: Engine, _ prompt: [Int32], _ options: GenerationOptions) async throws -> Answer {
    var answer = Answer(), isPromptDone = false
    for try await event in try engine.generate(GenerationRequest(prompt: prompt, options: options)) {
      switch event {
      case .promptScored(let scores):
        #expect(!isPromptDone)
        answer.scores += scores
      case .promptDone(_, let cached, _):
        isPromptDone = true
        answer.cachedTokens = cached
      case .token(let token): answer.tokens.append(token.id)
      case .finished(let summary): answer.reason = summary.finishReason
      }
    }
    return answer
  }

  /// More tokens than a chunk of scored rows has.
  private static let prompt = (0..<150).map { Int32($0 * 7 % 23 + 10) }

  @Test(arguments: ["deepseek-v3-next-token", "llama-gqa-tied", "quantized-deepseek2.gguf"])
  func areThoseOfTheLogits(_ name: String) async throws {
    let decoder = try DraftingTests.checkpoint(name), prompt = Self.prompt
    let engine = Engine(decoder: decoder, tokenizer: nil, endTokens: [5], threadCount: 2, contextLength: 300)
    let options = GenerationOptions(
      temperature: 0, maximumResponseTokens: 0, topLogProbabilities: 2, scoresPrompt: true)
    let alone = try await answer(engine, prompt, options)
    #expect(alone.scores.count == prompt.count - 1 && alone.tokens.isEmpty && alone.reason == .length)
    let compute = Compute(threadCount: 1), cache = decoder.makeCache(capacity: 300)
    let logits = decoder.forward(
      [.init(tokens: prompt.map(Int.init), cache: cache, output: .all)], role: .prompt, compute: compute)
    for (row, score) in alone.scores.enumerated() {
      let values = UnsafeBufferPointer(start: logits.floats + row * logits.shape.columns, count: logits.shape.columns).map {
        Double($0)
      }
      let largest = try #require(values.max()), total = log(values.reduce(0) { $0 + exp($1 - largest) })
      #expect(abs(values[Int(prompt[row + 1])] - largest - total - score.chosen) < 1e-4, "\(row)")
      let likeliest = try #require(score.top.first)
      #expect(score.top.count == 2 && values[Int(likeliest.id)] == largest)
    }
    // Beside others, behind the same prompt in a cache, and with an answer.
    var plain = options, answering = options
    plain.scoresPrompt = false
    plain.maximumResponseTokens = 20
    answering.maximumResponseTokens = 4
    let other = Array(prompt.reversed())
    async let first = answer(engine, prompt, plain)
    async let second = answer(engine, other, options)
    async let third = answer(engine, prompt, answering)
    async let fourth = answer(engine, Array(prompt.prefix(1)), options)
    let (answered, reversed, both, one) = try await (first, second, third, fourth)
    #expect(both.scores == alone.scores && both.cachedTokens == 0)
    #expect(both.tokens == Array(answered.tokens.prefix(4)) && both.tokens.count == 4)
    #expect(reversed.scores.count == prompt.count - 1 && reversed.scores != alone.scores)
    #expect(one == Answer(reason: .length))
    let again = try await answer(engine, prompt, options)
    #expect(again == alone)
    // What was scored serves as a prefix.
    #expect(try await answer(engine, prompt, plain).tokens == answered.tokens)
  }

  @Test func optionsThatDoNotGoTogetherAreNamed() throws {
    for (options, name) in [
      (GenerationOptions(scoresPrompt: true), "scores_prompt"), (GenerationOptions(maximumResponseTokens: 0), "max_tokens"),
      (GenerationOptions(maximumResponseTokens: -1, topLogProbabilities: 0, scoresPrompt: true), "max_tokens"),
    ] {
      let error = #expect(throws: GenerationError.self) { try options.validate(vocabularySize: 10) }
      guard case .invalidOption(name, _) = error else {
        Issue.record("\(String(describing: error)), expected \(name)")
        continue
      }
    }
  }
}
