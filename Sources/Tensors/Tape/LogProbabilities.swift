internal import CSwiftletKernels

extension Tape {
  /// The logarithm of each target's probability by a head's logits, without gradients.
  /// - Parameters:
  ///   - hidden: `[rows, hidden]`
  ///   - head: one weight, `[vocabulary, hidden]`; the embedding when they are tied.
  ///   - targets: of each row a token, or a negative number for none.
  /// - Returns: for each row; 0 without a target.
  public func logProbabilities(_ hidden: Value, _ head: LinearWeights, targets: [Int]) -> [Double] {
    measured("logProbabilities") {
      let vocabulary = head.weights[0].shape.rows, size = head.inputs
      let rows = targets.indices.filter { targets[$0] >= 0 }.map { UInt32($0) }
      precondition(targets.count == hidden.shape.rows && targets.allSatisfy { $0 < vocabulary }, "logProbabilities: targets")
      var result = [Double](repeating: 0, count: targets.count)
      if rows.isEmpty { return result }
      let chunkRows = logitRows(vocabulary), strips = head.forwardStrips(products, self)[0]
      let logits = pool.take(chunkRows * vocabulary), facts = pool.take(2 * chunkRows)
      rows.withUnsafeBufferPointer { rows in
        for first in stride(from: 0, to: rows.count, by: chunkRows) {
          let count = min(chunkRows, rows.count - first)
          guard let indices = rows.baseAddress.map({ $0 + first }) else { continue }
          multiplyColumns(
            RowSource(floats(hidden), stride: size, length: size, indices: indices), rows: count, strips, output: logits.floats)
          compute.forRows(count, costPerRow: vocabulary * 4) { range in
            for row in range {
              kernels.table.pointee.cross_entropy(
                logits.floats + row * vocabulary, vocabulary, targets[Int(indices[row])], 0, facts.floats + 2 * row,
                facts.floats + 2 * row + 1)
            }
          }
          for row in 0..<count {
            result[Int(indices[row])] = logProbability(margin: facts.floats[2 * row], total: facts.floats[2 * row + 1])
          }
        }
      }
      for buffer in [logits, facts] { pool.release(buffer) }
      return result
    }
  }
}
