internal import CSwiftletKernels
internal import Dispatch
internal import Foundation

/// A matrix's weights in the order in which products read them: sixteen rows interleaved (layout: Kernels/generic/strips.h).
struct Strips: Sendable {
  let storage: Storage
  let byteOffset: Int
  /// Of one strip.
  let byteCount: Int

  /// The strip that begins with row `row`, a multiple of sixteen.
  func address(row: Int) -> UnsafeMutableRawPointer { storage.address + byteOffset + row / Self.rows * byteCount }

  static let rows = Int(SWIFTLET_STRIP_ROWS)

  func from(row: Int) -> Strips {
    Strips(storage: storage, byteOffset: byteOffset + row / Self.rows * byteCount, byteCount: byteCount)
  }
}

extension Tensor {
  /// Bytes that the strips of all matrices of this tensor take; nil for types that are computed with as they are stored.
  public var stripByteCount: Int? {
    guard scales == nil, shape.rank >= 2, let bytes = bytesOfStrip else { return nil }
    let matrices = shape.rows / max(1, matrixRows)
    let (total, overflow) = (matrices * stripsPerMatrix).multipliedReportingOverflow(by: bytes)
    return overflow ? nil : total
  }

  /// Rows of one matrix: those of the last two dimensions.
  private var matrixRows: Int { shape.rank < 2 ? 1 : shape[shape.rank - 2] }
  private var stripsPerMatrix: Int { (matrixRows + Strips.rows - 1) / Strips.rows }
  private var bytesOfStrip: Int? {
    let bytes = swiftlet_strip_bytes(type.rawValue, shape.columns)
    return bytes == 0 ? nil : bytes
  }

  /// Interleaves the rows of every matrix, on several threads.
  /// - Parameter destination: room for `stripByteCount` bytes, aligned to 64.
  public func packStrips(into destination: UnsafeMutableRawPointer) {
    guard let bytes = bytesOfStrip else { return }
    let perMatrix = stripsPerMatrix, rows = matrixRows, strips = shape.rows / max(1, rows) * perMatrix
    let piece = max(1, (1 << 20) / bytes), pieces = (strips + piece - 1) / piece
    let job = PackingJob(tensor: self, destination: destination)
    DispatchQueue.concurrentPerform(iterations: pieces) { index in
      for strip in index * piece..<min(strips, (index + 1) * piece) {
        let row = strip % perMatrix * Strips.rows
        job.pack(
          rows: strip / perMatrix * rows + row, count: min(Strips.rows, rows - row), strip: strip, bytes: bytes)
      }
    }
  }

  /// This tensor with its strips, which products use from then on.
  /// - Parameter byteOffset: where in the storage `packStrips` has put them.
  public func withStrips(in storage: Storage, byteOffset: Int) -> Tensor {
    guard let bytes = bytesOfStrip else { return self }
    var result = self
    result.strips = Strips(storage: storage, byteOffset: byteOffset, byteCount: bytes)
    return result
  }

  /// This tensor with strips in memory of their own; itself for types that have none. The pages of a mapped file that it came from may
  /// leave memory.
  public func packed() -> Tensor {
    guard strips == nil, let size = stripByteCount else { return self }
    let storage = Storage(byteCount: size)
    packStrips(into: storage.address)
    releasePages()
    return withStrips(in: storage, byteOffset: 0)
  }

  /// Tells the system that the values of a mapped file will not be read soon.
  public func releasePages() {
    guard storage.file != nil else { return }
    let page = Int(getpagesize()), start = (Int(bitPattern: address) + page - 1) / page * page
    let end = (Int(bitPattern: address) + byteCount) / page * page
    if end > start { madvise(UnsafeMutableRawPointer(bitPattern: start), end - start, MADV_DONTNEED) }
  }
}

/// What the threads that pack a tensor share.
///
/// `@unchecked Sendable`: the tensor is only read, and every thread writes strips of its own.
private struct PackingJob: @unchecked Sendable {
  let tensor: Tensor
  let destination: UnsafeMutableRawPointer

  func pack(rows first: Int, count: Int, strip: Int, bytes: Int) {
    swiftlet_pack_strip(
      tensor.type.rawValue, tensor.rowAddress(first), tensor.rowBytes, count, tensor.shape.columns, destination + strip * bytes)
  }
}
