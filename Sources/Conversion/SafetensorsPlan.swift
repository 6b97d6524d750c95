internal import SwiftletCheckpoints
internal import SwiftletModels
internal import SwiftletTensors

/// The tensors of a folder of safetensors made from a GGUF file or from another folder, under the names of the hub.
struct SafetensorsPlan {
  /// The largest file of a folder, as the hub's tools have it.
  static let shardBytes = 5_000_000_000
  private(set) var tensors: [TensorPlan] = []

  /// - Parameter type: of matrices; without one they keep theirs, and quantised ones become F16.
  init(_ file: GGUFFile, _ configuration: ModelConfiguration, type: ElementType?) throws(CheckpointError) {
    func failure(_ field: String, _ reason: String) -> CheckpointError {
      CheckpointError(file: file.path, field: field, reason: reason)
    }
    for (name, tensor) in file.tensors where name != "rope_freqs.weight" {
      guard let weight = WeightIdentity(gguf: name) else {
        throw failure(name, "is no weight of \(configuration.architecture.rawValue) that is known here")
      }
      let isMatrix = tensor.shape.rank > 1 && !name.hasSuffix("_norm.weight") && !name.hasSuffix("ffn_gate_inp.weight")
      let written = Self.type(isMatrix ? type : nil, tensor.type, tensor.type)
      switch weight.role {
      case .plain: tensors.append(TensorPlan(name: weight.huggingFace, tensor: tensor, type: written))
      case .query, .key:
        guard configuration.architecture == .llama, case .groupedQuery(let keyValueHeads, let dimension) = configuration.attention
        else {
          tensors.append(TensorPlan(name: weight.huggingFace, tensor: tensor, type: written))
          continue
        }
        let rows = (weight.role == .query ? configuration.headCount : keyValueHeads) * dimension
        guard tensor.shape.rank > 0, tensor.shape[0] == rows, !(tensor.shape.rank == 1 && tensor.type.isQuantized) else {
          throw failure(name, "found shape \(tensor.shape), expected \(rows) rows")
        }
        tensors.append(
          TensorPlan(name: weight.huggingFace, tensor: tensor, type: written, order: .halves(headDimension: dimension)))
      case .expert:
        // A file of zeros that takes no room on the disk may have any number of them.
        let count = configuration.mixture?.expertCount ?? 0
        guard tensor.shape.rank == 3, tensor.shape[0] == count else {
          throw failure(name, "found shape \(tensor.shape), expected three dimensions, the first of the \(count) experts")
        }
        for expert in 0..<count {
          tensors.append(TensorPlan(name: weight.huggingFace(ofExpert: expert), tensor: tensor.entry(expert), type: written))
        }
      case .keyValueUp:
        let parts = WeightIdentity.keyValueParts(layer: weight.layer ?? 0)
        if name == parts.values { continue }
        guard name == parts.keys else {
          // Some files have the whole matrix beside its parts, which are taken then.
          if file.tensor(named: parts.keys) != nil { continue }
          tensors.append(TensorPlan(name: weight.huggingFace, tensor: tensor, type: written))
          continue
        }
        guard let values = file.tensor(named: parts.values), case .latent(let latent) = configuration.attention,
          tensor.shape == [configuration.headCount, latent.keyValueRank, latent.plainDimension],
          values.shape == [configuration.headCount, latent.valueDimension, latent.keyValueRank]
        else { throw failure(name, "found shape \(tensor.shape), or no \(parts.values) that belongs to it") }
        let rows = configuration.headCount * (latent.plainDimension + latent.valueDimension)
        tensors.append(
          TensorPlan(
            name: weight.huggingFace, shape: [rows, latent.keyValueRank],
            type: Self.type(type, tensor.type, values.type),
            parts: (0..<configuration.headCount).flatMap { head in
              [.init(tensor: tensor.entry(head), order: .transposed), .init(tensor: values.entry(head))]
            }))
      }
    }
  }

  /// The wanted type, else the stored one when both parts have it.
  private static func type(_ wanted: ElementType?, _ first: ElementType, _ second: ElementType) -> ElementType {
    if let wanted { return wanted }
    if first.isQuantized || second.isQuantized { return .float16 }
    return first == second ? first : .float32
  }

  /// Tensors keep their names and places.
  init(_ folder: SafetensorsFolder, type: ElementType?) throws(CheckpointError) {
    for unread in folder.unreadTensors where !GGUFPlan.isNoWeight(unread.name) {
      throw CheckpointError(file: folder.path, field: unread.name, reason: "found type \(unread.type), which cannot be read")
    }
    for (name, tensor) in folder.tensors where !GGUFPlan.isNoWeight(name) {
      let isMatrix = tensor.shape.rank > 1 && !name.hasSuffix("norm.weight") && !name.hasSuffix("mlp.gate.weight")
      let stored: ElementType = [.float32, .float16, .bfloat16].contains(tensor.type) ? tensor.type : .bfloat16
      tensors.append(TensorPlan(name: name, tensor: tensor, type: isMatrix ? type ?? stored : stored))
    }
  }

  mutating func setDelta(_ delta: TensorDelta, at place: Int) { tensors[place].delta = delta }

  /// The tensors file by file, none larger than `shardBytes` unless one tensor is.
  func shards(of shardBytes: Int) -> [[TensorPlan]] {
    var shards: [[TensorPlan]] = [[]]
    var bytes = 0
    for tensor in tensors {
      if bytes + tensor.byteCount > shardBytes, !shards[shards.count - 1].isEmpty {
        shards.append([])
        bytes = 0
      }
      shards[shards.count - 1].append(tensor)
      bytes += tensor.byteCount
    }
    return shards
  }
}
