internal import CSwiftletKernels

struct EmbeddingOperation {
  let indices: [Int]
  let matrix: Parameter
  let output: Value

  func backward(_ tape: Tape) -> Int {
    guard let gradient = tape.gradient(output), matrix.isTrainable else { return output.index }
    let size = matrix.shape.columns, count = matrix.shape.rows, table = tape.kernels.table, target = matrix.gradient.floats
    // Every piece has rows of the matrix of its own and adds to them in the order of the tokens.
    let pieces = min(count, 32)
    indices.withUnsafeBufferPointer { indices in
      tape.compute.pool.run(pieces) { piece, _ in
        let range = piece * count / pieces..<(piece + 1) * count / pieces
        for (row, index) in indices.enumerated() where range.contains(index) {
          table.pointee.add_scaled(gradient + row * size, 1, size, target + index * size)
        }
      }
    }
    return output.index
  }
}

extension Tape {
  /// The rows of a matrix `[vocabulary, size]` at these indices, each below `vocabulary`: `[indices, size]`.
  public func embedding(_ matrix: Parameter, _ indices: [Int]) -> Value {
    let size = matrix.shape.columns
    return measured("embedding") {
      let output = makeValue(Shape(indices.count, size)), target = floats(output), table = matrix.value
      compute.forRows(indices.count, costPerRow: size) { rows in
        for row in rows {
          precondition(indices[row] >= 0 && indices[row] < matrix.shape.rows, "embedding: index \(indices[row])")
          kernels.expand(row: indices[row], of: table, into: target + row * size)
        }
      }
      record(.embedding(EmbeddingOperation(indices: indices, matrix: matrix, output: output)))
      return output
    }
  }
}
