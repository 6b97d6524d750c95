internal import CSwiftletKernels

extension Compute {
  /// `x / sqrt(mean(x²) + epsilon) * weight`, row by row (Zhang & Sennrich 2019).
  /// - Parameters:
  ///   - x: `[rows, size]`; only the first `weight.count` values of each row of a wider tensor are used.
  ///   - weight: `[size]`, F32.
  /// - Returns: `[rows, size]`
  public func rmsNorm(_ x: Tensor, _ weight: Tensor, epsilon: Float) -> Tensor {
    let size = weight.shape.count, stride = x.shape.columns, result = make(Shape(x.shape.rows, size))
    precondition(size <= stride, "rmsNorm: \(x.shape), weight \(weight.shape)")
    forRows(x.shape.rows, costPerRow: size) { rows in
      for row in rows {
        kernels.table.pointee.rms_norm(x.floats + row * stride, weight.floats, epsilon, size, result.floats + row * size)
      }
    }
    return result
  }

  /// `silu(gate) * up`, element by element (Shazeer 2020). Both `[rows, size]`.
  public func swiGLU(gate: Tensor, up: Tensor) -> Tensor {
    precondition(gate.shape == up.shape, "swiGLU: \(gate.shape), \(up.shape)")
    let size = gate.shape.columns, result = make(gate.shape)
    forRows(gate.shape.rows, costPerRow: size) { rows in
      let start = rows.lowerBound * size
      kernels.table.pointee.swiglu(gate.floats + start, up.floats + start, rows.count * size, result.floats + start)
    }
    return result
  }

  /// Adds `x`, times a scale, to `target` of equal shape, in place: the residual connection, or what an adapter adds.
  public func add(_ x: Tensor, scaledBy scale: Float = 1, into target: Tensor) {
    precondition(x.shape == target.shape, "add: \(x.shape), \(target.shape)")
    let size = x.shape.columns
    forRows(x.shape.rows, costPerRow: size) { rows in
      let start = rows.lowerBound * size
      kernels.table.pointee.add_scaled(x.floats + start, scale, rows.count * size, target.floats + start)
    }
  }

  /// Adds a bias `[size]` to every row of `x`, in place.
  public func add(bias: Tensor, to x: Tensor) {
    let size = x.shape.columns
    precondition(bias.shape.count == size, "bias \(bias.shape) for \(x.shape)")
    forRows(x.shape.rows, costPerRow: size) { rows in
      for row in rows { kernels.table.pointee.add_scaled(bias.floats, 1, size, x.floats + row * size) }
    }
  }

  /// The rows of a matrix at these indices, as F32.
  /// - Parameters:
  ///   - matrix: `[vocabulary, size]` of any type.
  ///   - indices: each below `vocabulary`.
  /// - Returns: `[indices, size]`
  public func embedding(_ matrix: Tensor, _ indices: [Int]) -> Tensor {
    let size = matrix.shape.columns, result = make(Shape(indices.count, size))
    forRows(indices.count, costPerRow: size) { rows in
      for row in rows {
        precondition(matrix.shape.rows > indices[row] && indices[row] >= 0, "embedding: index \(indices[row])")
        kernels.expand(row: indices[row], of: matrix, into: result.floats + row * size)
      }
    }
    return result
  }

  /// Row `indices[i]` of `x` as row i. `x`: `[rows, size]`.
  public func gather(_ x: Tensor, _ indices: [Int]) -> Tensor {
    let size = x.shape.columns, result = make(Shape(indices.count, size))
    forRows(indices.count, costPerRow: size) { rows in
      for row in rows { (result.floats + row * size).update(from: x.floats + indices[row] * size, count: size) }
    }
    return result
  }

  /// For every row r of the result: the sum over j, in order, of `weights[r][j]` times row `sources[r][j]` of `x`.
  /// - Parameters:
  ///   - x: `[any, size]`
  ///   - sources: flat, as many entries a result row as the weights have columns.
  ///   - weights: `[rows, perRow]`
  /// - Returns: `[rows, size]`
  public func weightedSum(_ x: Tensor, sources: [Int], weights: Tensor) -> Tensor {
    let size = x.shape.columns, count = weights.shape.rows, perRow = weights.shape.columns, result = make(Shape(count, size))
    precondition(sources.count == count * perRow, "weightedSum: \(sources.count) sources for \(weights.shape)")
    forRows(count, costPerRow: size * perRow) { rows in
      for row in rows {
        let target = result.floats + row * size
        target.update(repeating: 0, count: size)
        for entry in row * perRow..<(row + 1) * perRow {
          kernels.table.pointee.add_scaled(x.floats + sources[entry] * size, weights.floats[entry], size, target)
        }
      }
    }
    return result
  }
}
