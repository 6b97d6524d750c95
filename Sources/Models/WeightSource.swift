public import SwiftletCheckpoints
public import SwiftletTensors

/// Where a model's weights come from, by the name of each tensor in that kind of file.
public enum WeightSource: Sendable {
  case gguf(GGUFFile)
  case safetensors(SafetensorsFolder)
  case memory(MemoryWeights)

  public var path: String {
    switch self {
    case .gguf(let file): file.path
    case .safetensors(let folder): folder.path
    case .memory: "the model in memory"
    }
  }

  /// Whether the weights are those of another part of the program; see `MemoryWeights`.
  var isMemory: Bool { if case .memory = self { true } else { false } }

  /// The files that hold the weights.
  var files: [MappedFile] {
    switch self {
    case .gguf(let file): file.files
    case .safetensors(let folder): folder.files.map(\.file)
    case .memory: []
    }
  }

  /// Tells these files, or copies of them, from others without reading all of them.
  public var fingerprint: String {
    files.map { "\($0.byteCount) \(String($0.contentChecksum, radix: 16))" }.joined(separator: ", ")
  }

  /// Whether every file is still what was opened; see `MappedFile.check`.
  /// - Throws: `CheckpointError` naming the file that changed.
  public func check() throws(CheckpointError) {
    switch self {
    case .gguf(let file): try file.check()
    case .safetensors(let folder): try folder.check()
    case .memory: break
    }
  }

  public func tensor(named name: String) -> Tensor? {
    switch self {
    case .gguf(let file): file.tensor(named: name)
    case .safetensors(let folder): folder.tensor(named: name)
    case .memory(let weights): weights.tensor(named: name)
    }
  }

  /// The tensor of a name that is there but cannot be computed with.
  public func unreadTensor(named name: String) -> UnreadTensor? {
    switch self {
    case .gguf(let file): file.unreadTensor(named: name)
    case .safetensors(let folder): folder.unreadTensor(named: name)
    case .memory: nil
    }
  }

  /// The types that can be computed with.
  private var readTypes: String {
    switch self {
    case .gguf: ElementType.ggufTypes.map(\.name).joined(separator: ", ")
    case .safetensors, .memory: "F32, F16, BF16, F8_E4M3 with weight_scale_inv"
    }
  }

  /// The tensor of a name; nil when the files have none.
  /// - Throws: `CheckpointError` when it is there but cannot be computed with, which must not count as missing.
  func find(_ name: String) throws(CheckpointError) -> Tensor? {
    if let tensor = tensor(named: name) { return tensor }
    guard let unread = unreadTensor(named: name) else { return nil }
    let reason =
      unread.shape.count > Shape.maximumRank
      ? "found \(unread.shape.count) dimensions, expected at most \(Shape.maximumRank)"
      : "found type \(unread.type), expected one of \(readTypes)"
    throw CheckpointError(file: path, field: name, reason: reason)
  }

  /// Every tensor that can be computed with, in the files' order.
  public var tensors: [(name: String, tensor: Tensor)] {
    switch self {
    case .gguf(let file): file.tensors
    case .safetensors(let folder): folder.tensors
    case .memory(let weights): weights.tensors
    }
  }

  /// Every tensor that cannot be computed with; of safetensors in no order.
  public var unreadTensors: [UnreadTensor] {
    switch self {
    case .gguf(let file): file.unreadTensors
    case .safetensors(let folder): folder.unreadTensors
    case .memory: []
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
  // Of the layer that predicts further tokens, beside those of a decoder layer.
  static let predictionProjection = WeightName("blk.#.nextn.eh_proj.weight", "model.layers.#.eh_proj.weight")
  static let predictionEmbeddingNorm = WeightName("blk.#.nextn.enorm.weight", "model.layers.#.enorm.weight")
  static let predictionHiddenNorm = WeightName("blk.#.nextn.hnorm.weight", "model.layers.#.hnorm.weight")
  static let predictionOutputNorm = WeightName("blk.#.nextn.shared_head_norm.weight", "model.layers.#.shared_head.norm.weight")
  static let predictionEmbedding = WeightName("blk.#.nextn.embed_tokens.weight", "model.layers.#.embed_tokens.weight")
  static let predictionHead = WeightName("blk.#.nextn.shared_head_head.weight", "model.layers.#.shared_head.head.weight")

  /// The bias that belongs to a weight.
  var bias: WeightName {
    WeightName(gguf.replacing(".weight", with: ".bias"), huggingFace.replacing(".weight", with: ".bias"))
  }
}

/// Loads the tensors of one layer (or of none) and checks their shapes.
struct WeightLoader {
  let source: WeightSource
  let requiredBiases: Set<ModelConfiguration.Bias>
  var layer: Int?
  /// Holds the experts that are in memory, when the others stay on disk.
  var expertCache: ExpertCache?
  var packing = WeightPacking.memory
  private let copies = Copies()

  /// Bytes of the weights that are copied out of the file.
  private final class Copies {
    var bytes = 0
  }

  /// Those of DeepSeek-V3, the largest model known here, are 4.5 GB when every value is counted as four bytes.
  private static let maximumCopiedBytes = 8 << 30

  init(source: WeightSource, requiredBiases: Set<ModelConfiguration.Bias>) {
    self.source = source
    self.requiredBiases = requiredBiases
  }

  /// Counts a copy before it is made: a sparse file may claim any size.
  func count(copyOf tensor: Tensor, named name: String) throws(CheckpointError) {
    copies.bytes += tensor.shape.count * 4
    guard copies.bytes <= Self.maximumCopiedBytes else {
      throw failure(
        name,
        "with it \(copies.bytes) bytes of norms, biases, routers and the like are copied, expected at most "
          + "\(Self.maximumCopiedBytes)")
    }
  }

  func name(_ name: WeightName) -> String {
    let template =
      switch source {
      case .gguf: name.gguf
      case .safetensors, .memory: name.huggingFace
      }
    return layer.map { template.replacing("#", with: String($0)) } ?? template
  }

  func failure(_ field: String, _ reason: String) -> CheckpointError {
    CheckpointError(file: source.path, field: field, reason: reason)
  }

  /// A tensor in its stored type; nil when the file has none of that name.
  func optional(_ name: String, _ shape: Shape) throws(CheckpointError) -> Tensor? {
    guard let tensor = try source.find(name) else { return nil }
    guard tensor.shape == shape else { throw failure(name, "found shape \(tensor.shape), expected \(shape)") }
    return tensor
  }

  func required(_ name: String, _ shape: Shape) throws(CheckpointError) -> Tensor {
    if let tensor = try optional(name, shape) { return tensor }
    throw failure(name, "the tensor is missing, expected one of shape \(shape)")
  }

  func required(_ weight: WeightName, _ shape: Shape) throws(CheckpointError) -> Tensor { try required(name(weight), shape) }

  /// A small tensor as F32: norms, biases, the router.
  func floats(_ weight: WeightName, _ shape: Shape) throws(CheckpointError) -> Tensor {
    let tensor = try required(weight, shape)
    try count(copyOf: tensor, named: name(weight))
    return tensor.asFloat32()
  }

  /// A weight `[out, in]` with its bias, which must be there when the configuration requires biases of the kind.
  func projection(
    _ weight: WeightName, out: Int, in inputs: Int, bias kind: ModelConfiguration.Bias? = nil
  ) throws(CheckpointError) -> Projection {
    let isRequired = kind.map(requiredBiases.contains) ?? false
    let bias = try isRequired ? required(weight.bias, [out]) : optional(name(weight.bias), [out])
    if let bias { try count(copyOf: bias, named: name(weight.bias)) }
    let adapter = if case .memory(let weights) = source { weights.adapters[name(weight)] } else { MemoryWeights.Adapter?.none }
    return Projection(
      weight: packed(try required(weight, [out, inputs]), name(weight)), bias: bias?.asFloat32(), adapter: adapter)
  }

  /// A weight as products read it; see `WeightPacking.packed`.
  func packed(_ tensor: Tensor, _ name: String) -> Tensor { packing.packed(tensor, name) }
}

/// A linear map: `weight` `[out, in]` of any type, `bias` `[out]` in F32, and what an adapter adds.
struct Projection {
  var weight: Tensor
  var bias: Tensor?
  var adapter: MemoryWeights.Adapter?
}

extension Compute {
  func linear(_ x: Tensor, _ projection: Projection, role: PositionRole) -> Tensor {
    linear(x, [projection], role: role)[0]
  }

  /// Several linear maps of one input.
  func linear(_ x: Tensor, _ projections: [Projection], role: PositionRole) -> [Tensor] {
    let results = linear(x, projections.map(\.weight), role: role)
    for (projection, result) in zip(projections, results) {
      if let bias = projection.bias { add(bias: bias, to: result) }
      guard let adapter = projection.adapter else { continue }
      add(linear(linear(x, adapter.down, role: role), adapter.up, role: role), scaledBy: adapter.scale, into: result)
    }
    return results
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
