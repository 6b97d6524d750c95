internal import CSwiftletKernels

/// Frozen weights as products read them: made from the stored values for one operation, in memory that the next one uses again. So a
/// quantised model is in memory once, as it is stored.
extension Tape {
  /// Rows that are expanded at a time for strips of columns: a multiple of a strip's padding.
  private static let rowsOfChunk = 2 * Int(SWIFTLET_STRIP_PADDING)

  private func takeStrips(_ products: Products, columns: Int, length: Int) -> StripMatrix {
    let bytes = StripMatrix.stripCount(columns) * products.stripBytes(length), buffer = pool.take((bytes + 3) / 4)
    expandedBuffers.append(buffer)
    return StripMatrix(type: products.type, columns: columns, length: length, storage: buffer.storage)
  }

  /// For `x · weightᵀ`: the weight's rows.
  func expandedStrips(_ weight: Parameter, _ products: Products) -> StripMatrix {
    let inputs = weight.shape.columns, rows = weight.shape.rows, value = weight.value
    let strips = takeStrips(products, columns: rows, length: inputs)
    compute.reserveScratch(Strips.rows * inputs * 4)
    compute.pool.run(strips.stripCount) { strip, thread in
      let row = strip * Strips.rows, count = min(Strips.rows, rows - row), values = compute.scratchFloats(thread)
      kernels.expand(value.rows(row..<row + count), into: values)
      products.table.pointee.make_strip(products.type, values, inputs, count, inputs, strips.address(column: row))
    }
    return strips
  }

  /// For `gradient · weight`: the columns of all weights, which sum over their outputs one weight after the other.
  func expandedColumnStrips(_ weights: LinearWeights, _ products: Products) -> StripMatrix {
    let inputs = weights.inputs, offsets = weights.partOffsets
    let strips = takeStrips(products, columns: inputs, length: offsets[weights.weights.count])
    compute.reserveScratch(Self.rowsOfChunk * inputs * 4)
    for (weight, offset) in zip(weights.weights, offsets) {
      let rows = weight.shape.rows, value = weight.value
      compute.pool.run((rows + Self.rowsOfChunk - 1) / Self.rowsOfChunk) { chunk, thread in
        let first = chunk * Self.rowsOfChunk, count = min(Self.rowsOfChunk, rows - first), values = compute.scratchFloats(thread)
        kernels.expand(value.rows(first..<first + count), into: values)
        for column in stride(from: 0, to: inputs, by: Strips.rows) {
          products.table.pointee.make_strip_transposed(
            products.type, values + column, inputs, nil, min(Strips.rows, inputs - column), count,
            strips.address(column: column) + (offset + first) * products.stripValueBytes)
        }
      }
    }
    return strips
  }

  /// Takes the memory of strips back that an operation has used.
  func releaseExpandedStrips() {
    for buffer in expandedBuffers { pool.release(buffer) }
    expandedBuffers.removeAll(keepingCapacity: true)
  }
}
