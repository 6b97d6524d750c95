/// The scales of an FP8 matrix: one F32 for each block of 128 x 128 values. The last blocks of a row or column may be cut.
/// Source: DeepSeek-V3 report, section 3.3.2, and `weight_scale_inv` of the published checkpoints.
public struct BlockScales: Sendable {
  /// Rows and columns of a block.
  public static let blockLength = 128
  /// `[blocks of rows, blocks of columns]`, F32.
  private let storage: Storage
  private let columnCount: Int
  /// The row of the whole matrix that a tensor begins with.
  private let firstRow: Int

  /// - Parameters:
  ///   - values: row-major, for each block.
  ///   - shape: of the matrix.
  public init(_ values: [Float], shape: Shape) {
    let counts = Self.counts(shape)
    precondition(values.count == counts.rows * counts.columns, "\(values.count) scales for \(shape)")
    let storage = Storage(byteCount: values.count * 4)
    values.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress { storage.address.copyMemory(from: base, byteCount: bytes.count) }
    }
    self.storage = storage
    columnCount = counts.columns
    firstRow = 0
  }

  private init(_ other: BlockScales, firstRow: Int) {
    storage = other.storage
    columnCount = other.columnCount
    self.firstRow = firstRow
  }

  /// The blocks of a matrix `[rows, columns]`, cut ones too.
  public static func counts(_ shape: Shape) -> (rows: Int, columns: Int) {
    // A file may claim any extent for a matrix without values.
    func blocks(_ count: Int) -> Int { count / blockLength + (count % blockLength == 0 ? 0 : 1) }
    return (blocks(shape.rows), blocks(shape.columns))
  }

  /// The scales of the rows from `row` of this tensor on.
  func fromRow(_ row: Int) -> BlockScales { BlockScales(self, firstRow: firstRow + row) }

  /// The scales of one row's blocks.
  func row(_ row: Int) -> UnsafePointer<Float> {
    UnsafePointer(storage.address.assumingMemoryBound(to: Float.self))
      + (firstRow + row) / Self.blockLength * columnCount
  }
}
