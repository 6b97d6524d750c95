import Foundation
import Swiftlet
import SwiftletCheckpoints
import SwiftletModels
import SwiftletTensors
import SwiftletTestSupport
import Testing

@testable import SwiftletGeneration

/// Weights that are cut, written to or replaced while a model is in use.
@Suite(.timeLimit(.minutes(2))) struct ChangedWeightsTests {
  enum Change: CaseIterable { case cut, emptied, overwritten }

  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A copy of a tiny model, and its file of weights.
  private func copy(_ name: String) throws -> (model: String, weights: String) {
    let source = name.hasSuffix(".gguf") ? EngineTests.fixtures.appendingPathComponent(name).path : TinyModels.checkpoint(name)
    let model = folder.path + "/" + name
    try? FileManager.default.removeItem(atPath: model)
    try FileManager.default.copyItem(atPath: source, toPath: model)
    usleep(20_000)  // Times of files move in steps of some milliseconds.
    return (model, name.hasSuffix(".gguf") ? model : model + "/model.safetensors")
  }

  private func engine(_ path: String) throws -> Engine {
    let loaded = try LoadedModel(path: path)
    return Engine(decoder: loaded.decoder, tokenizer: nil, endTokens: [], threadCount: 2)
  }

  private func apply(_ change: Change, to path: String) throws {
    let size = try #require(FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
    switch change {
    case .cut: try #require(truncate(path, off_t(size / 2)) == 0)
    case .emptied: try #require(truncate(path, 0) == 0)
    case .overwritten:
      let file = try #require(FileHandle(forUpdatingAtPath: path))
      try file.seek(toOffset: UInt64(size / 2))
      try file.write(contentsOf: Data(repeating: 0x55, count: 100))
      try file.close()
    }
  }

  private static let options = GenerationOptions(temperature: 1, seed: 7, maximumResponseTokens: 300, ignoresEnd: true)

  @Test(arguments: ["llama-gqa-tied.gguf", "deepseek-v3.gguf", "qwen2-untied"], Change.allCases)
  func requestsFailAndTheProcessLives(_ name: String, _ change: Change) async throws {
    let (model, weights) = try copy(name), engine = try engine(model)
    let request = GenerationRequest(prompt: EngineTests.prompt(70), options: Self.options)
    var count = 0
    let error = await #expect(throws: CheckpointError.self) {
      for try await event in try engine.generate(request) {
        guard case .token = event else { continue }
        count += 1
        if count == 5 { try apply(change, to: weights) }
      }
    }
    #expect(error?.file == weights && error?.field == "file" && error?.reason.contains("load it again") == true)
    #expect(error?.reason.contains(change == .overwritten ? "was changed" : "was truncated") == true)
    #expect(count < 300)
    await #expect(throws: CheckpointError.self) { try await EngineTests.collect(engine, EngineTests.prompt(9), Self.options) }
    // Whole again, and loaded anew.
    let again = try self.engine(copy(name).model)
    #expect(try await EngineTests.collect(again, EngineTests.prompt(9), EngineTests.options).tokens.count == 40)
  }

  @Test(arguments: ["llama-gqa-tied.gguf", "qwen2-untied"]) func aFileRenamedOverChangesNothing(_ name: String) async throws {
    let (model, weights) = try copy(name), engine = try engine(model), prompt = EngineTests.prompt(70)
    let expected = try await EngineTests.collect(self.engine(model), prompt, Self.options)
    var completion = Completion()
    for try await event in try engine.generate(GenerationRequest(prompt: prompt, options: Self.options)) {
      completion.add(event)
      guard case .token = event, completion.tokens.count == 5 else { continue }
      try folder.write("something else", to: "other")
      try #require(rename(folder.path + "/other", weights) == 0)
    }
    #expect(completion.tokens == expected.tokens)
    #expect(try await EngineTests.collect(engine, prompt, Self.options).tokens == expected.tokens)
  }

  @Test func measuringFails() throws {
    let (model, weights) = try copy("llama-gqa-tied.gguf"), decoder = try LoadedModel(path: model).decoder
    let compute = Compute(threadCount: 1)
    let error = #expect(throws: CheckpointError.self) {
      try Perplexity(of: EngineTests.prompt(200), decoder: decoder, beginningOfSequence: nil, context: 50, compute: compute) {
        done, _, _ in
        if done == 2 { try? apply(.cut, to: weights) }
      }
    }
    #expect(error?.file == weights)
    #expect(throws: CheckpointError.self) {
      try Benchmark(decoder, promptTokens: 8, generatedTokens: 2, batches: [], repetitions: 1, compute: compute)
    }
  }

  /// A batch stops instead of answering its rows with the same error, and goes on once the model is whole.
  @Test func aBatchStopsAndGoesOn() async throws {
    let path = try TinyModels.chat(in: folder.path), weights = path + "/model.safetensors",
      bytes = FileManager.default.contents(atPath: weights)
    try folder.write(String(repeating: "{\"prompt\":\"a\",\"max_tokens\":60}\n", count: 12), to: "in.jsonl")
    func run(_ output: String, _ progress: @escaping @Sendable (Int) -> Void = { _ in }) async throws -> Int {
      usleep(20_000)
      let model = try LanguageModel(path: path, threadCount: 1)
      return try await BatchRun(model: model, defaults: GenerationOptions(temperature: 0, ignoresEnd: true), concurrency: 2)
        .run(input: folder.path + "/in.jsonl", output: folder.path + "/" + output) { done, _ in progress(done) }
    }
    #expect(try await run("whole.jsonl") == 12)
    await #expect(throws: CheckpointError.self) {
      try await run("out.jsonl") { done in if done == 3 { _ = truncate(weights, 100) } }
    }
    #expect(try !folder.read("out.jsonl").contains("error"))
    try #require(bytes).write(to: URL(fileURLWithPath: weights))
    #expect(try await (4...9).contains(run("out.jsonl")))
    func texts(_ name: String) throws -> [Substring] {
      try folder.read(name).split(separator: "\n").map { $0.prefix { $0 != "]" } }
    }
    #expect(try texts("out.jsonl") == texts("whole.jsonl"))
  }
}
