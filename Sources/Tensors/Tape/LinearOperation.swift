internal import CSwiftletKernels

struct LinearOperation {
  let input: Value
  let weights: LinearWeights
  let outputs: [Value]
  let products: Products

  func backward(_ tape: Tape) -> Int {
    let first = outputs[0].index, rows = input.shape.rows
    // An output that nothing used has no gradient.
    for output in outputs where tape.gradient(output) == nil { _ = tape.gradientToAdd(output) }
    let parts = outputs.map { output in
      RowSource(tape.gradientToAdd(output), stride: output.shape.columns, length: output.shape.columns)
    }
    let inputs = RowSource(tape.floats(input), stride: input.shape.columns, length: weights.inputs)
    tape.addGradients(
      [
        GradientProduct(
          parts: weights.weights.indices.filter { weights.weights[$0].isTrainable }.map {
            GradientProduct.Part(outputs: parts[$0], target: weights.weights[$0].gradient.floats)
          }, inputs: inputs, count: rows)
      ], products: products)
    for (index, bias) in weights.biases.enumerated() {
      if let bias, bias.isTrainable { tape.addColumnSums(parts[index], rows: rows, to: bias.gradient.floats) }
    }
    let strips = weights.backwardStrips(products, tape)
    // The input may be the leading part of wider rows.
    let (target, isNew) =
      input.shape.columns == weights.inputs ? tape.gradientTarget(input) : (tape.gradientToAdd(input), false)
    tape.multiplyRows(
      parts, rows: rows, [strips], products: products, outputs: [target], stride: input.shape.columns, adds: !isNew)
    return first
  }
}

extension Tape {
  /// `x · weightᵀ (+ bias)` for several weights of one input.
  /// - Parameters:
  ///   - x: `[rows, in]`; of wider rows the leading part is used.
  ///   - precision: of these products; the tape's unless told otherwise.
  /// - Returns: for each weight `[rows, out]`
  public func linear(_ x: Value, _ weights: LinearWeights, precision: ProductPrecision? = nil) -> [Value] {
    let products = Products(table: kernels.table, precision: precision ?? self.precision), rows = x.shape.rows
    precondition(x.shape.columns >= weights.inputs, "linear: \(x.shape) times \(weights.weights[0].shape)")
    return measured("linear") {
      let outputs = weights.weights.map { makeValue(Shape(rows, $0.shape.rows)) }
      multiplyRows(
        [RowSource(floats(x), stride: x.shape.columns, length: weights.inputs)], rows: rows,
        weights.forwardStrips(products, self), products: products, outputs: outputs.map { floats($0) })
      for (bias, output) in zip(weights.biases, outputs) {
        guard let bias else { continue }
        let size = output.shape.columns, target = floats(output)
        compute.forRows(rows, costPerRow: size) { range in
          for row in range { kernels.table.pointee.add_scaled(bias.value.floats, 1, size, target + row * size) }
        }
      }
      record(.linear(LinearOperation(input: x, weights: weights, outputs: outputs, products: products)))
      return outputs
    }
  }
}
