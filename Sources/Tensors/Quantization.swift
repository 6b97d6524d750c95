internal import CSwiftletKernels
internal import Synchronization

extension ElementType {
  /// Whether `Kernels.quantize` stores values as this type. Others can only be read.
  public var isWritable: Bool {
    switch self {
    case .float32, .float16, .bfloat16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q4_K, .q5_K, .q6_K: true
    default: false
    }
  }
}

extension Kernels {
  /// Stores values as another type, for the least squared error of the decoded values; Q8_0 has the bits of the `gguf` package.
  /// Every variant writes the same bytes.
  /// - Parameters:
  ///   - count: a multiple of the type's block length.
  ///   - type: one that is writable.
  ///   - destination: room for `type.byteCount(of: count)` bytes, at any address.
  /// - Returns: whether every value was finite and within the type's range. If not, F32, F16 and BF16 hold what IEEE 754 rounding gives
  ///   (infinities, NaN), and block types hold zeros.
  public func quantize(
    _ values: UnsafePointer<Float>, count: Int, to type: ElementType, into destination: UnsafeMutableRawPointer
  ) -> Bool {
    precondition(
      type.isWritable && count >= 0 && count % type.blockLength == 0, "\(count) values cannot be stored as \(type.name)")
    return table.pointee.quantize(type.rawValue, values, count, destination) != 0
  }
}

extension Compute {
  /// Stores a tensor as another type, on all threads; the bytes do not depend on their number. Blocks of that type already are copied.
  /// - Parameters:
  ///   - tensor: `[rows, columns]` of any type; columns are a multiple of the new type's block length.
  ///   - type: one that is writable.
  ///   - destination: room for `type.byteCount(of: tensor.shape.count)` bytes, at any address.
  /// - Returns: whether every value was finite and within the type's range, see `Kernels.quantize`; true for copied blocks.
  public func convert(_ tensor: Tensor, to type: ElementType, into destination: UnsafeMutableRawPointer) -> Bool {
    let columns = tensor.shape.columns
    precondition(type.isWritable && columns % type.blockLength == 0, "\(tensor.shape) cannot be stored as \(type.name)")
    if tensor.type == type && type.isQuantized {
      destination.copyMemory(from: tensor.address, byteCount: tensor.shape.rows * tensor.rowBytes)
      return true
    }
    let rowBytes = columns / type.blockLength * type.blockBytes
    reserveScratch(columns * 4)
    let failures = Atomic<Int>(0)
    let pieceRows = max(1, 16_384 / max(1, columns)), rows = tensor.shape.rows
    pool.run((rows + pieceRows - 1) / pieceRows) { piece, thread in
      for row in piece * pieceRows..<min(rows, (piece + 1) * pieceRows) {
        let values = scratchFloats(thread)
        kernels.table.pointee.expand(tensor.type.rawValue, tensor.rowAddress(row), columns, values)
        if !kernels.quantize(values, count: columns, to: type, into: destination + row * rowBytes) {
          failures.store(1, ordering: .relaxed)
        }
      }
    }
    return failures.load(ordering: .relaxed) == 0
  }
}
