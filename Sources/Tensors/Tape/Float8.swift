internal import CSwiftletKernels

/// FP8 as DeepSeek-V3 was trained with it (report, section 3.3), emulated: all three products of a linear layer and of experts (forward,
/// gradient of inputs, gradient of weights) take operands that were rounded to E4M3 times a scale, and are then products of F32.
///
/// - Rows of activations and of their gradients have a scale for every 128 values that a product sums over: of a row's channels forward
///   and for the gradient of inputs, of a channel's rows (of an expert: those that chose it) for the gradient of weights. These scales
///   are powers of two.
/// - Weights have a scale for every block of 128 x 128, the largest magnitude / 448.
/// - Sums are F32 throughout, so nothing is left to promote every 128 values.
///
/// E4M3 times a power of two is exact in F32; a weight times its scale is rounded once. A result is thus that of the definition but for
/// roundings of F32, those of the sum and one a weight.
extension Products {
  /// Rounds a prepared row in place.
  func roundRow(_ row: UnsafeMutableRawPointer, _ length: Int) {
    if isFloat8 { table.pointee.round_tiles_to_e4m3(row.assumingMemoryBound(to: Float.self), length) }
  }

  /// Rounds a strip of rows of `length` values in place.
  func roundStrip(_ strip: UnsafeMutableRawPointer, _ length: Int) {
    if isFloat8 { table.pointee.round_strip_to_e4m3(strip.assumingMemoryBound(to: Float.self), length) }
  }

  /// What stands for a weight in products: its value, or that rounded.
  func operand(_ weight: Parameter, _ pool: WorkerPool) -> Tensor {
    guard isFloat8 else { return weight.value }
    let rows = weight.shape.rows, columns = weight.shape.columns, size = Int(SWIFTLET_FLOAT8_TILE), bytes = rows * columns * 4
    let source = weight.value.floats
    let result = Tensor(
      storage: Storage.pages(byteCount: bytes) ?? Storage(byteCount: bytes), byteOffset: 0, shape: weight.shape, type: .float32)
    let target = result.floats
    pool.run((rows + size - 1) / size) { block, _ in
      let first = block * size * columns
      for column in stride(from: 0, to: columns, by: size) {
        table.pointee.round_block_to_e4m3(
          source + first + column, columns, min(size, rows - block * size), min(size, columns - column), target + first + column)
      }
    }
    return result
  }
}
