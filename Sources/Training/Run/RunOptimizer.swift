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
    muon =
      matrices.isEmpty
      ? nil
      : Muon(matrices, options: settings.muon, state: settings.state, precision: precision.original, compute: compute)
    adamW = AdamW(parameters.filter { !names.contains($0.name) }, options: settings.adamW, state: settings.state)
    norm = GradientNorm(parameters)
  }

  /// Steps taken.
  var stepCount: Int {
    get { adamW.stepCount }
    set { adamW.stepCount = newValue }
  }

  func gradientNorm(_ compute: Compute) -> Double { norm.norm(compute) }

  /// - Parameter resting: names of parameters that stay as they are.
  func step(rate: Float, gradientScale: Float, resting: Set<String> = [], compute: Compute) {
    adamW.step(rate: rate, gradientScale: gradientScale, resting: resting, compute: compute)
    muon?.step(rate: rate, gradientScale: gradientScale, resting: resting, compute: compute)
  }

  /// The moments by name, in a fixed order.
  private var moments: [(name: String, moment: MomentTensor)] {
    var result: [(name: String, moment: MomentTensor)] = []
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

  /// What the moments are stored as, by name; memory of the optimizer.
  private var parts: [(name: String, part: MomentTensor.Part)] {
    moments.flatMap { name, moment in moment.parts.map { (name + $0.suffix, $0) } }
  }

  /// Bytes of the moments.
  var stateByteCount: Int { moments.reduce(0) { $0 + $1.moment.byteCount } }

  /// Writes the moments as safetensors.
  /// - Throws: `CheckpointError` when the file cannot be written.
  func save(to path: String) throws(CheckpointError) {
    let parts = parts
    let writer = try SafetensorsWriter(
      path: path, tensors: parts.map { .init(name: $0.name, shape: $0.part.shape, type: $0.part.type) })
    for (_, part) in parts { try writer.append(UnsafeRawBufferPointer(part.bytes)) }
    try writer.finish()
  }

  /// Takes the moments of a file.
  /// - Throws: `CheckpointError` naming a tensor that is missing, or of another shape or type.
  func load(_ file: SafetensorsFile) throws(CheckpointError) {
    try file.copy(to: parts.map { .init(name: $0.name, shape: $0.part.shape, type: $0.part.type, memory: $0.part.bytes) })
  }
}
