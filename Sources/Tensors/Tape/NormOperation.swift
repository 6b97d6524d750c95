internal import CSwiftletKernels

struct NormOperation {
  let input: Value
  let weight: Parameter
  let epsilon: Float
  let output: Value

  func backward(_ tape: Tape) -> Int {
    guard let gradient = tape.gradient(output) else { return output.index }
    let size = weight.shape.count, stride = input.shape.columns, rows = input.shape.rows, table = tape.kernels.table
    let x = tape.floats(input), target = tape.gradientToAdd(input)
    tape.addBlockSums(rows: rows, size: size, to: weight.gradient.floats) { row, sums in
      table.pointee.rms_norm_gradient(
        x + row * stride, weight.value.floats, epsilon, gradient + row * size, size, target + row * stride, sums)
    }
    return output.index
  }
}

extension Tape {
  /// `x / sqrt(mean(x²) + epsilon) * weight`, row by row (Zhang & Sennrich 2019).
  /// - Parameters:
  ///   - x: `[rows, columns]`; of rows wider than the weight the leading part is used.
  ///   - weight: `[size]`
  /// - Returns: `[rows, size]`
  public func rmsNorm(_ x: Value, _ weight: Parameter, epsilon: Float) -> Value {
    let size = weight.shape.count, stride = x.shape.columns
    precondition(size <= stride, "rmsNorm: \(x.shape), weight \(weight.shape)")
    return measured("rmsNorm") {
      let output = makeValue(Shape(x.shape.rows, size)), source = floats(x), target = floats(output)
      compute.forRows(x.shape.rows, costPerRow: size) { rows in
        for row in rows {
          kernels.table.pointee.rms_norm(source + row * stride, weight.value.floats, epsilon, size, target + row * size)
        }
      }
      record(.rmsNorm(NormOperation(input: x, weight: weight, epsilon: epsilon, output: output)))
      return output
    }
  }
}

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

/// Values beside each other.
struct JoinOperation {
  let parts: [Value]
  let output: Value

  func backward(_ tape: Tape) -> Int {
    guard let gradient = tape.gradient(output) else { return output.index }
    var offset = 0
    for part in parts {
      let size = part.shape.columns, stride = output.shape.columns, target = tape.takeGradient(part), source = gradient + offset
      tape.compute.forRows(part.shape.rows, costPerRow: size) { rows in
        for row in rows { (target.floats + row * size).update(from: source + row * stride, count: size) }
      }
      tape.give(target, to: part)
      offset += size
    }
    return output.index
  }
}

extension Tape {
  /// `first + second`, the residual connection. Both `[rows, size]`.
  public func add(_ first: Value, _ second: Value) -> Value {
    precondition(first.shape == second.shape, "add: \(first.shape), \(second.shape)")
    return measured("add") {
      let output = makeValue(first.shape), a = floats(first), b = floats(second), target = floats(output)
      compute.forRows(first.shape.count, costPerRow: 1) { range in
        let at = range.lowerBound
        (target + at).update(from: a + at, count: range.count)
        kernels.table.pointee.add_scaled(b + at, 1, range.count, target + at)
      }
      record(.add(AddOperation(first: first, second: second, output: output)))
      return output
    }
  }

  /// The rows of several values beside each other: `[rows, sum of sizes]`.
  public func join(_ parts: [Value]) -> Value {
    measured("join") {
      let rows = parts[0].shape.rows, stride = parts.reduce(0) { $0 + $1.shape.columns }
      let output = makeValue(Shape(rows, stride)), target = floats(output)
      var offset = 0
      for part in parts {
        let size = part.shape.columns, source = floats(part), start = target + offset
        compute.forRows(rows, costPerRow: size) { range in
          for row in range { (start + row * stride).update(from: source + row * size, count: size) }
        }
        offset += size
      }
      record(.join(JoinOperation(parts: parts, output: output)))
      return output
    }
  }
}
