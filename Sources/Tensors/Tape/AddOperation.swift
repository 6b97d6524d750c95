internal import CSwiftletKernels

struct AddOperation {
  let first: Value
  let second: Value
  let output: Value

  func backward(_ tape: Tape) -> Int {
    guard let gradient = tape.gradientBuffer(output) else { return output.index }
    tape.share(gradient, with: first)
    tape.share(gradient, with: second)
    return output.index
  }
}

/// What an adapter adds to a product.
struct ScaledAddOperation {
  let first: Value
  let second: Value
  let scale: Float
  let output: Value

  func backward(_ tape: Tape) -> Int {
    guard let gradient = tape.gradientBuffer(output) else { return output.index }
    let target = tape.takeGradient(second), scale = scale, table = tape.kernels.table
    tape.zero(target.floats, count: second.shape.count)
    tape.compute.forRows(second.shape.count, costPerRow: 1) {
      table.pointee.add_scaled(gradient.floats + $0.lowerBound, scale, $0.count, target.floats + $0.lowerBound)
    }
    tape.give(target, to: second)
    tape.share(gradient, with: first)
    return output.index
  }
}

extension Tape {
  /// `first + second`, the residual connection, in the memory of the second, which must not be used afterwards. Both `[rows, size]`.
  /// - Parameter releasesFirst: whether the first is not used any more either.
  public func add(_ first: Value, consuming second: Value, releasesFirst: Bool = false) -> Value {
    precondition(first.shape == second.shape, "add: \(first.shape), \(second.shape)")
    return measured("add") {
      let source = floats(first), target = floats(second)
      add(source, to: target, count: first.shape.count)
      let output = moveValue(second)
      if releasesFirst { releaseValue(first) }
      record(.add(AddOperation(first: first, second: second, output: output)))
      return output
    }
  }

  /// `first + scale * second` in the memory of the first. Neither must be used afterwards. Both `[rows, size]`.
  public func add(consuming first: Value, _ second: Value, scaledBy scale: Float) -> Value {
    precondition(first.shape == second.shape, "add: \(first.shape), \(second.shape)")
    return measured("scaledAdd") {
      let source = floats(second), target = floats(first)
      compute.forRows(first.shape.count, costPerRow: 1) {
        kernels.table.pointee.add_scaled(source + $0.lowerBound, scale, $0.count, target + $0.lowerBound)
      }
      let output = moveValue(first)
      releaseValue(second)
      record(.scaledAdd(ScaledAddOperation(first: first, second: second, scale: scale, output: output)))
      return output
    }
  }
}
