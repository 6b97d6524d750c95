import Foundation
import Swiftlet
import SwiftletModels
import SwiftletTensors
import Synchronization
import Testing

@testable import SwiftletGeneration

/// The engine on tiny random models.
@Suite struct EngineTests {
  static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("ModelsTests/Fixtures/gguf")

  /// Models of the fixtures here have quantised weights.
  static let quantized = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")

  static func engine(_ name: String, threads: Int = 2, context: Int? = nil, sequences: Int = 64) throws -> Engine {
    let folder = name.hasPrefix("quantized") ? quantized : fixtures
    let loaded = try LoadedModel(path: folder.appendingPathComponent(name).path)
    return Engine(
      decoder: loaded.decoder, tokenizer: loaded.tokenizer, endTokens: loaded.endTokens, threadCount: threads,
      contextLength: context, limits: EngineLimits(maximumSequences: sequences))
  }

  static func collect(_ engine: Engine, _ prompt: [Int32], _ options: GenerationOptions) async throws -> Completion {
    var completion = Completion()
    for try await event in try engine.generate(GenerationRequest(prompt: prompt, options: options)) { completion.add(event) }
    return completion
  }

  static let options = GenerationOptions(temperature: 1, topP: 0.9, seed: 7, maximumResponseTokens: 40, ignoresEnd: true)

  static func prompt(_ length: Int, _ salt: Int = 0) -> [Int32] { (0..<length).map { Int32(($0 * 31 + salt * 17 + 5) % 250) } }

  @Test func endsWhenTheContextIsFull() async throws {
    let engine = try Self.engine("llama-gqa-tied.gguf", context: 30)
    var options = Self.options
    options.maximumResponseTokens = nil
    let completion = try await Self.collect(engine, Self.prompt(20), options)
    #expect(completion.summary?.finishReason == .length)
    #expect(completion.tokens.count == 11)
    let full = try await Self.collect(engine, Self.prompt(30), options)
    #expect(full.tokens.count == 1)
    #expect(throws: GenerationError.promptTooLong(tokens: 31, contextLength: 30)) {
      try engine.generate(GenerationRequest(prompt: Self.prompt(31), options: options))
    }
  }

  @Test func refusesWhatItCannotServe() throws {
    let engine = try Self.engine("qwen2-untied.gguf")
    #expect(throws: GenerationError.emptyPrompt) { try engine.generate(GenerationRequest(prompt: [], options: .greedy)) }
    #expect(throws: GenerationError.self) { try engine.generate(GenerationRequest(prompt: [1, 100_000], options: .greedy)) }
    #expect(throws: GenerationError.self) { try engine.generate(GenerationRequest(prompt: [-1], options: .greedy)) }
  }

  @Test func servesMoreRequestsThanPlaces() async throws {
    let engine = try Self.engine("qwen2-untied.gguf", sequences: 2)
    let counts = try await withThrowingTaskGroup(of: Int.self) { group in
      for index in 0..<7 { group.addTask { try await Self.collect(engine, Self.prompt(12, index), Self.options).tokens.count } }
      return try await group.reduce(into: [Int]()) { $0.append($1) }
    }
    #expect(counts == Array(repeating: 40, count: 7))
  }

  @Test func aConsumerThatLeavesEndsItsRequest() async throws {
    let engine = try Self.engine("qwen2-untied.gguf")
    var options = Self.options
    options.maximumResponseTokens = nil
    let stream = try engine.generate(GenerationRequest(prompt: Self.prompt(5), options: options))
    for try await event in stream { if case .token = event { break } }
    // The stream is still there, its iterator is not.
    let isCancelled = stream.submission.isCancelled.load(ordering: .relaxed)
    #expect(isCancelled)
    #expect(try await Self.collect(engine, Self.prompt(5), Self.options).tokens.count == 40)
  }

  @Test func aStreamKeepsItsEngine() async throws {
    func stream() throws -> GenerationStream {
      try Self.engine("qwen2-untied.gguf").generate(GenerationRequest(prompt: Self.prompt(5), options: Self.options))
    }
    var completion = Completion()
    for try await event in try stream() { completion.add(event) }
    #expect(completion.tokens.count == 40)
  }

  /// What was computed of a request that nobody waits for any more serves the next one.
  @Test func aCancelledRequestLeavesItsCache() async throws {
    let engine = try Self.engine("qwen2-untied.gguf")
    var options = Self.options
    options.maximumResponseTokens = nil
    for try await event in try engine.generate(GenerationRequest(prompt: Self.prompt(70), options: options)) {
      if case .token = event { break }
    }
    let next = try await Self.collect(engine, Self.prompt(70) + Self.prompt(5, 1), Self.options)
    #expect((next.summary?.cachedTokens ?? 0) >= 70)
  }

  @Test func conversationsDoNotTakeEachOthersCache() async throws {
    let engine = try Self.engine("quantized-llama.gguf")
    let beginning = Self.prompt(10)
    let first = beginning + Self.prompt(150, 1), second = beginning + Self.prompt(80, 2)
    _ = try await Self.collect(engine, first, Self.options)
    let other = try await Self.collect(engine, second, Self.options)
    #expect(other.summary?.cachedTokens == 10)
    let again = try await Self.collect(engine, first + Self.prompt(7, 3), Self.options)
    #expect(again.summary?.cachedTokens == 160)
    let fresh = try await Self.collect(Self.engine("quantized-llama.gguf"), first + Self.prompt(7, 3), Self.options)
    #expect(again.tokens == fresh.tokens)
  }

  @Test func stopTextsEndTheAnswer() async throws {
    let model = try LanguageModel(path: Self.fixtures.appendingPathComponent("llama-gqa-tied.gguf").path, threadCount: 2)
    var options = Self.options
    let whole = try await model.complete(.raw("ab"), options: options)
    let scalars = Array(whole.content.unicodeScalars)
    let stop = String(String.UnicodeScalarView(scalars[(scalars.count / 2)..<min(scalars.count / 2 + 2, scalars.count)]))
    options.stop = [stop]
    let stopped = try await model.complete(.raw("ab"), options: options)
    #expect(stopped.summary?.finishReason == .stop)
    #expect(whole.content.utf8.starts(with: stopped.content.utf8))
    #expect(!stopped.content.contains(stop))
  }
}
