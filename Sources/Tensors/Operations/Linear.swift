internal import CSwiftletKernels

/// Why a position is computed. Block-quantised weights have one arithmetic for each: a prompt's positions use BF16 products,
/// generated ones int8 products. Other weights do not tell them apart.
public enum PositionRole: Sendable {
  case prompt
  case generated
}

/// One product of a group: rows of an input against a matrix, results into rows of an output.
struct ProductGroup {
  /// `[out, in]`
  var weight: Tensor
  /// First input row, of `in` values.
  var input: UnsafePointer<Float>
  /// Floats from one input row to the next.
  var inputStride: Int
  var rowCount: Int
  /// First output row, of `out` values.
  var output: UnsafeMutablePointer<Float>
  /// Floats from one output row to the next.
  var outputStride: Int
}

extension Compute {
  /// `x · weightᵀ (+ bias)`
  /// - Parameters:
  ///   - x: `[rows, in]`, F32.
  ///   - weight: `[out, in]` of any type.
  ///   - bias: `[out]`, F32.
  /// - Returns: `[rows, out]`
  public func linear(_ x: Tensor, _ weight: Tensor, bias: Tensor? = nil, role: PositionRole) -> Tensor {
    let rows = x.shape.rows, inputs = weight.shape.columns, outputs = weight.shape.rows
    precondition(x.shape.columns == inputs, "linear: \(x.shape) times \(weight.shape)")
    let result = make(Shape(rows, outputs))
    // A prompt's chunk that wants no logits.
    if rows == 0 { return result }
    run(
      groups: [
        ProductGroup(
          weight: weight, input: x.floats, inputStride: inputs, rowCount: rows, output: result.floats, outputStride: outputs)
      ], role: role)
    if let bias { add(bias: bias, to: result) }
    return result
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
      groups: weights.indices.map { head in
        ProductGroup(
          weight: weights[head], input: x.floats + head * headStride, inputStride: heads * headStride, rowCount: rows,
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
    let inputs = x.shape.columns, outputs = experts[0].shape.rows
    let result = make(Shape(x.shape.rows, outputs))
    run(
      groups: experts.indices.compactMap { expert in
        let rows = offsets[expert]..<offsets[expert + 1]
        if rows.isEmpty { return nil }
        return ProductGroup(
          weight: experts[expert], input: x.floats + rows.lowerBound * inputs, inputStride: inputs, rowCount: rows.count,
          output: result.floats + rows.lowerBound * outputs, outputStride: outputs)
      }, role: role)
    return result
  }

  /// Runs products of one weight shape and type, split over output columns only.
  func run(groups: [ProductGroup], role: PositionRole) {
    guard let first = groups.first else { return }
    let type = first.weight.type, inputs = first.weight.shape.columns, outputs = first.weight.shape.rows
    if groups.contains(where: { $0.weight.type != type }) {
      // Checkpoints may store experts of one layer in different types.
      for group in groups { run(groups: [group], role: role) }
    } else if type.isQuantized && role == .generated {
      runInt8(groups, type, inputs, outputs)
    } else {
      runFloat(groups, type, inputs, outputs)
    }
  }

  /// The float product: the weight's rows are expanded into a panel that stays in the second-level cache. Quantised, FP8 and BF16
  /// weights multiply inputs rounded to BF16, and expanded blocks are rounded to BF16 too, as matrix tiles do. FP8 weights so
  /// give the bits of their copy in BF16.
  private func runFloat(_ groups: [ProductGroup], _ type: ElementType, _ inputs: Int, _ outputs: Int) {
    let table = kernels.table
    let padding = Int(SWIFTLET_PADDING), padded = (inputs + padding - 1) / padding * padding
    let roundsWeights = type.isQuantized || type == .float8E4M3, roundsInputs = roundsWeights || type == .bfloat16
    let panelRows = max(4, min(64, (192 * 1024) / (padded * 4) / 4 * 4))
    let expandsPanel = type != .float32 || padded != inputs
    if expandsPanel { reserveScratch(panelRows * padded * 4) }

    // Inputs packed to padded rows, one group after the other.
    var packedStarts: [Int] = []
    var packedRows = 0
    for group in groups {
      packedStarts.append(packedRows)
      packedRows += group.rowCount
    }
    let packsInputs = roundsInputs || padded != inputs
    let packed = packsInputs ? make(Shape(packedRows, padded)) : nil
    if let packed {
      for (group, start) in zip(groups, packedStarts) {
        forRows(group.rowCount, costPerRow: padded) { rows in
          for row in rows {
            let source = group.input + row * group.inputStride, target = packed.floats + (start + row) * padded
            if roundsInputs {
              table.pointee.round_to_bf16(source, inputs, target)
            } else {
              target.update(from: source, count: inputs)
            }
            (target + inputs).update(repeating: 0, count: padded - inputs)
          }
        }
      }
    }

    let panels = (outputs + panelRows - 1) / panelRows
    pool.run(groups.count * panels) { piece, thread in
      let group = groups[piece / panels], start = piece % panels * panelRows
      let count = min(panelRows, outputs - start)
      let panel: UnsafePointer<Float>
      if expandsPanel {
        let target = scratchFloats(thread)
        for row in 0..<count {
          let target = target + row * padded
          kernels.expand(row: start + row, of: group.weight, into: target)
          if roundsWeights { table.pointee.round_to_bf16(target, inputs, target) }
          (target + inputs).update(repeating: 0, count: padded - inputs)
        }
        panel = UnsafePointer(target)
      } else {
        panel = UnsafePointer(group.weight.rowAddress(start).assumingMemoryBound(to: Float.self))
      }
      let rows = packed.map { UnsafePointer($0.floats + packedStarts[piece / panels] * padded) } ?? group.input
      table.pointee.product(
        rows, packed == nil ? group.inputStride : padded, group.rowCount, panel, padded, count, padded,
        group.output + start, group.outputStride)
    }
  }

  /// The int8 product: inputs quantised per block of 32, weights read as they are stored, once.
  private func runInt8(_ groups: [ProductGroup], _ type: ElementType, _ inputs: Int, _ outputs: Int) {
    let table = kernels.table
    let rows = groups.reduce(0) { $0 + $1.rowCount }
    let values = make([rows * inputs / 4]), scales = make(Shape(rows, inputs / 32)), sums = make(Shape(rows, inputs / 32))
    let halves = make(Shape(rows, inputs / 32))
    let bytes = values.address.assumingMemoryBound(to: Int8.self), halfSums = halves.address.assumingMemoryBound(to: Int16.self)
    var starts: [Int] = []
    var start = 0
    for group in groups {
      starts.append(start)
      forRows(group.rowCount, costPerRow: inputs) { range in
        for row in range {
          let at = start + row
          table.pointee.quantize_int8(
            group.input + row * group.inputStride, inputs, bytes + at * inputs, scales.floats + at * (inputs / 32),
            sums.floats + at * (inputs / 32), halfSums + at * (inputs / 16))
        }
      }
      start += group.rowCount
    }
    var activations = swiftlet_int8_rows(
      values: bytes, scales: scales.floats, scaled_sums: sums.floats, half_sums: halfSums, length: inputs)
    // Pieces of about 64 kB of weights: large enough to amortise the hand-out, small enough to stay cached for many rows.
    let rowBytes = groups[0].weight.rowBytes
    let pieceRows = max(4, min((outputs + pool.threadCount - 1) / pool.threadCount, 65_536 / rowBytes) / 4 * 4)
    let pieces = (outputs + pieceRows - 1) / pieceRows
    withUnsafePointer(to: &activations) { activations in
      pool.run(groups.count * pieces) { piece, _ in
        let index = piece / pieces, group = groups[index], start = piece % pieces * pieceRows
        table.pointee.product_int8(
          type.rawValue, group.weight.rowAddress(start), rowBytes, min(pieceRows, outputs - start), activations, starts[index],
          group.rowCount, group.output + start, group.outputStride)
      }
    }
  }
}
