/// What a tensor of one kind of file is called in the other, from the names that models load their weights by.
public struct WeightIdentity: Sendable, Equatable {
  /// The name in GGUF files.
  public let gguf: String
  /// The name in safetensors files.
  public let huggingFace: String
  /// nil for weights of no layer.
  public let layer: Int?
  public let role: Role

  /// What must be done to the values on the way between the files.
  public enum Role: Sendable, Equatable {
    case plain
    /// Rows of query or key heads, which GGUF files of architecture `llama` have in another order.
    case query
    case key
    /// Keys and values out of the latent space, which GGUF files may have apart from each other.
    case keyValueUp
    /// An expert's own matrix; GGUF files merge those of a layer.
    case expert(Int)
  }
}

extension WeightIdentity {
  private static let weights: [(name: WeightName, role: Role)] = [
    (.embedding, .plain), (.finalNorm, .plain), (.head, .plain), (.attentionNorm, .plain), (.feedForwardNorm, .plain),
    (.query, .query), (.key, .key), (.value, .plain), (.attentionOutput, .plain), (.queryDown, .plain),
    (.queryDownNorm, .plain), (.queryUp, .plain), (.keyValueDown, .plain), (.keyValueDownNorm, .plain),
    (.keyValueUp, .keyValueUp), (.gate, .plain), (.up, .plain), (.down, .plain), (.router, .plain), (.sharedGate, .plain),
    (.sharedUp, .plain), (.sharedDown, .plain),
  ]

  /// Weights of the layers that predict further tokens.
  private static let prediction: [WeightName] = [
    .predictionProjection, .predictionEmbeddingNorm, .predictionHiddenNorm, .predictionOutputNorm, .predictionEmbedding,
    .predictionHead,
  ]

  private static let all: [(name: WeightName, role: Role)] =
    weights + weights.map { ($0.name.bias, $0.role) } + prediction.map { ($0, .plain) } + [(.routerBias, .plain)]

  private static let byHuggingFace = Dictionary(all.map { ($0.name.huggingFace, $0) }) { first, _ in first }
  private static let byGGUF = Dictionary(all.map { ($0.name.gguf, $0) }) { first, _ in first }
  private static let expertKinds = ["gate", "up", "down"]

  /// The weight of a name in safetensors; nil for a name that no weight has.
  public init?(huggingFace name: String) {
    let (template, layer) = Self.template(name, prefix: "model.layers.")
    if let known = Self.byHuggingFace[template], (layer == nil) == !template.contains("#") {
      self.init(gguf: known.name.gguf.filled(layer), huggingFace: name, layer: layer, role: known.role)
      return
    }
    let (expertTemplate, expert) = Self.template(template, prefix: "model.layers.#.mlp.experts.")
    guard let layer, let expert,
      let kind = Self.expertKinds.first(where: { expertTemplate == "model.layers.#.mlp.experts.#.\($0)_proj.weight" })
    else { return nil }
    self.init(
      gguf: Self.mergedExperts(kind, layer: layer), huggingFace: name, layer: layer, role: .expert(expert))
  }

  /// The weight of a name in GGUF, with the first expert's for merged experts and `kv_b`'s for its two parts; nil for a name that no
  /// weight has.
  public init?(gguf name: String) {
    let (template, layer) = Self.template(name, prefix: "blk.")
    if let known = Self.byGGUF[template], (layer == nil) == !template.contains("#") {
      self.init(gguf: name, huggingFace: known.name.huggingFace.filled(layer), layer: layer, role: known.role)
      return
    }
    guard let layer else { return nil }
    if template == "blk.#.attn_k_b.weight" || template == "blk.#.attn_v_b.weight" {
      self.init(
        gguf: name, huggingFace: WeightName.keyValueUp.huggingFace.filled(layer), layer: layer, role: .keyValueUp)
      return
    }
    guard let kind = Self.expertKinds.first(where: { name == Self.mergedExperts($0, layer: layer) }) else { return nil }
    self.init(gguf: name, huggingFace: Self.expert(0, kind, layer: layer), layer: layer, role: .expert(0))
  }

  private static func mergedExperts(_ kind: String, layer: Int) -> String { "blk.\(layer).ffn_\(kind)_exps.weight" }

  private static func expert(_ expert: Int, _ kind: String, layer: Int) -> String {
    "model.layers.\(layer).mlp.experts.\(expert).\(kind)_proj.weight"
  }

  /// The same matrix of another expert of the layer, in safetensors.
  public func huggingFace(ofExpert expert: Int) -> String {
    huggingFace.replacing(".experts.0.", with: ".experts.\(expert).")
  }

  /// The names of the two parts of `kv_b` in GGUF files: keys, transposed, and values.
  public static func keyValueParts(layer: Int) -> (keys: String, values: String) {
    ("blk.\(layer).attn_k_b.weight", "blk.\(layer).attn_v_b.weight")
  }

  /// The name with `#` for the number after the prefix, and that number.
  private static func template(_ name: String, prefix: String) -> (template: String, number: Int?) {
    guard name.hasPrefix(prefix) else { return (name, nil) }
    let rest = name.dropFirst(prefix.count)
    let digits = rest.prefix { $0.isASCII && $0.isNumber }
    // One spelling of a number only, as it would be written.
    guard let number = Int(digits), String(number) == digits, number < 1 << 20 else { return (name, nil) }
    return (prefix + "#" + rest.dropFirst(digits.count), number)
  }
}

extension String {
  fileprivate func filled(_ layer: Int?) -> String { layer.map { replacing("#", with: String($0)) } ?? self }
}
