internal import SwiftletModels
internal import SwiftletTensors

/// Finds where numbers stopped being finite, once a loss or gradient is not.
struct NotFiniteSearch {
  let model: TrainableModel
  let tape: Tape

  /// The first weight that has such a number; else the first layer that gives one, forward; else the gradient that was computed first,
  /// which is that of the last parameter.
  func firstPlace(_ passes: [TrainingBatch], _ options: LossOptions) -> (name: String, isWeight: Bool) {
    for parameter in model.parameters.parameters
    where !parameter.value.floatArray().allSatisfy(\.isFinite) {
      return ("the weight \(parameter.name)", true)
    }
    if let layer = firstLayer(passes, options) { return ("the output of \(layer)", false) }
    let parameter = model.parameters.parameters.last { parameter in
      parameter.isTrainable
        && !UnsafeBufferPointer(start: parameter.gradient.floats, count: parameter.shape.count).allSatisfy(\.isFinite)
    }
    return (parameter.map { "the gradient of \($0.name)" } ?? "the loss", false)
  }

  private func firstLayer(_ passes: [TrainingBatch], _ options: LossOptions) -> String? {
    var found: String?
    model.onOutput = { name, values in
      if found == nil, !values.allSatisfy(\.isFinite) { found = name }
    }
    defer { model.onOutput = nil }
    model.aside(tape) {
      for batch in passes where found == nil { _ = model.loss(batch, options, tape: tape) }
    }
    return found
  }
}
