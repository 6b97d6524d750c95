internal import CSwiftletKernels

/// Why a position is computed. Block-quantised weights may have one arithmetic for each: generated positions use int8 products, a prompt's
/// finer ones where those are not much slower (`Kernels.distinguishesRoles`). Other weights do not tell them apart.
public enum PositionRole: Sendable {
  case prompt
  case generated
}

extension Compute {
  /// `x · weightᵀ (+ bias)`
  /// - Parameters:
  ///   - x: `[rows, in]`, F32.
  ///   - weight: `[out, in]` of any type.
  ///   - bias: `[out]`, F32.
  /// - Returns: `[rows, out]`
  public func linear(_ x: Tensor, _ weight: Tensor, bias: Tensor? = nil, role: PositionRole) -> Tensor {
    let result = linear(x, [weight], role: role)[0]
    if let bias { add(bias: bias, to: result) }
    return result
  }

  /// The products of one input with several weights, as `linear` computes each, in one go.
  public func linear(_ x: Tensor, _ weights: [Tensor], role: PositionRole) -> [Tensor] {
    let rows = x.shape.rows, inputs = x.shape.columns
    let results = weights.map { make(Shape(rows, $0.shape.rows)) }
    // A prompt's chunk that wants no logits.
    if rows == 0 { return results }
    run(
      zip(weights, results).map { weight, result in
        precondition(weight.shape.columns == inputs, "linear: \(x.shape) times \(weight.shape)")
        return ProductGroup(
          weight: weight, input: x.floats, inputStride: inputs, inputRowCount: rows, rows: 0..<rows, output: result.floats,
          outputStride: weight.shape.rows)
      }, role: role)
    return results
  }

  /// One product per head: head h of each row against matrix h.
  /// - Parameters:
  ///   - x: `[rows, heads * headStride]`; each head's first `in` values are used.
  ///   - weights: for each head `[out, in]`.
  ///   - outputHeadStride: values from one head of the result to the next, at least `out`; the rest is not written.
  /// - Returns: `[rows, heads * outputHeadStride]`
  public func headwiseLinear(
    _ x: Tensor, headStride: Int, _ weights: [Tensor], outputHeadStride: Int, role: PositionRole
  ) -> Tensor {
    let heads = weights.count, rows = x.shape.rows
    precondition(x.shape.columns == heads * headStride, "headwiseLinear: \(x.shape) of \(heads) heads")
    let result = make(Shape(rows, heads * outputHeadStride))
    run(
      weights.indices.map { head in
        ProductGroup(
          weight: weights[head], input: x.floats + head * headStride, inputStride: heads * headStride, inputRowCount: rows,
          rows: 0..<rows,
          output: result.floats + head * outputHeadStride, outputStride: heads * outputHeadStride)
      }, role: role)
    return result
  }

  /// A product for each expert with the rows that chose it. Rows are grouped: `offsets[e]..<offsets[e + 1]` are expert e's.
  /// - Parameters:
  ///   - x: `[rows, in]`
  ///   - experts: each `[out, in]`
  /// - Returns: `[rows, out]`
  public func groupedLinear(_ x: Tensor, _ experts: [Tensor], offsets: [Int], role: PositionRole) -> Tensor {
    groupedLinear(x, [experts], offsets: offsets, role: role)[0]
  }

  /// The same for several weights of each expert, in one go.
  /// - Parameter weights: of each kind all experts'.
  public func groupedLinear(_ x: Tensor, _ weights: [[Tensor]], offsets: [Int], role: PositionRole) -> [Tensor] {
    let inputs = x.shape.columns, results = weights.map { make(Shape(x.shape.rows, $0[0].shape.rows)) }
    var groups: [ProductGroup] = []
    for expert in weights[0].indices where offsets[expert] < offsets[expert + 1] {
      let rows = offsets[expert]..<offsets[expert + 1]
      for (experts, result) in zip(weights, results) {
        let outputs = result.shape.columns
        groups.append(
          ProductGroup(
            weight: experts[expert], input: x.floats, inputStride: inputs, inputRowCount: x.shape.rows, rows: rows,
            output: result.floats + rows.lowerBound * outputs, outputStride: outputs))
      }
    }
    run(groups, role: role, ofExperts: true)
    return results
  }
}
