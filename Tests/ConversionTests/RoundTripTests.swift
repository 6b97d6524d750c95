import Foundation
import SwiftletCheckpoints
import SwiftletConversion
import SwiftletGeneration
import SwiftletJSON
import SwiftletTensors
import SwiftletTestSupport
import SwiftletTokenization
import Testing

@testable import SwiftletConversion

/// There and back again: exact where the types are.
@Suite struct RoundTripTests {
  static let ggufs = ["deepseek-v2-lite", "deepseek-v3", "llama-gqa-tied", "llama-rope-llama3", "qwen2-untied"]

  @Test(arguments: ggufs) func ggufAndBack(_ name: String) throws {
    let folder = try TemporaryFolder()
    let source = TinyModels.gguf(name)
    let summary = try Fixtures.convert(source, .safetensors(nil), to: folder.path + "/model")
    #expect(!summary.notes.contains { $0.contains("tokenizer.json was not") }, "\(summary.notes)")
    _ = try Fixtures.convert(folder.path + "/model", .gguf(.f32), to: folder.path + "/back.gguf")
    let before = try GGUFFile(path: source), after = try GGUFFile(path: folder.path + "/back.gguf")
    #expect(Set(before.tensors.map(\.name)) == Set(after.tensors.map(\.name)))
    for (name, tensor) in before.tensors {
      let other = try #require(after.tensor(named: name))
      #expect(other.type == tensor.type && other.shape == tensor.shape, "\(name)")
      guard name != "rope_freqs.weight" else { continue }
      #expect(other.bytes.elementsEqual(tensor.bytes), "\(name)")
    }
    for (key, value) in before.metadata where !key.hasPrefix("general.") {
      // The merges' spaces and the vocabulary are the same; so is what the model's shape says.
      #expect(after[key] == value, "\(key): \(value.summary), \(after[key]?.summary ?? "none")")
    }
    guard name == "deepseek-v2-lite" else { return }
    // Of few layers llama.cpp wants the key, though queries are not compressed.
    #expect(after["deepseek2.attention.q_lora_rank"]?.integer == 0)
    #expect(largestDifference(try Fixtures.logits(source), try Fixtures.logits(folder.path + "/back.gguf")) == 0)
  }

  /// The folder's own weights, with those that predict further tokens.
  @Test(arguments: ConvertedTests.kept) func folderAndBack(_ name: String) throws {
    let folder = try TemporaryFolder()
    let source = try Fixtures.model(name, in: folder.path)
    let type: GGUFType = name.hasSuffix("bf16") ? .bf16 : name.hasSuffix("f16") ? .f16 : .f32
    _ = try Fixtures.convert(source, .gguf(type), to: folder.path + "/model.gguf")
    _ = try Fixtures.convert(folder.path + "/model.gguf", .safetensors(nil), to: folder.path + "/back")
    let before = try SafetensorsFolder(path: source), after = try SafetensorsFolder(path: folder.path + "/back")
    let expected = before.tensors.filter { !GGUFPlan.isNoWeight($0.name) }
    #expect(Set(expected.map(\.name)) == Set(after.tensors.map(\.name)))
    for (name, tensor) in expected {
      let other = try #require(after.tensor(named: name), "\(name)")
      #expect(other.shape == tensor.shape, "\(name)")
      // Norms, biases and routers are F32 in GGUF files.
      if other.type == tensor.type {
        #expect(other.bytes.elementsEqual(tensor.bytes), "\(name)")
      } else {
        #expect(other.type == .float32 && other.floatArray() == tensor.floatArray(), "\(name)")
      }
    }
    if !name.contains("fp8") {
      #expect(largestDifference(try Fixtures.logits(source), try Fixtures.logits(folder.path + "/back")) == 0)
    }
  }

  /// The layer that predicts further tokens stays, and its guesses change no answer.
  @Test(arguments: [GGUFType.bf16, .q8_0]) func furtherTokensArePredicted(_ type: GGUFType) async throws {
    let folder = try TemporaryFolder()
    let source = try Fixtures.model("deepseek-v3-next-token", in: folder.path)
    _ = try Fixtures.convert(source, .gguf(type), to: folder.path + "/model.gguf")
    let decoder = try Fixtures.decoder(folder.path + "/model.gguf")
    #expect(decoder.predictsFurtherTokens)
    let engine = Engine(decoder: decoder, tokenizer: nil, endTokens: [], threadCount: 2)
    var options = GenerationOptions.greedy
    options.maximumResponseTokens = 60
    var answers: [[Int32]] = [], drafts: [DraftCounts?] = []
    for drafting in [Drafting.none, .automatic] {
      options.drafting = drafting
      var answer: [Int32] = []
      for try await event in try engine.generate(GenerationRequest(prompt: [1, 2, 3], options: options)) {
        switch event {
        case .token(let token): answer.append(token.id)
        case .finished(let summary): drafts.append(summary.drafts)
        case .promptScored, .promptDone: break
        }
      }
      answers.append(answer)
    }
    #expect(answers[0] == answers[1] && answers[0].count == 60)
    #expect(drafts[0] == nil && drafts[1]?.drafting == .multiTokenPrediction && drafts[1]?.proposed ?? 0 > 0)
  }

  /// A folder of another type, in several files, keeps names, and an F32 copy has the values.
  @Test func folderToFolder() throws {
    let folder = try TemporaryFolder()
    let source = try Fixtures.model("deepseek-v3-bf16", in: folder.path)
    var conversion = try Conversion(
      source: source, target: .safetensors(.f32), output: folder.path + "/wide", threadCount: 2)
    conversion.shardBytes = 20_000
    _ = try conversion.run()
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/wide")
    let count = names.count { $0.hasPrefix("model-") }
    #expect(count > 1 && names.contains("model.safetensors.index.json"))
    #expect(names.contains(String(format: "model-00002-of-%05d.safetensors", count)))
    #expect(names.contains("tokenizer.json") && names.contains("generation_config.json"))
    let before = try SafetensorsFolder(path: source), after = try SafetensorsFolder(path: folder.path + "/wide")
    #expect(before.tensors.map(\.name) == after.tensors.map(\.name))
    for (name, tensor) in before.tensors { #expect(after.tensor(named: name)?.floatArray() == tensor.floatArray(), "\(name)") }
    let config = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/wide/config.json"))
    #expect(try JSONValue(parsing: Array(config))["torch_dtype"]?.string == "float32")
    _ = try Fixtures.convert(folder.path + "/wide", .safetensors(.bf16), to: folder.path + "/narrow")
    for (name, tensor) in try SafetensorsFolder(path: folder.path + "/narrow").tensors {
      let original = try #require(before.tensor(named: name))
      #expect(tensor.floatArray() == original.floatArray(), "\(name)")
    }
  }

  /// A GGUF file of another type keeps every other metadata value, byte for byte.
  @Test(arguments: ggufs) func requantising(_ name: String) throws {
    let folder = try TemporaryFolder()
    let before = try GGUFFile(path: TinyModels.gguf(name))
    _ = try Fixtures.convert(before.path, .gguf(.bf16), to: folder.path + "/bf16.gguf")
    _ = try Fixtures.convert(before.path, .gguf(.f32), to: folder.path + "/same.gguf")
    let after = try GGUFFile(path: folder.path + "/bf16.gguf"), same = try GGUFFile(path: folder.path + "/same.gguf")
    let encoded = try after.encodedMetadata
    for entry in try before.encodedMetadata.entries where entry.key != "general.file_type" {
      #expect(encoded[entry.key] == entry.value, "\(entry.key)")
    }
    #expect(try after.integer("general.file_type") == 32)
    #expect(after.tensors.map(\.name) == before.tensors.map(\.name))
    for (first, second) in zip(before.tensors, same.tensors) {
      #expect(first.tensor.bytes.elementsEqual(second.tensor.bytes), "\(first.name)")
    }
  }
}
