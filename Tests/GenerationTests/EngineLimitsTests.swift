import Foundation
import Swiftlet
import SwiftletTestSupport
import Testing

@testable import SwiftletGeneration

/// Many requests at once: who comes first, who waits, who is refused.
@Suite struct EngineLimitsTests {
  private static func engine(_ limits: EngineLimits, context: Int? = nil) throws -> Engine {
    let loaded = try LoadedModel(path: EngineTests.fixtures.appendingPathComponent("qwen2-untied.gguf").path)
    return Engine(
      decoder: loaded.decoder, tokenizer: loaded.tokenizer, endTokens: loaded.endTokens, threadCount: 2, contextLength: context,
      limits: limits)
  }

  private static func options(_ tokens: Int?) -> GenerationOptions {
    var options = EngineTests.options
    options.maximumResponseTokens = tokens
    return options
  }

  private static func prompt(_ length: Int, _ salt: Int = 0) -> [Int32] { EngineTests.prompt(length, salt) }

  @Test func aRequestThatNeverFitsIsRefusedWithTheNumbers() throws {
    let decoder = try Self.engine(EngineLimits()).decoder
    let allowed = decoder.cacheBytes(positions: 128)
    let engine = try Self.engine(EngineLimits(cacheBytes: allowed), context: 512)
    _ = try engine.generate(GenerationRequest(prompt: Self.prompt(100), options: Self.options(28)))
    let error = #expect(throws: GenerationError.self) {
      try engine.generate(GenerationRequest(prompt: Self.prompt(100), options: Self.options(29)))
    }
    #expect(error == .cacheTooSmall(tokens: 129, bytes: decoder.cacheBytes(positions: 129), allowed: allowed))
  }

  /// With room for one, requests are served one after the other, and their answers are the same.
  @Test func requestsWaitForRoom() async throws {
    let free = try Self.engine(EngineLimits())
    let engine = try Self.engine(EngineLimits(cacheBytes: free.decoder.cacheBytes(positions: 128)))
    let answers = try await withThrowingTaskGroup(of: (Int, [Int32]).self) { group in
      for index in 0..<5 {
        group.addTask { (index, try await EngineTests.collect(engine, Self.prompt(60, index), Self.options(40)).tokens) }
      }
      var answers: [Int: [Int32]] = [:]
      for try await (index, tokens) in group {
        answers[index] = tokens
        let load = engine.load
        #expect(load.active <= 1 && load.reservedCacheBytes + load.keptCacheBytes <= free.decoder.cacheBytes(positions: 128))
      }
      return answers
    }
    for index in 0..<5 {
      let alone = try await EngineTests.collect(free, Self.prompt(60, index), Self.options(40))
      #expect(answers[index] == alone.tokens)
    }
  }

  @Test func aFullQueueRefuses() async throws {
    let engine = try Self.engine(EngineLimits(maximumSequences: 1, maximumWaiting: 1))
    let request = GenerationRequest(prompt: Self.prompt(20), options: Self.options(nil))
    let first = try engine.generate(request)
    var events = first.makeAsyncIterator()
    _ = try await events.next()
    let second = try engine.generate(request)
    #expect(throws: GenerationError.queueFull(waiting: 1)) { try engine.generate(request) }
    #expect(engine.load.waiting == 1)
    withExtendedLifetime((events, second)) {}
  }

  /// A short prompt does not wait until a long one is computed.
  @Test func promptsTakeTurns() async throws {
    let loaded = try LoadedModel(path: TinyModels.checkpoint("deepseek-v2-lite"))
    let engine = Engine(decoder: loaded.decoder, tokenizer: nil, endTokens: [], threadCount: 2)
    // Four chunks and a bit.
    let long = try engine.generate(GenerationRequest(prompt: Self.prompt(2200), options: Self.options(2)))
    let short = try engine.generate(GenerationRequest(prompt: Self.prompt(40, 3), options: Self.options(2)))
    async let longEnd = Self.firstToken(long)
    let shortEnd = try await Self.firstToken(short)
    #expect(try await shortEnd < longEnd)
  }

  private static func firstToken(_ stream: GenerationStream) async throws -> ContinuousClock.Instant {
    for try await event in stream { if case .token = event { return .now } }
    throw CancellationError()
  }

  /// A thought that is too long is ended by tokens the model did not choose; what comes after is the model's again.
  @Test func longThoughtsAreEnded() async throws {
    let model = try LanguageModel(path: EngineTests.fixtures.appendingPathComponent("llama-gqa-tied.gguf").path, threadCount: 2)
    let tokenizer = try #require(model.loaded.tokenizer)
    let closing = tokenizer.encode("\n</think>\n\n")
    let request = GenerationRequest(
      prompt: Self.prompt(20), options: Self.options(60), promptOpensThought: true,
      thoughtLimit: ThoughtLimit(tokens: 10, closing: closing))
    var completion = Completion()
    var reasoning = 0
    for try await event in try model.engine.generate(request) {
      completion.add(event)
      if case .token(let token) = event, token.isReasoning { reasoning += 1 }
    }
    #expect(Array(completion.tokens[10..<10 + closing.count]) == closing)
    #expect(completion.tokens.count == 60 && !completion.content.isEmpty)
    #expect(completion.summary?.reasoningTokens == reasoning && (10...10 + closing.count).contains(reasoning))
  }
}

/// Log-probabilities beside tokens.
@Suite struct LogProbabilityTests {
  private static func tokens(_ options: GenerationOptions, threads: Int = 2) async throws -> [GeneratedToken] {
    let engine = try EngineTests.engine("quantized-llama.gguf", threads: threads)
    var tokens: [GeneratedToken] = []
    for try await event in try engine.generate(GenerationRequest(prompt: EngineTests.prompt(30), options: options)) {
      if case .token(let token) = event { tokens.append(token) }
    }
    return tokens
  }

  @Test func areThoseOfTheSoftmax() {
    var logits: [Float] = [1, -2, 3, .nan, 3, 0]
    logits.withUnsafeMutableBufferPointer { buffer in
      let values = LogProbabilities(buffer, top: 3, kernels: .best)
      let sum = exp(1.0) + exp(-2) + 2 * exp(3) + 1
      let result = values.of(1)
      #expect(abs(result.chosen - (-2 - log(sum))) < 1e-6)
      #expect(result.top.map(\.id) == [2, 4, 0])
      #expect(abs(result.top[0].logProbability - (3 - log(sum))) < 1e-6)
    }
  }

  /// They are the model's own whatever the sampling, the same with any number of threads, and asking for them changes no token.
  @Test func changeNothingAndRepeat() async throws {
    var options = EngineTests.options
    let plain = try await Self.tokens(options)
    #expect(plain.allSatisfy { $0.logProbabilities == nil })
    options.topLogProbabilities = 5
    let asked = try await Self.tokens(options)
    #expect(asked.map(\.id) == plain.map(\.id))
    let again = try await Self.tokens(options, threads: 1)
    #expect(asked.map(\.logProbabilities) == again.map(\.logProbabilities))
    for token in asked {
      let values = try #require(token.logProbabilities)
      #expect(values.top.count == 5 && values.top[0].logProbability >= values.chosen && values.chosen <= 0)
      if let own = values.top.first(where: { $0.id == token.id }) { #expect(own.logProbability == values.chosen) }
    }
    options.temperature = 2
    options.logitBias = [7: 5]
    options.frequencyPenalty = 1
    let other = try await Self.tokens(options)
    #expect(other[0].logProbabilities?.top == asked[0].logProbabilities?.top)
  }
}
