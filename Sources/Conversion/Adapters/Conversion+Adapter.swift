internal import SwiftletCheckpoints
internal import SwiftletTensors

/// What is added to a tensor while it is written.
struct TensorDelta: Sendable {
  let module: AdapterFolder.Module

  /// Adds to rows of F32 values, in a fixed order.
  func add(toRows rows: Range<Int>, _ values: UnsafeMutablePointer<Float>, kernels: Kernels) {
    let rank = module.down.shape.rows, columns = module.down.shape.columns
    for (index, row) in rows.enumerated() {
      for k in 0..<rank {
        kernels.addScaled(
          module.down.floats + k * columns, module.scale * module.up.floats[row * rank + k], count: columns,
          to: values + index * columns)
      }
    }
  }
}

extension SafetensorsPlan {
  /// Plans that every weight gets its adapter.
  /// - Throws: `CheckpointError` naming the adapter's tensor and the model's, where they do not fit.
  mutating func add(_ adapter: AdapterFolder, source: String) throws(CheckpointError) {
    var index: [String: Int] = [:]
    for (place, tensor) in tensors.enumerated() { index[tensor.name] = place }
    let file = adapter.path + "/" + AdapterNames.weights
    for module in adapter.modules {
      guard let place = index[module.weight] else {
        if module.weight == "lm_head.weight", index["model.embed_tokens.weight"] != nil {
          throw CheckpointError(
            file: file, field: module.downName,
            reason:
              "adapts lm_head.weight, which is the embedding in \(source) (tie_word_embeddings): such adapters cannot be merged")
        }
        throw CheckpointError(
          file: file, field: module.downName,
          reason: "adapts \(module.weight), which \(source) does not have: the adapter is of another model")
      }
      let shape = tensors[place].shape, expected = [module.up.shape.rows, module.down.shape.columns]
      guard shape == expected else {
        throw CheckpointError(
          file: file, field: module.downName,
          reason:
            "of shape \(module.down.shape) and \(module.upName) of shape \(module.up.shape) are for a weight of shape \(expected), but "
            + "\(module.weight) of \(source) has shape \(shape): the adapter is of another model")
      }
      setDelta(TensorDelta(module: module), at: place)
    }
  }
}
