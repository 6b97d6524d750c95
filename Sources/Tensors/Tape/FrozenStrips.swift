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
    let strips = takeStrips(products, columns: weight.shape.rows, length: weight.shape.columns)
    compute.makeStrips(of: weight.value, into: strips)
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

extension Compute {
  /// The rows of a matrix of any type that can be expanded, as strips.
  func makeStrips(of matrix: Tensor, into strips: StripMatrix) {
    let columns = matrix.shape.columns, rows = matrix.shape.rows
    reserveScratch(Strips.rows * columns * 4)
    pool.run(strips.stripCount) { strip, thread in
      let row = strip * Strips.rows, count = min(Strips.rows, rows - row), values = scratchFloats(thread)
      kernels.expand(matrix.rows(row..<row + count), into: values)
      kernels.table.pointee.make_strip(strips.type, values, columns, count, columns, strips.address(column: row))
    }
  }

  /// A matrix as strips of F32 or BF16 alone, as a tape's products read it. Only products can use the result: its rows as they lie are
  /// nowhere.
  public func strips(of matrix: Tensor, as type: ElementType) -> Tensor {
    let strips = StripMatrix(type: type.rawValue, columns: matrix.shape.rows, length: matrix.shape.columns)
    makeStrips(of: matrix, into: strips)
    return Tensor(storage: strips.storage, byteOffset: 0, shape: matrix.shape, type: type)
      .withStrips(in: strips.storage, byteOffset: 0)
  }
}
