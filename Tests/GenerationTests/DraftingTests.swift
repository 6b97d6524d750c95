import Foundation
import SwiftletCheckpoints
import SwiftletJSON
import SwiftletModels
import SwiftletTensors
import SwiftletTestSupport
import Testing

@testable import SwiftletGeneration

/// Guesses of the next tokens change no answer, and right ones save passes.
@Suite struct DraftingTests {
  struct Answer: Equatable {
    var tokens: [Int32]
    var reason: FinishReason?
  }

  private func answer(
    _ engine: Engine, _ prompt: [Int32], _ options: GenerationOptions
  ) async throws -> (answer: Answer, drafts: DraftCounts?) {
    var answer = Answer(tokens: []), drafts: DraftCounts?
    for try await event in try engine.generate(GenerationRequest(prompt: prompt, options: options)) {
      switch event {
      case .token(let token): answer.tokens.append(token.id)
      case .finished(let summary):
        answer.reason = summary.finishReason
        drafts = summary.drafts
      case .promptScored, .promptDone: break
      }
    }
    return (answer, drafts)
  }

  static let optionSets: [GenerationOptions] = [
    .greedy, GenerationOptions(temperature: 0.7, topP: 0.9, seed: 3),
    GenerationOptions(temperature: 1.3, topK: 20, topP: 1, repetitionPenalty: 1.2, frequencyPenalty: 0.3, seed: 11),
  ]

  /// Small vocabularies repeat themselves soon, so lookups find something even in random models.
  @Test(
    arguments: [
      "deepseek-v3-next-token", "deepseek-v3-bf16", "deepseek-v3-fp8", "llama-gqa-tied", "qwen2-bf16", "quantized-llama.gguf",
      "quantized-deepseek2.gguf",
    ])
  func answersAreTheSame(_ name: String) async throws {
    let decoder = try Self.checkpoint(name)
    let engine = Engine(decoder: decoder, tokenizer: nil, endTokens: [5], threadCount: 2, contextLength: 300)
    let prompt = (0..<40).map { Int32($0 % 7 + 10) }
    for var options in Self.optionSets {
      options.maximumResponseTokens = 120
      options.drafting = .none
      let plain = try await answer(engine, prompt, options)
      #expect(plain.drafts == nil)
      for drafting in [Drafting.promptLookup, .multiTokenPrediction] {
        if drafting == .multiTokenPrediction, !decoder.predictsFurtherTokens { continue }
        for limit in [1, 8] {
          options.drafting = drafting
          options.maximumDraftTokens = limit
          let drafted = try await answer(engine, prompt, options)
          #expect(drafted.answer == plain.answer, "\(name), \(drafting), \(limit), \(options)")
          let counts = try #require(drafted.drafts)
          #expect(counts.tokens == plain.answer.tokens.count - 1 && counts.accepted <= counts.proposed)
        }
      }
    }
  }

  /// The end of the context and of the answer fall where they do without guesses, right or not.
  @Test(arguments: [1, 2, 3, 7]) func limitsHold(_ limit: Int) async throws {
    let decoder = try Permutation.decoder(sharpness: 4)
    for context in [24, 25, 29] {
      let engine = Engine(decoder: decoder, tokenizer: nil, endTokens: [], threadCount: 1, contextLength: context)
      var options = GenerationOptions.greedy
      options.drafting = .none
      let full = try await answer(engine, Permutation.prompt, options)
      options.drafting = .promptLookup
      #expect(try await answer(engine, Permutation.prompt, options).answer == full.answer)
      options.maximumResponseTokens = limit
      let short = try await answer(engine, Permutation.prompt, options).answer
      #expect(short.tokens == Array(full.answer.tokens.prefix(limit)) && short.reason == .length)
    }
  }

  /// The accepting path, on a checkpoint whose layer predicts what the decoder will choose.
  @Test func rightGuessesSavePasses() async throws {
    let decoder = try Permutation.decoder(sharpness: 4)
    #expect(decoder.predictsFurtherTokens)
    let engine = Engine(decoder: decoder, tokenizer: nil, endTokens: [], threadCount: 2)
    var options = GenerationOptions.greedy
    options.maximumResponseTokens = 101
    options.drafting = .none
    let plain = try await answer(engine, Permutation.prompt, options).answer
    #expect(plain.tokens == Permutation.continuation(101))
    options.drafting = .automatic
    let drafted = try await answer(engine, Permutation.prompt, options)
    let counts = try #require(drafted.drafts)
    #expect(drafted.answer == plain)
    #expect(counts.drafting == .multiTokenPrediction && counts.acceptance == 1, "\(counts)")
    // Three passes without guesses, then two tokens each.
    #expect(counts.passes == 3 + 49 && counts.gain != nil, "\(counts)")
    options.maximumResponseTokens = 201
    options.drafting = .promptLookup
    let looked = try await answer(engine, Permutation.prompt, options)
    #expect(looked.answer.tokens == Permutation.continuation(201))
    let found = try #require(looked.drafts)
    #expect(found.acceptance == 1 && found.tokensPerPass > 2, "\(found)")
  }

  /// Sampled, a guess is right as often as its token is likely, and never changes what is drawn.
  @Test func sampledGuessesAreAcceptedByTheirProbability() async throws {
    let decoder = try Permutation.decoder(sharpness: 0.9)
    let engine = Engine(decoder: decoder, tokenizer: nil, endTokens: [], threadCount: 2)
    var options = GenerationOptions(temperature: 1, topP: 1, maximumResponseTokens: 401)
    var shares: [Double] = []
    for seed in 0..<4 {
      options.seed = UInt64(seed)
      options.drafting = .none
      let plain = try await answer(engine, Permutation.prompt, options).answer
      options.drafting = .multiTokenPrediction
      let drafted = try await answer(engine, Permutation.prompt, options)
      #expect(drafted.answer == plain)
      shares.append(try #require(drafted.drafts).acceptance)
    }
    // The one token of 64 whose logit is 0.9 times the root of 64.
    let likely = exp(0.9 * 8) / (exp(0.9 * 8) + 63)
    let share = shares.reduce(0, +) / Double(shares.count)
    #expect(abs(share - likely) < 0.03, "\(share), expected about \(likely)")
  }

  @Test func unfitRequestsAreRefused() throws {
    let engine = Engine(decoder: try Self.checkpoint("llama-gqa-tied"), tokenizer: nil, endTokens: [], threadCount: 1)
    var options = GenerationOptions.greedy
    options.drafting = .multiTokenPrediction
    #expect(throws: GenerationError.self) { try engine.generate(GenerationRequest(prompt: [1], options: options)) }
    options.drafting = .promptLookup
    options.maximumDraftTokens = 65
    #expect(throws: GenerationError.self) { try engine.generate(GenerationRequest(prompt: [1], options: options)) }
  }

  @Test func lookupGoesOnAsItBegan() {
    var lookup = PromptLookup()
    for token in [1, 2, 3, 4, 5, 1, 2] as [Int32] { lookup.append(token) }
    #expect(lookup.continuation(4) == [])
    lookup.append(3)
    #expect(lookup.continuation(4) == [4, 5, 1, 2])
    for token in [9, 9, 9, 9] as [Int32] { lookup.append(token) }
    #expect(lookup.continuation(3) == [9, 9, 9])
    #expect(lookup.continuation(0) == [])
  }

  static func checkpoint(_ name: String) throws -> Decoder {
    if name.hasSuffix("gguf") {
      return try LoadedModel(path: EngineTests.quantized.appendingPathComponent(name).path).decoder
    }
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("ModelsTests/Fixtures/checkpoints/\(name)").path
    let config = try JSONValue(parsing: Array(Data(contentsOf: URL(fileURLWithPath: path + "/config.json"))))
    return try Decoder(
      ModelConfiguration(json: config, source: path), weights: .safetensors(SafetensorsFolder(path: path)))
  }
}

/// A checkpoint in which the next token depends on the last alone, so that the prediction layer can be right by construction: hidden
/// states are one-hot embeddings that attention and feed-forward leave as they are, and the head holds a permutation of the tokens.
enum Permutation {
  static let size = 64
  static let prompt: [Int32] = [3, 60, 2, 17]

  static func next(_ token: Int) -> Int { (token * 5 + 11) % size }

  /// What follows the prompt.
  static func continuation(_ count: Int) -> [Int32] {
    var tokens = [next(17)]
    while tokens.count < count { tokens.append(next(tokens[tokens.count - 1])) }
    return tokens.map(Int32.init)
  }

  /// - Parameter sharpness: of the head; times the root of 64 it is the logit of the one likely token, and 0 that of the others.
  static func decoder(sharpness: Float) throws -> Decoder {
    let heads = 2, plain = 8, rotary = 4, value = 8, rank = 16, inner = 8
    let config: JSONValue = [
      "model_type": "deepseek_v3", "vocab_size": .integer(size), "hidden_size": .integer(size), "intermediate_size": 8,
      "num_hidden_layers": 1, "num_attention_heads": .integer(heads), "num_key_value_heads": .integer(heads),
      "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "rope_theta": 10_000, "kv_lora_rank": .integer(rank),
      "q_lora_rank": .null, "qk_nope_head_dim": .integer(plain), "qk_rope_head_dim": .integer(rotary),
      "v_head_dim": .integer(value), "n_routed_experts": .null, "num_nextn_predict_layers": 1,
    ]
    func matrix(_ rows: Int, _ columns: Int, _ value: (Int, Int) -> Float = { _, _ in 0 }) -> Tensor {
      Tensor((0..<rows * columns).map { value($0 / columns, $0 % columns) }, shape: Shape(rows, columns))
    }
    func ones(_ count: Int) -> Tensor { Tensor([Float](repeating: 1, count: count), shape: [count]) }
    var tensors: [(name: String, tensor: Tensor)] = [
      ("model.embed_tokens.weight", matrix(size, size) { $0 == $1 ? 1 : 0 }), ("model.norm.weight", ones(size)),
      ("lm_head.weight", matrix(size, size) { $0 == next($1) ? sharpness : 0 }),
      ("model.layers.1.eh_proj.weight", matrix(size, 2 * size) { $0 == $1 ? 1 : 0 }),
      ("model.layers.1.enorm.weight", ones(size)), ("model.layers.1.hnorm.weight", ones(size)),
      ("model.layers.1.shared_head.norm.weight", ones(size)),
    ]
    for layer in 0...1 {
      let prefix = "model.layers.\(layer)."
      tensors += [
        (prefix + "input_layernorm.weight", ones(size)), (prefix + "post_attention_layernorm.weight", ones(size)),
        (prefix + "self_attn.q_proj.weight", matrix(heads * (plain + rotary), size) { $0 == $1 ? 1 : 0 }),
        (prefix + "self_attn.kv_a_proj_with_mqa.weight", matrix(rank + rotary, size) { $0 == $1 ? 1 : 0 }),
        (prefix + "self_attn.kv_a_layernorm.weight", ones(rank)),
        (prefix + "self_attn.kv_b_proj.weight", matrix(heads * (plain + value), rank) { $0 % rank == $1 ? 1 : 0 }),
        (prefix + "self_attn.o_proj.weight", matrix(size, heads * value)),
        (prefix + "mlp.gate_proj.weight", matrix(inner, size)), (prefix + "mlp.up_proj.weight", matrix(inner, size)),
        (prefix + "mlp.down_proj.weight", matrix(size, inner)),
      ]
    }
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    try SafetensorsWriter.write(tensors, to: folder.path + "/model.safetensors")
    return try Decoder(
      ModelConfiguration(json: config, source: "permutation"), weights: .safetensors(SafetensorsFolder(path: folder.path)))
  }
}
