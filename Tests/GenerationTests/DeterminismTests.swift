import SwiftletConversion
import SwiftletModels
import SwiftletTensors
import SwiftletTestSupport
import Testing

@testable import SwiftletGeneration

/// What docs/determinism.md promises: every model under every condition, with every variant of the kernels that this CPU can run.
@Suite struct DeterminismTests {
  static let variants = Kernels.available.map(\.name) + (Kernels.available[0].withFastPrompts().hasFastPrompts ? [fast] : [])
  /// The best variant with fast prompts.
  private static let fast = "fast prompts"

  static let models: [TestModel] =
    [
      .checkpoint("llama-gqa-tied"), .checkpoint("qwen2-untied"), .checkpoint("qwen2-bf16"), .checkpoint("deepseek-v2-lite"),
      .checkpoint("deepseek-v3"), .checkpoint("deepseek-v3-bf16"), .checkpoint("deepseek-v3-fp8"),
      .checkpoint("deepseek-v3-next-token"), .mixed("quantized-llama"), .mixed("quantized-deepseek2"),
    ] + widened + (SmallModel.isInstalled ? [.small] : [])

  /// The shapes by the types that `convert` writes.
  static let widened: [TestModel] = ["qwen2-untied", "deepseek-v2-lite", "deepseek-v3-next-token"].flatMap { name in
    [GGUFType.q4_0, .q8_0, .q4_k_m].map { .widened(name, $0) }
  }

  static func kernels(_ variant: String) throws -> Kernels {
    if variant == fast { return Kernels.available[0].withFastPrompts() }
    return try #require(Kernels.available.first { $0.name == variant })
  }

  // MARK: Logits

  /// How positions are computed.
  struct Condition: Sendable {
    var threads = 1
    /// Tokens of a piece of the prompt.
    var chunk = Int.max
    /// Generated tokens of a pass, as when guesses are checked.
    var generatedChunk = 1
    /// Sequences beside.
    var company = 0
    /// Positions of the prompt found in a cache, which went on in another way.
    var cached = 0

    static let all = [
      Condition(threads: 2), Condition(threads: 3), Condition(threads: 4), Condition(threads: 3, chunk: 1),
      Condition(threads: 2, chunk: 7, generatedChunk: 2), Condition(chunk: 64, generatedChunk: 3),
      Condition(threads: 2, company: 16), Condition(threads: 4, chunk: 33, generatedChunk: 9, company: 16),
      Condition(threads: 3, chunk: 50, cached: 64), Condition(threads: 4, chunk: 13, generatedChunk: 5, company: 16, cached: 70),
    ]

    /// For a model that takes some time.
    static let few = [
      Condition(threads: 2, chunk: 33), Condition(threads: 4, chunk: 7, generatedChunk: 3, company: 16, cached: 30),
      Condition(threads: 3, chunk: 1, generatedChunk: 5, cached: 64),
    ]
  }

  @Test(arguments: models, variants) func logitsHaveTheSameBits(_ model: TestModel, _ variant: String) throws {
    let decoder = try model.decoder(), kernels = try Self.kernels(variant)
    let isSmall = if case .small = model { true } else { false }
    let isWide = if case .widened = model { true } else { false }
    // More than two blocks of the cache.
    let prompt = Self.tokens(isSmall ? 70 : 150, 0, decoder), answer = Self.tokens(isSmall ? 6 : 20, 1, decoder)
    func rows(_ condition: Condition) -> [[UInt32]] {
      let compute = Compute(threadCount: condition.threads, kernels: kernels)
      return Self.logits(decoder, prompt: prompt, answer: answer, condition, compute)
    }
    let expected = rows(Condition())
    #expect(expected.count == prompt.count + answer.count)
    #expect(expected.joined().allSatisfy { Float(bitPattern: $0).isFinite })
    for condition in isSmall || (isWide && variant == "generic") ? Condition.few : Condition.all {
      let found = rows(condition)
      let different = zip(expected, found).map { $0 == $1 }.firstIndex(of: false)
      #expect(found.count == expected.count && different == nil, "row \(different ?? -1) with \(condition)")
    }
  }

  /// Arbitrary tokens.
  private static func tokens(_ count: Int, _ salt: Int, _ decoder: Decoder) -> [Int] {
    (0..<count).map { ($0 * 31 + $0 * $0 * 7 + salt * 17 + 5) % decoder.configuration.vocabularySize }
  }

  /// The bits of the logits of every position of a prompt and of the tokens generated behind it.
  private static func logits(
    _ decoder: Decoder, prompt: [Int], answer: [Int], _ condition: Condition, _ compute: Compute
  ) -> [[UInt32]] {
    let vocabulary = decoder.configuration.vocabularySize
    var cache = decoder.makeCache(capacity: 1024), rows: [[UInt32]] = []
    let company = (0..<condition.company).map { index in (salt: index + 2, cache: decoder.makeCache(capacity: 1024)) }

    /// A pass with the next tokens of the sequence, amid those of others.
    func pass(_ tokens: ArraySlice<Int>, role: PositionRole) {
      var inputs = company.map { salt, cache in
        Decoder.Input(tokens: Self.tokens(salt % 5 + 1, salt + cache.count, decoder), cache: cache, output: .last)
      }
      let place = inputs.count / 3
      inputs.insert(.init(tokens: Array(tokens), cache: cache, output: .all), at: place)
      let logits = decoder.forward(inputs, role: role, compute: compute)
      for row in place..<place + tokens.count {
        let start = logits.floats + row * vocabulary
        rows.append((0..<vocabulary).map { start[$0].bitPattern })
      }
    }

    func passes(_ tokens: ArraySlice<Int>, of size: Int, role: PositionRole) {
      var rest = tokens
      while !rest.isEmpty {
        pass(rest.prefix(size), role: role)
        rest = rest.dropFirst(size)
      }
    }

    if condition.cached > 0 {
      passes(prompt.prefix(condition.cached), of: condition.chunk, role: .prompt)
      let kept = rows
      passes(Self.tokens(40, 1, decoder)[...], of: condition.chunk, role: .prompt)
      pass(Self.tokens(3, 2, decoder)[...], role: .generated)
      rows = kept
      cache = cache.copy(of: condition.cached)
    }
    passes(prompt.dropFirst(condition.cached), of: condition.chunk, role: .prompt)
    passes(answer[...], of: condition.generatedChunk, role: .generated)
    return rows
  }

  // MARK: Answers

  /// Sampled and greedy, with what looks back at the answer so far.
  static let options: [GenerationOptions] = [
    GenerationOptions(temperature: 1, topP: 0.9, seed: 7, ignoresEnd: true),
    GenerationOptions(temperature: 0, repetitionPenalty: 1.1, frequencyPenalty: 0.2, ignoresEnd: true),
  ]

  @Test(arguments: models, variants) func answersAreTheSame(_ model: TestModel, _ variant: String) async throws {
    let decoder = try model.decoder(), kernels = try Self.kernels(variant)
    let isSmall = if case .small = model { true } else { false }
    func engine(_ threads: Int) -> Engine {
      Engine(decoder: decoder, tokenizer: nil, endTokens: [], threadCount: threads, kernels: kernels)
    }
    // Longer than the pieces that the engine computes prompts in, where the context has room for it, with one variant.
    let room = decoder.configuration.contextLength - 100
    let isFirst = variant == Self.variants.first || variant == Self.fast
    let promptLength = isSmall ? 40 : min(isFirst ? 540 : 150, room), answerLength = isSmall ? 10 : 30
    func prompt(_ length: Int, _ salt: Int) -> [Int32] { Self.tokens(length, salt, decoder).map(Int32.init) }
    let question = prompt(promptLength, 0)
    let draftings: [Drafting] = [.none, .promptLookup] + (decoder.predictsFurtherTokens ? [.multiTokenPrediction] : [])
    for var options in isSmall ? Array(Self.options.prefix(1)) : Self.options {
      options.maximumResponseTokens = answerLength
      options.drafting = .none
      let alone = try await EngineTests.collect(engine(1), question, options).tokens
      #expect(alone.count == answerLength)
      let isSampled = options.temperature > 0
      if isSampled, isFirst {
        // The answer becomes part of a prompt.
        let longer = question + alone + prompt(9, 4), told = engine(2)
        _ = try await EngineTests.collect(told, question, options)
        let next = try await EngineTests.collect(told, longer, options)
        let known = decoder.distinguishesRoles(kernels) ? promptLength : promptLength + answerLength - 1
        #expect(next.summary?.cachedTokens == known)
        #expect(try await EngineTests.collect(engine(1), longer, options).tokens == next.tokens, "after an answer")
      }
      for threads in isSmall ? [3] : isSampled ? [2, 3, 4] : [] {
        let tokens = try await EngineTests.collect(engine(threads), question, options).tokens
        #expect(tokens == alone, "\(threads) threads")
      }
      // Among sixteen others, of which some guess; twice, the second time when some of their caches are kept.
      let busy = engine(3)
      for _ in 0..<(isSampled && !isSmall ? 2 : 1) {
        let tokens = try await withThrowingTaskGroup(of: (Int, [Int32]).self) { group in
          for index in 0..<17 {
            var others = options
            others.drafting = draftings[index % draftings.count]
            let request = index == 5 ? (question, options) : (prompt(5 + 4 * index, index), others)
            group.addTask { (index, try await EngineTests.collect(busy, request.0, request.1).tokens) }
          }
          return try await group.reduce(into: [Int: [Int32]]()) { $0[$1.0] = $1.1 }
        }
        #expect(tokens[5] == alone, "in company")
      }
      // With a beginning that is kept: of a shorter prompt, of one that departs, and of the prompt itself.
      let warm = engine(2)
      _ = try await EngineTests.collect(warm, Array(question.prefix(promptLength - 7)), options)
      _ = try await EngineTests.collect(warm, question.prefix(promptLength / 2) + prompt(9, 3), options)
      for drafting in draftings {
        options.drafting = drafting
        let again = try await EngineTests.collect(warm, question, options)
        #expect(again.tokens == alone && (again.summary?.cachedTokens ?? 0) >= promptLength / 2, "cached, \(drafting)")
        if drafting == .none { continue }
        #expect(try await EngineTests.collect(engine(2), question, options).tokens == alone, "fresh, \(drafting)")
      }
    }
  }
}
