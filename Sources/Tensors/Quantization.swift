internal import CSwiftletKernels

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
