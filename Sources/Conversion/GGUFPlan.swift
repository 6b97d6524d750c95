internal import SwiftletCheckpoints
internal import SwiftletModels
internal import SwiftletTensors

/// The tensors of a GGUF file made from a folder of safetensors, as llama.cpp's convert_hf_to_gguf.py makes them.
struct GGUFPlan {
  let folder: SafetensorsFolder
  let configuration: ModelConfiguration
  /// Layers that predict further tokens; they follow the decoder's.
  let nextTokenLayers: Int
  private(set) var tensors: [TensorPlan] = []

  init(_ folder: SafetensorsFolder, _ configuration: ModelConfiguration, nextTokenLayers: Int, type: GGUFType) throws {
    self.folder = folder
    self.configuration = configuration
    self.nextTokenLayers = nextTokenLayers
    try checkWeights()
    try plan()
    if let factors = Self.rotaryFactors(configuration) {
      tensors.insert(TensorPlan(name: "rope_freqs.weight", values: factors), at: 0)
    }
    let mix = QuantizationMix(type, configuration, layerCount: configuration.layerCount + nextTokenLayers)
    let types = mix.types(of: tensors.map { ($0.name, $0.shape) })
    for index in tensors.indices { tensors[index].type = types[index] ?? .float32 }
  }

  /// The layers that predict further tokens, when the folder has them: files without their weights say that there are some, too.
  static func nextTokenLayers(_ folder: SafetensorsFolder, _ configuration: ModelConfiguration) -> Int {
    let first = "model.layers.\(configuration.layerCount).eh_proj.weight"
    return folder.tensor(named: first) == nil && folder.unreadTensor(named: first) == nil
      ? 0 : configuration.predictionLayerCount
  }

  private func failure(_ field: String, _ reason: String) -> CheckpointError {
    CheckpointError(file: folder.path, field: field, reason: reason)
  }

  /// Every weight the model needs is there and has its shape.
  private func checkWeights() throws(CheckpointError) {
    for (name, shape) in configuration.requiredWeights(nextTokenLayers: nextTokenLayers) {
      if let unread = folder.unreadTensor(named: name) {
        throw failure(name, "found type \(unread.type), which cannot be read")
      }
      guard let tensor = folder.tensor(named: name) else {
        throw failure(name, "the tensor is missing, expected one of shape \(shape)")
      }
      guard tensor.shape.array == shape else { throw failure(name, "found shape \(tensor.shape), expected \(shape)") }
    }
  }

  /// Values that files of old carry and no model needs.
  static func isNoWeight(_ name: String) -> Bool {
    name.hasSuffix(".rotary_emb.inv_freq") || name.hasSuffix(".attention.masked_bias") || name.hasSuffix(".attention.bias")
      || name.hasSuffix(".weight_scale_inv")
  }

  private mutating func plan() throws {
    for unread in folder.unreadTensors where !Self.isNoWeight(unread.name) {
      throw failure(unread.name, "found type \(unread.type), which cannot be read")
    }
    var expertsLeft: [String: Int] = [:]
    for (name, tensor) in folder.tensors where !Self.isNoWeight(name) {
      guard let weight = WeightIdentity(huggingFace: name) else {
        throw failure(name, "is no weight of \(configuration.architecture.rawValue) that is known here")
      }
      if let layer = weight.layer, layer >= configuration.layerCount + nextTokenLayers { continue }
      if configuration.tiesEmbeddings, weight.gguf == "output.weight" { continue }
      switch weight.role {
      case .plain: tensors.append(TensorPlan(name: weight.gguf, tensor: tensor, type: .float32))
      case .query, .key:
        let order = try rowOrder(name, tensor, isQuery: weight.role == .query)
        tensors.append(TensorPlan(name: weight.gguf, tensor: tensor, type: .float32, order: order))
      case .keyValueUp: try planKeyValueUp(name, weight, tensor)
      case .expert:
        let count = configuration.mixture?.expertCount ?? 0
        expertsLeft[weight.gguf, default: count] -= 1
        if expertsLeft[weight.gguf] == 0 { try planExperts(weight, count) }
      }
    }
  }

  /// llama.cpp rotates neighbours in Llama's heads.
  private func rowOrder(_ name: String, _ tensor: Tensor, isQuery: Bool) throws(CheckpointError) -> TensorPlan.RowOrder {
    guard configuration.architecture == .llama, case .groupedQuery(let keyValueHeads, let dimension) = configuration.attention
    else { return .asStored }
    let rows = (isQuery ? configuration.headCount : keyValueHeads) * dimension
    guard tensor.shape.rank > 0, tensor.shape[0] == rows else {
      throw failure(name, "found shape \(tensor.shape), expected \(rows) rows")
    }
    return .pairs(headDimension: dimension)
  }

  /// Each head's rows of keys, transposed, and of values, apart.
  private mutating func planKeyValueUp(_ name: String, _ weight: WeightIdentity, _ tensor: Tensor) throws {
    guard case .latent(let latent) = configuration.attention, let layer = weight.layer else {
      throw failure(name, "found shape \(tensor.shape), expected a matrix of latent attention")
    }
    let heads = configuration.headCount, plain = latent.plainDimension, values = latent.valueDimension
    let expected = Shape(heads * (plain + values), latent.keyValueRank)
    guard tensor.shape == expected else { throw failure(name, "found shape \(tensor.shape), expected \(expected)") }
    let names = WeightIdentity.keyValueParts(layer: layer)
    let keyParts = (0..<heads).map { head in
      let start = head * (plain + values)
      return TensorPlan.Part(tensor: tensor.rows(start..<start + plain), order: .transposed)
    }
    let valueParts = (0..<heads).map { head in
      let start = head * (plain + values) + plain
      return TensorPlan.Part(tensor: tensor.rows(start..<start + values))
    }
    let rank = latent.keyValueRank
    tensors.append(TensorPlan(name: names.keys, shape: [heads, rank, plain], type: .float32, parts: keyParts))
    tensors.append(TensorPlan(name: names.values, shape: [heads, values, rank], type: .float32, parts: valueParts))
  }

  /// The experts of a layer in one tensor.
  private mutating func planExperts(_ weight: WeightIdentity, _ count: Int) throws {
    guard case .expert(let last) = weight.role else { return }
    let first = weight.huggingFace.replacing(".experts.\(last).", with: ".experts.0.")
    guard let identity = WeightIdentity(huggingFace: first) else { return }
    var parts: [TensorPlan.Part] = []
    for expert in 0..<count {
      let name = identity.huggingFace(ofExpert: expert)
      guard let tensor = folder.tensor(named: name) else { throw failure(name, "the tensor is missing") }
      guard tensor.shape.rank == 2, tensor.shape == (parts.first?.tensor.shape ?? tensor.shape) else {
        throw failure(name, "found shape \(tensor.shape), expected a matrix of the shape of the other experts")
      }
      parts.append(.init(tensor: tensor))
    }
    let shape = [count] + parts[0].tensor.shape.array
    tensors.append(TensorPlan(name: weight.gguf, shape: shape, type: .float32, parts: parts))
  }

  /// What each frequency is divided by, for Llama 3's scaling; computed in F32 as llama.cpp's converter does.
  static func rotaryFactors(_ configuration: ModelConfiguration) -> [Float]? {
    guard case .llama3(let factor, let low, let high, let original) = configuration.rotary.scaling else { return nil }
    return rotaryFactors(configuration.rotary, factor: factor, low: low, high: high, original: original)
  }
}
