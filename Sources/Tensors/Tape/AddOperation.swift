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
}
