public import SwiftletCheckpoints
public import SwiftletTensors

/// Where a model's weights come from, by the name of each tensor in that kind of file.
public enum WeightSource: Sendable {
  case gguf(GGUFFile)
  case safetensors(SafetensorsFolder)

  public var path: String {
    switch self {
    case .gguf(let file): file.path
    case .safetensors(let folder): folder.path
    }
  }

  public func tensor(named name: String) -> Tensor? {
    switch self {
    case .gguf(let file): file.tensor(named: name)
    case .safetensors(let folder): folder.tensor(named: name)
    }
  }

  /// Every tensor, in the files' order.
  public var tensors: [(name: String, tensor: Tensor)] {
    switch self {
    case .gguf(let file): file.tensors
    case .safetensors(let folder): folder.tensors
    }
  }
}

/// A weight as both kinds of file call it. `#` stands for the layer's number.
struct WeightName {
  let gguf: String
  let huggingFace: String

  init(_ gguf: String, _ huggingFace: String) {
    self.gguf = gguf
    self.huggingFace = huggingFace
  }

  static let embedding = WeightName("token_embd.weight", "model.embed_tokens.weight")
  static let finalNorm = WeightName("output_norm.weight", "model.norm.weight")
  static let head = WeightName("output.weight", "lm_head.weight")
  static let attentionNorm = WeightName("blk.#.attn_norm.weight", "model.layers.#.input_layernorm.weight")
  static let feedForwardNorm = WeightName("blk.#.ffn_norm.weight", "model.layers.#.post_attention_layernorm.weight")
  static let query = WeightName("blk.#.attn_q.weight", "model.layers.#.self_attn.q_proj.weight")
  static let key = WeightName("blk.#.attn_k.weight", "model.layers.#.self_attn.k_proj.weight")
  static let value = WeightName("blk.#.attn_v.weight", "model.layers.#.self_attn.v_proj.weight")
  static let attentionOutput = WeightName("blk.#.attn_output.weight", "model.layers.#.self_attn.o_proj.weight")
  static let queryDown = WeightName("blk.#.attn_q_a.weight", "model.layers.#.self_attn.q_a_proj.weight")
  static let queryDownNorm = WeightName("blk.#.attn_q_a_norm.weight", "model.layers.#.self_attn.q_a_layernorm.weight")
  static let queryUp = WeightName("blk.#.attn_q_b.weight", "model.layers.#.self_attn.q_b_proj.weight")
  static let keyValueDown = WeightName("blk.#.attn_kv_a_mqa.weight", "model.layers.#.self_attn.kv_a_proj_with_mqa.weight")
  static let keyValueDownNorm = WeightName("blk.#.attn_kv_a_norm.weight", "model.layers.#.self_attn.kv_a_layernorm.weight")
  static let keyValueUp = WeightName("blk.#.attn_kv_b.weight", "model.layers.#.self_attn.kv_b_proj.weight")
  static let gate = WeightName("blk.#.ffn_gate.weight", "model.layers.#.mlp.gate_proj.weight")
  static let up = WeightName("blk.#.ffn_up.weight", "model.layers.#.mlp.up_proj.weight")
  static let down = WeightName("blk.#.ffn_down.weight", "model.layers.#.mlp.down_proj.weight")
  static let router = WeightName("blk.#.ffn_gate_inp.weight", "model.layers.#.mlp.gate.weight")
  static let routerBias = WeightName("blk.#.exp_probs_b.bias", "model.layers.#.mlp.gate.e_score_correction_bias")
  static let sharedGate = WeightName("blk.#.ffn_gate_shexp.weight", "model.layers.#.mlp.shared_experts.gate_proj.weight")
  static let sharedUp = WeightName("blk.#.ffn_up_shexp.weight", "model.layers.#.mlp.shared_experts.up_proj.weight")
  static let sharedDown = WeightName("blk.#.ffn_down_shexp.weight", "model.layers.#.mlp.shared_experts.down_proj.weight")

  /// The bias that belongs to a weight.
  var bias: WeightName {
    WeightName(gguf.replacing(".weight", with: ".bias"), huggingFace.replacing(".weight", with: ".bias"))
  }
}

/// Loads the tensors of one layer (or of none) and checks their shapes.
struct WeightLoader {
  let source: WeightSource
  var layer: Int?

  func name(_ name: WeightName) -> String {
    let template =
      switch source {
      case .gguf: name.gguf
      case .safetensors: name.huggingFace
      }
    return layer.map { template.replacing("#", with: String($0)) } ?? template
  }

  func failure(_ field: String, _ reason: String) -> ModelError { ModelError(source: source.path, field: field, reason: reason) }

  /// A tensor in its stored type; nil when the file has none of that name.
  func optional(_ name: String, _ shape: Shape) throws(ModelError) -> Tensor? {
    guard let tensor = source.tensor(named: name) else { return nil }
    guard tensor.shape == shape else { throw failure(name, "found shape \(tensor.shape), expected \(shape)") }
    return tensor
  }

  func required(_ name: String, _ shape: Shape) throws(ModelError) -> Tensor {
    if let tensor = try optional(name, shape) { return tensor }
    if case .safetensors(let folder) = source, let type = folder.unsupportedType(ofTensorNamed: name) {
      throw failure(name, "found type \(type), expected F32, F16 or BF16")
    }
    throw failure(name, "the tensor is missing, expected one of shape \(shape)")
  }

  func required(_ weight: WeightName, _ shape: Shape) throws(ModelError) -> Tensor { try required(name(weight), shape) }

  /// A small tensor as F32: norms, biases, the router.
  func floats(_ weight: WeightName, _ shape: Shape) throws(ModelError) -> Tensor { try required(weight, shape).asFloat32() }

  /// A weight `[out, in]` with its bias, where the checkpoint has one.
  func projection(_ weight: WeightName, out: Int, in inputs: Int) throws(ModelError) -> Projection {
    Projection(weight: try required(weight, [out, inputs]), bias: try optional(name(weight.bias), [out])?.asFloat32())
  }
}

/// A linear map: `weight` `[out, in]` of any type, `bias` `[out]` in F32.
struct Projection {
  var weight: Tensor
  var bias: Tensor?
}

extension Compute {
  func linear(_ x: Tensor, _ projection: Projection, role: PositionRole) -> Tensor {
    linear(x, projection.weight, bias: projection.bias, role: role)
  }
}

extension Tensor {
  /// The tensor itself when it is F32, else an F32 copy.
  func asFloat32() -> Tensor {
    // Kernels read F32 by whole floats: files may place them at odd addresses.
    if type == .float32, UInt(bitPattern: address) % 4 == 0 { return self }
    return Tensor(floatArray(), shape: shape)
  }
}
