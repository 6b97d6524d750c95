internal import CSwiftletKernels

/// A product that a weight's gradient is: `target += outputsᵀ · inputs`, summed over rows.
struct GradientProduct {
  /// Rows of the gradient of the outputs, `[count, out]`.
  var outputs: RowSource
  /// Rows of the inputs, `[count, in]`.
  var inputs: RowSource
  var count: Int
  /// `[out, in]`
  var target: UnsafeMutablePointer<Float>
}

extension Tape {
  /// Rows that are summed in one go. Their sums are added one after the other, in this order whatever the number of threads.
  private static let rowsOfSum = 512
  private static let columnsOfPanel = 256

  private struct GradientPiece {
    let product: Int
    let outputs: Range<Int>
  }

  /// Adds several gradients of weights. Pieces are ranges of a target's rows, so no sum is split.
  func addGradients(_ list: [GradientProduct], products: Products) {
    let threads = compute.pool.threadCount, total = list.reduce(0) { $0 + $1.outputs.length }
    let limit = min(Self.rowsOfPiece, max(Self.rowGrain, total / (4 * threads) / Self.rowGrain * Self.rowGrain))
    var pieces: [GradientPiece] = []
    var columns = 0, rows = 0
    for (index, product) in list.enumerated() where product.count > 0 {
      let count = (product.outputs.length + limit - 1) / limit
      let size = ((product.outputs.length + count - 1) / count + 11) / 12 * 12
      for first in stride(from: 0, to: product.outputs.length, by: size) {
        pieces.append(GradientPiece(product: index, outputs: first..<min(product.outputs.length, first + size)))
      }
      rows = max(rows, size)
      columns = max(columns, min(product.inputs.length, Self.columnsOfPanel))
    }
    if pieces.isEmpty { return }
    let rowBytes = products.rowBytes(Self.rowsOfSum), stripBytes = products.stripBytes(Self.rowsOfSum)
    let stripsBytes = StripMatrix.stripCount(columns) * stripBytes
    compute.reserveScratch(stripsBytes + rows * rowBytes + rows * columns * 4 + 192)
    let table = kernels.table
    compute.pool.run(pieces.count) { index, thread in
      let piece = pieces[index], product = list[piece.product]
      var scratch = ScratchCursor(compute.scratchFloats(thread))
      let strips = scratch.bytes(stripsBytes), prepared = scratch.bytes(rows * rowBytes)
      let sums = scratch.floats(rows * columns)
      let inputCount = product.inputs.length
      for first in stride(from: 0, to: product.count, by: Self.rowsOfSum) {
        let count = min(Self.rowsOfSum, product.count - first)
        let outputs = product.outputs.from(first), inputs = product.inputs.from(first)
        table.pointee.prepare_transposed(
          products.type, outputs.base + piece.outputs.lowerBound, outputs.stride, outputs.indices, piece.outputs.count, count,
          prepared, rowBytes)
        let bytes = products.stripBytes(count)
        for column in stride(from: 0, to: inputCount, by: Self.columnsOfPanel) {
          let width = min(Self.columnsOfPanel, inputCount - column)
          for strip in 0..<StripMatrix.stripCount(width) {
            let start = column + strip * Strips.rows
            table.pointee.make_strip_transposed(
              products.type, inputs.base + start, inputs.stride, inputs.indices, min(Strips.rows, inputCount - start), count,
              strips + strip * bytes)
          }
          table.pointee.strips_product(
            products.type, strips, width, prepared, rowBytes, piece.outputs.count, count, sums, width)
          for row in 0..<piece.outputs.count {
            table.pointee.add_scaled(
              sums + row * width, 1, width, product.target + (piece.outputs.lowerBound + row) * inputCount + column)
          }
        }
      }
    }
  }

  /// Adds the sums of the columns of `rows` rows to `target`: a bias's gradient. Blocks of rows are summed apart and added in order.
  func addColumnSums(_ source: RowSource, rows: Int, to target: UnsafeMutablePointer<Float>) {
    let size = source.length
    addBlockSums(rows: rows, size: size, to: target) { row, sums in kernels.table.pointee.add_scaled(source.row(row), 1, size, sums) }
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
