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
      let vocabulary = head.weights[0].shape.rows, records = recordsGradients
      recordsGradients = false
      defer { recordsGradients = records }
      var result = [Double](repeating: 0, count: targets.count)
      result.withUnsafeMutableBufferPointer { result in
        let result = result.baseAddress
        differentiateHead(hidden, head, targets: targets) { row, logits, _ in
          var margin: Float = 0, total: Float = 0
          kernels.table.pointee.cross_entropy(logits, vocabulary, targets[row], 0, &margin, &total)
          result?[row] = logProbability(margin: margin, total: total)
        }
      }
      return result
    }
  }
}
