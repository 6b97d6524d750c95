internal import CSwiftletKernels

/// Rows of floats that a product reads: row r is at `base + index(r) * stride`.
struct RowSource {
  var base: UnsafePointer<Float>
  var stride: Int
  /// Which rows, in which order; nil for all as they lie.
  var indices: UnsafePointer<UInt32>?
  /// Values of a row.
  var length: Int

  init(_ base: UnsafePointer<Float>, stride: Int, length: Int, indices: UnsafePointer<UInt32>? = nil) {
    self.base = base
    self.stride = stride
    self.length = length
    self.indices = indices
  }

  func row(_ row: Int) -> UnsafePointer<Float> { base + (indices.map { Int($0[row]) } ?? row) * stride }

  /// The rows from `row` on.
  func from(_ row: Int) -> RowSource {
    var result = self
    if let indices { result.indices = indices + row } else { result.base += row * stride }
    return result
  }
}

/// The kernels' product in one precision, for pieces of work of one thread.
struct Products {
  let table: UnsafePointer<swiftlet_kernels>
  let type: Int32
  /// Whether operands are rounded to E4M3.
  let isFloat8: Bool

  init(table: UnsafePointer<swiftlet_kernels>, precision: ProductPrecision) {
    self.table = table
    type = precision.type
    isFloat8 = precision == .float8
  }

  /// Bytes of strips that stay in the second-level cache while all rows of a piece are multiplied with them.
  private static let panelBytes = 320 << 10

  static func padded(_ length: Int) -> Int {
    (length + Int(SWIFTLET_STRIP_PADDING) - 1) / Int(SWIFTLET_STRIP_PADDING) * Int(SWIFTLET_STRIP_PADDING)
  }

  /// Bytes that a value takes in each of a strip's sixteen rows together.
  var stripValueBytes: Int { type == ElementType.float32.rawValue ? 64 : 32 }

  func inputBytes(_ length: Int) -> Int { table.pointee.input_bytes(type, length) }

  /// Bytes from one prepared row to the next, so that rows do not all fall into the same few lines of a cache.
  func rowBytes(_ length: Int) -> Int {
    let bytes = (inputBytes(length) + 63) / 64 * 64
    return bytes % 1024 == 0 ? bytes + 64 : bytes
  }

  func stripBytes(_ length: Int) -> Int { swiftlet_strip_bytes(type, length) }

  func prepareRow(_ source: UnsafePointer<Float>, _ length: Int, into target: UnsafeMutableRawPointer) {
    table.pointee.prepare_input(type, source, length, target)
    roundRow(target, length)
  }

  /// Prepares rows `rows` of the parts, which stand one behind the other in a prepared row, each padded.
  func prepare(_ parts: [RowSource], rows: Range<Int>, into target: UnsafeMutableRawPointer, rowBytes: Int) {
    for (index, row) in rows.enumerated() {
      var place = target + index * rowBytes
      for part in parts {
        prepareRow(part.row(row), part.length, into: place)
        place += inputBytes(part.length)
      }
    }
  }

  func prepare(_ source: RowSource, rows: Range<Int>, into target: UnsafeMutableRawPointer, rowBytes: Int) {
    for (index, row) in rows.enumerated() {
      prepareRow(source.row(row), source.length, into: target + index * rowBytes)
    }
  }

  /// The same into a target, or added to it by way of `sums`, `[rowCount, columns]`.
  func multiply(
    _ rows: UnsafeRawPointer, rowBytes: Int, rowCount: Int, _ strips: StripMatrix, target: UnsafeMutablePointer<Float>,
    stride: Int,
    sums: UnsafeMutablePointer<Float>?
  ) {
    guard let sums else {
      multiply(rows, rowBytes: rowBytes, rowCount: rowCount, strips, output: target, stride: stride)
      return
    }
    let columns = strips.columns
    multiply(rows, rowBytes: rowBytes, rowCount: rowCount, strips, output: sums, stride: columns)
    for row in 0..<rowCount { table.pointee.add_scaled(sums + row * columns, 1, columns, target + row * stride) }
  }

  /// `rowCount` prepared rows times all columns of a matrix.
  /// - Parameter output: `[rowCount, columns]`, rows `stride` floats apart.
  func multiply(
    _ rows: UnsafeRawPointer, rowBytes: Int, rowCount: Int, _ strips: StripMatrix, output: UnsafeMutablePointer<Float>,
    stride: Int
  ) {
    let panel = max(2, Self.panelBytes / strips.stripBytes / 2 * 2) * Strips.rows
    var column = 0
    while column < strips.columns {
      let count = min(panel, strips.columns - column)
      table.pointee.strips_product(
        type, strips.address(column: column), count, rows, rowBytes, rowCount, strips.length, output + column, stride)
      column += count
    }
  }
}

/// Hands out parts of a thread's scratch memory, aligned to cache lines.
struct ScratchCursor {
  private var next: UnsafeMutableRawPointer

  init(_ start: UnsafeMutablePointer<Float>) { next = UnsafeMutableRawPointer(start) }

  static func aligned(_ bytes: Int) -> Int { (bytes + 63) / 64 * 64 }

  mutating func bytes(_ count: Int) -> UnsafeMutableRawPointer {
    defer { next += Self.aligned(count) }
    return next
  }

  mutating func floats(_ count: Int) -> UnsafeMutablePointer<Float> { bytes(count * 4).assumingMemoryBound(to: Float.self) }
}

extension Tape {
  /// Of attention and the head.
  var products: Products { Products(table: kernels.table, precision: attentionPrecision) }
  /// Of linear layers and experts.
  var linearProducts: Products { Products(table: kernels.table, precision: precision) }

  /// Rows of a piece of a product with weights: enough to use what was read of them, few enough to stay in the cache.
  static let rowsOfPiece = 192
  /// Register tiles have twelve rows, matrix tiles sixteen.
  static let rowGrain = 48

  func pieceRows(_ rows: Int) -> Int {
    let share = (rows + 4 * compute.pool.threadCount - 1) / (4 * compute.pool.threadCount)
    return min(Self.rowsOfPiece, max(Self.rowGrain, (share + Self.rowGrain - 1) / Self.rowGrain * Self.rowGrain))
  }

  /// Calls `body` with ranges of at most `pieceRows(rows)` rows, on all threads.
  func forRowPieces(_ rows: Int, _ body: (_ rows: Range<Int>, _ thread: Int) -> Void) {
    let size = pieceRows(rows)
    compute.pool.run((rows + size - 1) / size) { piece, thread in
      body(piece * size..<min(rows, (piece + 1) * size), thread)
    }
  }

  /// `output = [parts] · strips`, row by row: the parts of a row stand one behind the other.
  /// - Parameters:
  ///   - outputs: for each of the strips `[rows, columns]`.
  ///   - stride: floats from one row of an output to the next; nil for its columns.
  ///   - adds: whether results are added to what the outputs hold.
  func multiplyRows(
    _ parts: [RowSource], rows: Int, _ strips: [StripMatrix], products: Products, outputs: [UnsafeMutablePointer<Float>],
    stride: Int? = nil, adds: Bool = false
  ) {
    let length = parts.reduce(0) { $0 + Products.padded($1.length) }
    let rowBytes = products.rowBytes(parts.count == 1 ? parts[0].length : length)
    let width = adds ? strips.map(\.columns).max() ?? 0 : 0, height = pieceRows(rows)
    compute.reserveScratch(ScratchCursor.aligned(height * rowBytes) + height * width * 4)
    forRowPieces(rows) { rows, thread in
      var scratch = ScratchCursor(compute.scratchFloats(thread))
      let prepared = scratch.bytes(height * rowBytes), sums = scratch.floats(height * width)
      products.prepare(parts, rows: rows, into: prepared, rowBytes: rowBytes)
      for (strips, output) in zip(strips, outputs) {
        let stride = stride ?? strips.columns, target = output + rows.lowerBound * stride
        products.multiply(
          prepared, rowBytes: rowBytes, rowCount: rows.count, strips, target: target, stride: stride, sums: adds ? sums : nil)
      }
    }
  }
}
