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
    guard weight.isTrainable else {
      // The kernel gives both gradients; that of the weight goes nowhere.
      let rowsOfPiece = 32
      tape.compute.reserveScratch(size * 4)
      tape.compute.pool.run((rows + rowsOfPiece - 1) / rowsOfPiece) { piece, thread in
        let unused = tape.compute.scratchFloats(thread)
        unused.update(repeating: 0, count: size)
        for row in piece * rowsOfPiece..<min(rows, (piece + 1) * rowsOfPiece) {
          table.pointee.rms_norm_gradient(
            x + row * stride, weight.value.floats, epsilon, gradient + row * size, size, target + row * stride, unused)
        }
      }
      return output.index
    }
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
