internal import CSwiftletKernels

/// The product of a feed-forward layer's two branches, where they were computed apart.
struct GatingOperation {
  let gate: Value
  let up: Value
  let output: Value

  func backward(_ tape: Tape) -> Int {
    guard let gradient = tape.gradient(output) else { return output.index }
    let gates = tape.floats(gate), ups = tape.floats(up), results = tape.floats(output), table = tape.kernels.table
    let gateGradient = tape.takeGradient(gate), upGradient = tape.takeGradient(up)
    tape.compute.forRows(output.shape.count, costPerRow: 4) {
      let first = $0.lowerBound
      // The result is written once more where it stands.
      _ = table.pointee.swiglu_gradient(
        gates + first, ups + first, gradient + first, 1, $0.count, gateGradient.floats + first, upGradient.floats + first,
        results + first)
    }
    tape.give(gateGradient, to: gate)
    tape.give(upGradient, to: up)
    return output.index
  }
}

extension Tape {
  /// `silu(gate) * up` (Shazeer 2020), each `[rows, size]`.
  public func swiglu(_ gate: Value, _ up: Value) -> Value {
    precondition(gate.shape == up.shape, "swiglu: \(gate.shape), \(up.shape)")
    return measured("swiglu") {
      let output = makeValue(gate.shape), gates = floats(gate), ups = floats(up), target = floats(output)
      compute.forRows(gate.shape.count, costPerRow: 4) {
        kernels.table.pointee.swiglu(gates + $0.lowerBound, ups + $0.lowerBound, $0.count, target + $0.lowerBound)
      }
      record(.swiglu(GatingOperation(gate: gate, up: up, output: output)))
      return output
    }
  }
}
