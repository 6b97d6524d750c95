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

  /// The values of every parameter together.
  public var count: Int { parameters.reduce(0) { $0 + $1.shape.count } }

  /// Sets every gradient to zero.
  public func clearGradients(_ compute: Compute) {
    compute.pool.run(parameters.count) { index, _ in
      let gradient = parameters[index].gradient
      gradient.floats.update(repeating: 0, count: gradient.shape.count)
    }
  }

  /// Writes the values as safetensors; the file appears when it is whole.
  /// - Parameters:
  ///   - path: of the file.
  ///   - type: F32 or BF16.
  /// - Throws: `CheckpointError` when the file cannot be written.
  public func save(to path: String, as type: ElementType = .float32, kernels: Kernels = .best) throws(CheckpointError) {
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
