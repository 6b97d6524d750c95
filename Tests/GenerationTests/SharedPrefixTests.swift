import Foundation
import Swiftlet
import Testing

@testable import SwiftletGeneration

/// Prompts that begin alike, at the same time and one after the other.
@Suite struct SharedPrefixTests {
  private static func engine(_ name: String, shares: Bool = false) throws -> Engine {
    let folder = name.hasPrefix("quantized") ? EngineTests.quantized : EngineTests.fixtures
    let loaded = try LoadedModel(path: folder.appendingPathComponent(name).path)
    return Engine(
      decoder: loaded.decoder, tokenizer: loaded.tokenizer, endTokens: loaded.endTokens, threadCount: 2, contextLength: 512,
      limits: EngineLimits(sharesPrefixes: shares))
  }

  /// Answers of several samples whose requests come at once, the prompts being alike but for the last tokens.
  private static func together(_ engine: Engine, _ prompts: [[Int32]]) async throws -> [Completion] {
    let streams = try prompts.enumerated().map { index, prompt in
      var options = EngineTests.options
      options.sampleIndex = index
      return try engine.generate(GenerationRequest(prompt: prompt, options: options))
    }
    var completions: [Completion] = []
    for stream in streams {
      var completion = Completion()
      for try await event in stream { completion.add(event) }
      completions.append(completion)
    }
    return completions
  }

  /// Prompts end within a block, which each answer then writes to, and the second ones depart within a chunk.
  @Test(arguments: ["qwen2-untied.gguf", "deepseek-v3.gguf", "quantized-deepseek2.gguf"])
  func isComputedOnce(_ name: String) async throws {
    let prompt = EngineTests.prompt(200)
    let prompts = [prompt, prompt, prompt, Array(prompt.prefix(150)) + EngineTests.prompt(50, 3)]
    let completions = try await Self.together(try Self.engine(name), prompts)
    let cached = completions.map { $0.summary?.cachedTokens ?? 0 }
    #expect(cached == [0, 199, 199, 150], "\(cached)")
    for (index, prompt) in prompts.enumerated() {
      var options = EngineTests.options
      options.sampleIndex = index
      let alone = try await EngineTests.collect(try Self.engine(name), prompt, options)
      #expect(completions[index].tokens == alone.tokens, "\(index)")
    }
  }

  @Test func isNobodyElses() async throws {
    for shares in [false, true] {
      let engine = try Self.engine("qwen2-untied.gguf", shares: shares)
      func cached(_ tenant: Int) async throws -> Int {
        var request = GenerationRequest(prompt: EngineTests.prompt(100), options: EngineTests.options)
        request.tenant = tenant
        var completion = Completion()
        for try await event in try engine.generate(request) { completion.add(event) }
        return completion.summary?.cachedTokens ?? -1
      }
      #expect(try await cached(1) == 0)
      #expect(try await cached(2) == (shares ? 99 : 0))
      #expect(try await cached(1) == 99)
    }
  }
}
