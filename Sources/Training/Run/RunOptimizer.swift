internal import SwiftletCheckpoints
internal import SwiftletTensors

/// What a recipe calls its optimizer: AdamW for all parameters, or Muon for the matrices between hidden states beside it.
final class RunOptimizer {
  private let adamW: AdamW
  private let muon: Muon?
  let parameters: [Parameter]
  private let norm: GradientNorm

  init(_ settings: Recipe.Optimizer, _ all: [Parameter], precision: ProductPrecision, compute: Compute) {
    parameters = all.filter(\.isTrainable)
    let matrices = settings.name == .muon ? parameters.filter(\.isHiddenMatrix) : []
    let names = Set(matrices.map(\.name))
    muon = matrices.isEmpty ? nil : Muon(matrices, options: settings.muon, precision: precision, compute: compute)
    adamW = AdamW(parameters.filter { !names.contains($0.name) }, options: settings.adamW)
    norm = GradientNorm(parameters)
  }

  /// Steps taken.
  var stepCount: Int {
    get { adamW.stepCount }
    set { adamW.stepCount = newValue }
  }

  func gradientNorm(_ compute: Compute) -> Double { norm.norm(compute) }

  func step(rate: Float, gradientScale: Float, compute: Compute) {
    adamW.step(rate: rate, gradientScale: gradientScale, compute: compute)
    muon?.step(rate: rate, gradientScale: gradientScale, compute: compute)
  }

  /// The moments by name, in a fixed order; they are memory of the optimizer, which may be written to.
  var state: [(name: String, tensor: Tensor)] {
    var result: [(name: String, tensor: Tensor)] = []
    for (index, parameter) in adamW.parameters.enumerated() {
      result.append(("mean." + parameter.name, adamW.means[index]))
      result.append(("square." + parameter.name, adamW.squares[index]))
    }
    guard let muon else { return result }
    for (index, parameter) in muon.parameters.enumerated() {
      result.append(("momentum." + parameter.name, muon.momenta[index]))
    }
    return result
  }

  /// Takes the moments of a file.
  /// - Throws: `CheckpointError` naming a tensor that is missing or of another shape.
  func load(_ file: SafetensorsFile) throws(CheckpointError) {
    let found = Dictionary(file.tensors.map { ($0.name, $0.tensor) }) { first, _ in first }
    for (name, tensor) in state {
      guard let source = found[name], source.shape == tensor.shape, source.type == .float32 else {
        throw CheckpointError(
          file: file.path, field: name,
          reason: "found \(found[name].map { "shape \($0.shape)" } ?? "no such tensor"), expected shape \(tensor.shape) in F32")
      }
      tensor.floats.update(from: source.floats, count: tensor.shape.count)
    }
    try file.check()
  }
}
