internal import SwiftletCheckpoints
internal import SwiftletTensors

/// The policy that another must stay near: the values of all parameters that are trained, at an earlier time.
final class ReferencePolicy {
  static let fileName = "reference.safetensors"
  private let parameters: [Parameter]
  private let values: [Tensor]

  /// The policy as it is now.
  init(_ set: ParameterSet) {
    parameters = set.parameters.filter(\.isTrainable)
    values = parameters.map { Tensor($0.value.floatArray(), shape: $0.shape) }
  }

  /// Becomes the policy as it is now.
  func replace() {
    for (parameter, value) in zip(parameters, values) {
      value.floats.update(from: parameter.value.floats, count: value.shape.count)
    }
  }

  /// Runs `body` while the parameters have the reference's values.
  func applied<Result>(_ body: () throws -> Result) rethrows -> Result {
    exchange()
    defer { exchange() }
    return try body()
  }

  private func exchange() {
    for (parameter, value) in zip(parameters, values) {
      for index in 0..<value.shape.count { swap(&parameter.value.floats[index], &value.floats[index]) }
      parameter.valueChanged()
    }
  }

  var byteCount: Int { values.reduce(0) { $0 + $1.byteCount } }

  /// - Throws: `CheckpointError` when the file cannot be written.
  func save(to path: String) throws(CheckpointError) {
    let tensors = zip(parameters, values)
    let writer = try SafetensorsWriter(
      path: path, tensors: tensors.map { .init(name: $0.name, shape: $1.shape.array, type: .float32) })
    for (_, value) in tensors { try writer.append(UnsafeRawBufferPointer(start: value.address, count: value.byteCount)) }
    try writer.finish()
  }

  /// - Throws: `CheckpointError` naming a tensor that is missing, or of another shape or type.
  func load(_ file: SafetensorsFile) throws(CheckpointError) {
    try file.copy(
      to: zip(parameters, values).map {
        .init(
          name: $0.name, shape: $1.shape.array, type: .float32,
          memory: UnsafeMutableRawBufferPointer(start: $1.address, count: $1.byteCount))
      })
  }
}
