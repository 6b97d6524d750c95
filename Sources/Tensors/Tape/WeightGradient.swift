internal import CSwiftletKernels

/// Products that the gradients of weights of one input are: `target += outputsᵀ · inputs`, summed over rows.
struct GradientProduct {
  /// A weight's part.
  struct Part {
    /// Rows of the gradient of the outputs, `[count, out]`.
    var outputs: RowSource
    /// `[out, in]`
    var target: UnsafeMutablePointer<Float>
  }

  var parts: [Part]
  /// Rows of the inputs, `[count, in]`.
  var inputs: RowSource
  var count: Int
}

extension Tape {
  /// Rows that are summed in one go. Their sums are added one after the other, in this order whatever the number of threads.
  static let rowsOfSum = 512
  private static let columnsOfPanel = 256
  /// Rows of a target that are computed in one go: eleven register tiles of twelve.
  private static let outputsOfBlock = 132

  /// Rows of a product's targets that one thread computes, all from the same strips of inputs.
  private struct GradientPiece {
    let product: Int
    /// Of parts, which rows.
    var blocks: [(part: Int, outputs: Range<Int>)] = []
  }

  private func makePieces(_ list: [GradientProduct]) -> [GradientPiece] {
    let total = list.reduce(0) { $0 + ($1.count > 0 ? $1.parts.reduce(0) { $0 + $1.outputs.length } : 0) }
    // Strips of inputs are made once a piece, so pieces are as large as leaves every thread some; few ones are as many as threads.
    let threads = compute.pool.threadCount, isSmall = total < 6 * threads * Self.outputsOfBlock
    let limit = isSmall ? (total / (2 * threads) + 11) / 12 * 12 : total / (6 * threads)
    var pieces: [GradientPiece] = []
    for (index, product) in list.enumerated() where product.count > 0 {
      var piece = GradientPiece(product: index), height = 0
      for (part, outputs) in product.parts.map(\.outputs.length).enumerated() {
        var first = 0
        while first < outputs {
          let count = min(outputs - first, Self.outputsOfBlock, max(12, limit - height))
          piece.blocks.append((part, first..<first + count))
          first += count
          height += count
          if height >= limit {
            pieces.append(piece)
            piece = GradientPiece(product: index)
            height = 0
          }
        }
      }
      if !piece.blocks.isEmpty { pieces.append(piece) }
    }
    return pieces
  }

  /// Adds several gradients of weights. Pieces have rows of the targets of their own, so no sum is split.
  func addGradients(_ list: [GradientProduct], products: Products) {
    let pieces = makePieces(list)
    if pieces.isEmpty { return }
    let columns = min(Self.columnsOfPanel, list.map(\.inputs.length).max() ?? 0), rows = Self.outputsOfBlock
    let rowBytes = products.rowBytes(Self.rowsOfSum)
    let stripsBytes = StripMatrix.stripCount(columns) * products.stripBytes(Self.rowsOfSum)
    compute.reserveScratch(stripsBytes + rows * rowBytes + rows * columns * 4 + 192)
    compute.pool.run(pieces.count) { index, thread in
      let piece = pieces[index], product = list[piece.product]
      var scratch = ScratchCursor(compute.scratchFloats(thread))
      let strips = scratch.bytes(stripsBytes), prepared = scratch.bytes(rows * rowBytes), sums = scratch.floats(rows * columns)
      for first in stride(from: 0, to: product.count, by: Self.rowsOfSum) {
        let range = first..<min(product.count, first + Self.rowsOfSum)
        for column in stride(from: 0, to: product.inputs.length, by: Self.columnsOfPanel) {
          let columns = column..<min(product.inputs.length, column + Self.columnsOfPanel)
          makeStrips(product.inputs.from(first), columns, count: range.count, to: strips, products)
          for (part, outputs) in piece.blocks {
            addBlock(
              product.parts[part], outputs, rows: range, strips: strips, columns, inputs: product.inputs.length, prepared,
              rowBytes: rowBytes, sums, products)
          }
        }
      }
    }
  }

  private func makeStrips(
    _ inputs: RowSource, _ columns: Range<Int>, count: Int, to strips: UnsafeMutableRawPointer, _ products: Products
  ) {
    let bytes = products.stripBytes(count)
    for strip in 0..<StripMatrix.stripCount(columns.count) {
      let start = columns.lowerBound + strip * Strips.rows
      products.table.pointee.make_strip_transposed(
        products.type, inputs.base + start, inputs.stride, inputs.indices, min(Strips.rows, columns.upperBound - start), count,
        strips + strip * bytes)
      products.roundStrip(strips + strip * bytes, count)
    }
  }

  private func addBlock(
    _ part: GradientProduct.Part, _ outputs: Range<Int>, rows: Range<Int>, strips: UnsafeRawPointer, _ columns: Range<Int>,
    inputs: Int, _ prepared: UnsafeMutableRawPointer, rowBytes: Int, _ sums: UnsafeMutablePointer<Float>, _ products: Products
  ) {
    let source = part.outputs.from(rows.lowerBound), table = products.table, width = columns.count
    table.pointee.prepare_transposed(
      products.type, source.base + outputs.lowerBound, source.stride, source.indices, outputs.count, rows.count, prepared,
      rowBytes)
    for index in 0..<outputs.count { products.roundRow(prepared + index * rowBytes, rows.count) }
    table.pointee.strips_product(products.type, strips, width, prepared, rowBytes, outputs.count, rows.count, sums, width)
    for (index, row) in outputs.enumerated() {
      table.pointee.add_scaled(sums + index * width, 1, width, part.target + row * inputs + columns.lowerBound)
    }
  }

  /// Adds the sums of the columns of `rows` rows to `target`: a bias's gradient. Blocks of rows are summed apart and added in order.
  func addColumnSums(_ source: RowSource, rows: Int, to target: UnsafeMutablePointer<Float>) {
    let size = source.length
    addBlockSums(rows: rows, size: size, to: target) { row, sums in
      kernels.table.pointee.add_scaled(source.row(row), 1, size, sums)
    }
  }

  /// Adds to `target` what `body` adds for every row. Blocks of a fixed number of rows have sums of their own, added in order.
  func addBlockSums(
    rows: Int, size: Int, to target: UnsafeMutablePointer<Float>,
    _ body: (_ row: Int, _ sums: UnsafeMutablePointer<Float>) -> Void
  ) {
    let rowsOfBlock = 128, blocks = (rows + rowsOfBlock - 1) / rowsOfBlock, sums = pool.take(blocks * size)
    compute.pool.run(blocks) { block, _ in
      let target = sums.floats + block * size
      target.update(repeating: 0, count: size)
      for row in block * rowsOfBlock..<min(rows, (block + 1) * rowsOfBlock) { body(row, target) }
    }
    for block in 0..<blocks { kernels.table.pointee.add_scaled(sums.floats + block * size, 1, size, target) }
    pool.release(sums)
  }
}
