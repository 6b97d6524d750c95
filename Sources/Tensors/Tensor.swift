/// Values of one element type in row-major order inside a storage.
public struct Tensor: Sendable {
  public let storage: Storage
  /// Where the first value stands in the storage.
  public let byteOffset: Int
  public let shape: Shape
  public let type: ElementType
  /// Of FP8 matrices.
  public let scales: BlockScales?
  /// The same values once more, in the order in which products read them; see `packed`.
  var strips: Strips?

  /// - Precondition: the values lie inside the storage; readers of files check it before.
  public init(storage: Storage, byteOffset: Int, shape: Shape, type: ElementType, scales: BlockScales? = nil) {
    self.storage = storage
    self.byteOffset = byteOffset
    self.shape = shape
    self.type = type
    self.scales = scales
    precondition(
      byteOffset >= 0 && (type.byteCount(of: shape.count).map { byteOffset + $0 <= storage.byteCount } ?? false),
      "tensor \(shape) outside its storage")
  }

  /// A zeroed F32 tensor with memory of its own.
  public init(zeros shape: Shape) {
    self.init(storage: Storage(byteCount: shape.count * 4), byteOffset: 0, shape: shape, type: .float32)
  }

  /// An F32 tensor with these values, row-major.
  public init(_ values: [Float], shape: Shape) {
    precondition(values.count == shape.count, "\(values.count) values for \(shape)")
    self.init(zeros: shape)
    values.withUnsafeBufferPointer { source in
      if let base = source.baseAddress { floats.update(from: base, count: values.count) }
    }
  }

  public var address: UnsafeMutableRawPointer { storage.address + byteOffset }

  /// The values of an F32 tensor.
  public var floats: UnsafeMutablePointer<Float> {
    precondition(type == .float32, "the values of a \(type.name) tensor are no floats")
    return address.assumingMemoryBound(to: Float.self)
  }

  /// Bytes of one row of the last dimension.
  public var rowBytes: Int { shape.columns / type.blockLength * type.blockBytes }

  /// Bytes of all values.
  public var byteCount: Int { shape.rows * rowBytes }

  /// The address of a row; rows of all leading dimensions are counted together.
  public func rowAddress(_ row: Int) -> UnsafeMutableRawPointer { address + row * rowBytes }

  /// Rows `range` as a tensor of two dimensions over the same memory.
  public func rows(_ range: Range<Int>) -> Tensor {
    Tensor(
      storage: storage, byteOffset: byteOffset + range.lowerBound * rowBytes, shape: Shape(range.count, shape.columns),
      type: type, scales: scales?.fromRow(range.lowerBound))
  }

  /// One entry of the first dimension: of `[experts, out, in]` the matrix `[out, in]`.
  public func entry(_ index: Int) -> Tensor {
    let shape = Shape(Array(self.shape.array.dropFirst()))
    var entry = Tensor(
      storage: storage, byteOffset: byteOffset + index * shape.rows * rowBytes, shape: shape, type: type,
      scales: scales?.fromRow(index * shape.rows))
    entry.strips = strips?.from(row: index * ((shape.rows + Strips.rows - 1) / Strips.rows) * Strips.rows)
    return entry
  }

  /// The same FP8 values with their scales.
  public func scaled(by scales: BlockScales) -> Tensor {
    Tensor(storage: storage, byteOffset: byteOffset, shape: shape, type: type, scales: scales)
  }

  /// The same tensor where its values have been copied to.
  public func moved(to storage: Storage, byteOffset: Int) -> Tensor {
    Tensor(storage: storage, byteOffset: byteOffset, shape: shape, type: type, scales: scales)
  }

  /// The same values under another shape of equal count and, for blocks, of rows of whole blocks.
  public func reshaped(_ shape: Shape) -> Tensor {
    precondition(shape.count == self.shape.count && scales == nil, "\(self.shape) cannot become \(shape)")
    return Tensor(storage: storage, byteOffset: byteOffset, shape: shape, type: type)
  }

  /// All values as F32, row-major.
  public func floatArray(kernels: Kernels = .best) -> [Float] {
    [Float](unsafeUninitializedCapacity: shape.count) { buffer, count in
      if let base = buffer.baseAddress { kernels.expand(self, into: base) }
      count = shape.count
    }
  }
}
