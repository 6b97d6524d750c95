import SwiftletCheckpoints
import SwiftletModels
import SwiftletMutationCases
import Testing

/// Values that random changes seldom hit.
@Suite struct AttackTests {
  /// Keys without the architecture, the values they get, and the key that the error names.
  static let numbers: [(key: String, value: Int)] = [
    ("nextn_predict_layers", .min), ("nextn_predict_layers", .max), ("nextn_predict_layers", 1 << 20), ("block_count", .min),
    ("block_count", 0), ("block_count", .max), ("rope.dimension_count", .min), ("rope.dimension_count", 0),
    ("attention.key_length_mla", .max), ("attention.head_count", .min), ("attention.head_count", .max),
    ("embedding_length", .min), ("embedding_length", .max), ("context_length", 0), ("context_length", .max),
    ("expert_count", .max), ("expert_used_count", .max), ("expert_shared_count", .max), ("expert_group_count", 0),
    ("feed_forward_length", .max), ("attention.kv_lora_rank", .max), ("attention.q_lora_rank", .min),
  ]

  @Test(arguments: numbers) func absurdNumbersAreRefused(_ attack: (key: String, value: Int)) throws {
    let folder = try TemporaryFolder()
    var document = GGUFDocument(try Seeds.bytes("ModelsTests/Fixtures/gguf/deepseek-v3.gguf"))
    document.set(document.index(attack.key) == nil ? "deepseek2." + attack.key : attack.key, attack.value)
    let file = try GGUFFile(path: folder.write(document.serialized(), as: "model.gguf"))
    #expect(throws: CheckpointError.self) { try Decoder(ModelConfiguration(gguf: file), weights: .gguf(file)) }
  }

  @Test func frequencyFactorsOfAnotherCountAreRefused() throws {
    let folder = try TemporaryFolder()
    var document = GGUFDocument(try Seeds.bytes("ModelsTests/Fixtures/gguf/llama-rope-llama3.gguf"))
    document.change("rope_freqs.weight") { $0.extents[0] -= 1 }
    let file = try GGUFFile(path: folder.write(document.serialized(), as: "model.gguf"))
    let error = #expect(throws: CheckpointError.self) { try ModelConfiguration(gguf: file) }
    #expect(error?.field == "rope_freqs.weight")
  }
}
