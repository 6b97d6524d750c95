public import SwiftletCheckpoints
internal import SwiftletModels
public import SwiftletTensors

/// The parameters of a model by their Hugging Face names, in the order of the files.
public struct ParameterSet {
  public private(set) var parameters: [Parameter] = []
  private var index: [String: Int] = [:]

  public init() {}

  mutating func add(_ parameter: Parameter) {
    index[parameter.name] = parameters.count
    parameters.append(parameter)
  }

  public subscript(name: String) -> Parameter? { index[name].map { parameters[$0] } }

  /// Those that a checkpoint holds: all but frozen ones.
  public var saved: [Parameter] { parameters.filter { !$0.isFrozen } }

  /// The values of these together.
  public var count: Int { saved.reduce(0) { $0 + $1.shape.count } }

  /// Sets every gradient to zero.
  public func clearGradients(_ compute: Compute) {
    compute.pool.run(parameters.count) { index, _ in
      guard parameters[index].isTrainable else { return }
      let gradient = parameters[index].gradient
      gradient.floats.update(repeating: 0, count: gradient.shape.count)
    }
  }

  /// Writes the values, but not those of frozen parameters, as safetensors; the file appears when it is whole.
  /// - Parameters:
  ///   - path: of the file.
  ///   - type: F32 or BF16.
  /// - Throws: `CheckpointError` when the file cannot be written.
  public func save(to path: String, as type: ElementType = .float32, kernels: Kernels = .best) throws(CheckpointError) {
    let parameters = saved
    let writer = try SafetensorsWriter(
      path: path, tensors: parameters.map { .init(name: $0.name, shape: $0.shape.array, type: type) },
      metadata: [("format", "pt")])
    for parameter in parameters {
      let stored = type == .float32 ? parameter.value : parameter.value.asBFloat16(kernels: kernels)
      try writer.append(UnsafeRawBufferPointer(start: stored.address, count: stored.byteCount))
    }
    try writer.finish()
  }
}

extension ModelConfiguration {
  /// The weights that a model of this shape trains, with their shapes: those it must have, and biases where `hasBias` says so.
  func trainedWeights(predictionLayers: Int, hasBias: (String) -> Bool) -> [(name: String, shape: [Int])] {
    var result: [(name: String, shape: [Int])] = []
    let required = requiredWeights(nextTokenLayers: predictionLayers), names = Set(required.map(\.name))
    for weight in required {
      result.append(weight)
      // Experts have none.
      guard weight.shape.count == 2, weight.name.hasSuffix(".weight"), !weight.name.contains(".mlp.experts.") else { continue }
      let bias = String(weight.name.dropLast("weight".count)) + "bias"
      if !names.contains(bias), hasBias(bias) { result.append((bias, [weight.shape[0]])) }
    }
    return result
  }

  /// The names of the weights that a checkpoint has for a model of this shape, after a look at their shapes.
  /// - Parameters:
  ///   - path: of the checkpoint, for errors.
  ///   - shape: of a weight of the checkpoint.
  ///   - floats: its values.
  /// - Throws: `CheckpointError` naming the tensor that is missing or of another shape.
  func weights(
    path: String, shape: (String) -> Shape?, floats: (String) throws -> [Float]?
  ) throws -> (names: [String], predictionLayers: Int) {
    let isPredicting = shape("model.layers.\(layerCount).eh_proj.weight") != nil
    let predictionLayers = isPredicting ? min(1, predictionLayerCount) : 0
    var weights = trainedWeights(predictionLayers: predictionLayers) { shape($0) != nil }
    if predictionLayers > 0 {
      // The published files repeat the embedding and the head, which the report shares.
      let shared = ["embed_tokens.weight": "model.embed_tokens.weight", "shared_head.head.weight": "lm_head.weight"]
      for (part, original) in shared.sorted(by: { $0.key < $1.key }) {
        let name = "model.layers.\(layerCount).\(part)"
        guard let copy = try floats(name), try copy != floats(original) else { continue }
        weights.append((name, [vocabularySize, hiddenSize]))
      }
    }
    for (name, expected) in weights {
      guard let found = shape(name) else {
        throw CheckpointError(file: path, field: name, reason: "the tensor is missing, expected one of shape \(Shape(expected))")
      }
      guard found == Shape(expected) else {
        throw CheckpointError(file: path, field: name, reason: "found shape \(found), expected \(Shape(expected))")
      }
    }
    return (weights.map(\.name), predictionLayers)
  }

  /// Whether the configuration asks for a bias.
  /// - Parameter name: a bias's, as in safetensors.
  func requiresBias(_ name: String) -> Bool {
    switch name.split(separator: ".").dropLast().last {
    case "q_proj", "k_proj", "v_proj", "q_a_proj", "kv_a_proj_with_mqa": requiredBiases.contains(.queryKeyValue)
    case "o_proj": requiredBiases.contains(.attentionOutput)
    case "gate_proj", "up_proj", "down_proj": requiredBiases.contains(.feedForward)
    default: false
    }
  }
}
