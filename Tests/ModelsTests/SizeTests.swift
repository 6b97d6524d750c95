import Foundation
import SwiftletCheckpoints
import SwiftletJSON
import Testing

@testable import SwiftletModels

@Suite struct SizeTests {
  /// The published shapes, beside the published counts: V2-Lite 15.7 B with 2.4 B active, V2 236 B with 21 B, V3 671 B with 37 B. The
  /// exact totals are those of transformers' models without memory (`torch.device("meta")`), with the routers' biases.
  @Test(arguments: [
    (
      #"""
      "model_type":"deepseek_v2","vocab_size":102400,"hidden_size":2048,"intermediate_size":10944,"moe_intermediate_size":1408,
      "num_hidden_layers":27,"num_attention_heads":16,"n_shared_experts":2,"n_routed_experts":64,"num_experts_per_tok":6,
      "first_k_dense_replace":1,"q_lora_rank":null,"topk_method":"greedy","routed_scaling_factor":1.0,"norm_topk_prob":false
      """#, 15_706_484_224, 2_451_435_008
    ),
    (
      #"""
      "model_type":"deepseek_v2","vocab_size":102400,"hidden_size":5120,"intermediate_size":12288,"moe_intermediate_size":1536,
      "num_hidden_layers":60,"num_attention_heads":128,"n_shared_experts":2,"n_routed_experts":160,"num_experts_per_tok":6,
      "first_k_dense_replace":1,"q_lora_rank":1536,"topk_method":"group_limited_greedy","n_group":8,"topk_group":3,
      "routed_scaling_factor":16.0,"norm_topk_prob":false
      """#, 235_741_434_880, 20_851_512_320
    ),
    (
      #"""
      "model_type":"deepseek_v3","vocab_size":129280,"hidden_size":7168,"intermediate_size":18432,"moe_intermediate_size":2048,
      "num_hidden_layers":61,"num_attention_heads":128,"n_shared_experts":1,"n_routed_experts":256,"num_experts_per_tok":8,
      "first_k_dense_replace":3,"q_lora_rank":1536,"n_group":8,"topk_group":4,"routed_scaling_factor":2.5,"norm_topk_prob":true,
      "num_nextn_predict_layers":1
      """#, 671_026_419_200, 36_625_618_432
    ),
  ])
  func countsThePublishedModels(fields: String, total: Int, active: Int) throws {
    let json =
      "{" + fields
      + #","kv_lora_rank":512,"qk_nope_head_dim":128,"qk_rope_head_dim":64,"v_head_dim":128,"max_position_embeddings":163840}"#
    let configuration = try ModelConfiguration(json: JSONValue(parsing: Array(json.utf8)), source: "config.json")
    #expect(configuration.parameterCount.total == total && configuration.parameterCount.active == active)
  }

  /// Every shape of the fixtures: the count is that of the file's elements, without layers that predict further tokens.
  @Test(arguments: Fixtures.checkpoints) func countsWhatTheFilesHold(name: String) throws {
    let path = Fixtures.folder.appendingPathComponent("checkpoints/\(name)").path
    let json = try JSONValue(parsing: Array(Data(contentsOf: URL(fileURLWithPath: path + "/config.json"))))
    let configuration = try ModelConfiguration(json: json, source: path)
    let elements = try SafetensorsFolder(path: path).tensors.filter { tensor in
      (0..<8).allSatisfy { !tensor.name.hasPrefix("model.layers.\(configuration.layerCount + $0).") }
    }.reduce(0) { $0 + $1.tensor.shape.count }
    #expect(configuration.parameterCount.total == elements)
    if configuration.mixture == nil {
      let embedding = configuration.tiesEmbeddings ? 0 : configuration.vocabularySize * configuration.hiddenSize
      #expect(configuration.parameterCount.active == elements - embedding)
    }
  }

  /// The largest numbers that a configuration may have.
  @Test func cachesOfAnySizeAreCounted() throws {
    let json =
      #"{"model_type":"llama","vocab_size":16,"hidden_size":4096,"intermediate_size":16,"num_hidden_layers":4096,"#
      + #""num_attention_heads":4096,"head_dim":65536,"max_position_embeddings":1073741824}"#
    let configuration = try ModelConfiguration(json: JSONValue(parsing: Array(json.utf8)), source: "config.json")
    let layout = KeyValueCache.Layout(configuration, layerCount: 4160, type: .float32)
    #expect(layout.bytes(positions: configuration.contextLength) == 1 << 50)
    let small = KeyValueCache.Layout(configuration, layerCount: 1, type: .float32)
    #expect(small.bytes(positions: 65) == 2 * small.blockBytes && small.bytes(positions: 0) == 0)
  }
}
