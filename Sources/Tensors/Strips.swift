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

  /// Whether its type can be kept in strips.
  var hasStripForm: Bool { bytesOfStrip != nil }

  /// Rows of one matrix: those of the last two dimensions.
  private var matrixRows: Int { shape.rank < 2 ? 1 : shape[shape.rank - 2] }
  private var stripsPerMatrix: Int { (matrixRows + Strips.rows - 1) / Strips.rows }
  private var bytesOfStrip: Int? {
    let bytes = swiftlet_strip_bytes(type.rawValue, shape.columns)
    return bytes == 0 ? nil : bytes
  }

  /// The work of interleaving the rows of every matrix, in pieces; nil for types that are computed with as they are stored.
  /// - Parameter pieceBytes: about how many bytes of strips a piece makes, at least a strip.
  public func stripPieces(of pieceBytes: Int) -> StripPieces? {
    guard let size = stripByteCount, size > 0, let bytes = bytesOfStrip else { return nil }
    return StripPieces(
      tensor: self, bytes: bytes, rowsPerMatrix: matrixRows, perMatrix: stripsPerMatrix, count: size / bytes,
      perPiece: max(1, pieceBytes / bytes))
  }

  /// This tensor with its strips, which products use from then on.
  /// - Parameter byteOffset: where in the storage `packStrips` has put them.
  public func withStrips(in storage: Storage, byteOffset: Int) -> Tensor {
    guard let bytes = bytesOfStrip else { return self }
    var result = self
    result.strips = Strips(storage: storage, byteOffset: byteOffset, byteCount: bytes)
    return result
  }

  /// This tensor with strips in memory of their own; itself for types that have none, and when the system gives no memory for them:
  /// products then make them as they go. The pages of a mapped file that it came from may leave memory.
  public func packed() -> Tensor {
    guard strips == nil, let pieces = stripPieces(of: 1 << 20), let storage = Storage.pages(byteCount: pieces.byteCount) else {
      return self
    }
    // As an integer, since addresses are not passed between threads; every piece writes a range of its own.
    let target = UInt(bitPattern: storage.address)
    pieces.forEach { piece in
      guard let start = UnsafeMutableRawPointer(bitPattern: target + UInt(pieces.bytes(of: piece).lowerBound)) else { return }
      pieces.pack(piece, into: start)
    }
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

/// The strips of a tensor, some at a time.
///
/// `@unchecked Sendable`: the tensor is only read, and every piece writes where its caller says.
public struct StripPieces: @unchecked Sendable {
  let tensor: Tensor
  /// Of a strip.
  let bytes: Int
  let rowsPerMatrix: Int
  let perMatrix: Int
  /// Of all strips.
  let count: Int
  let perPiece: Int

  /// Of all strips.
  public var byteCount: Int { count * bytes }
  public var pieceCount: Int { (count + perPiece - 1) / perPiece }
  /// Of every piece but the last.
  public var pieceBytes: Int { perPiece * bytes }

  /// Where a piece stands among all strips.
  public func bytes(of piece: Int) -> Range<Int> {
    piece * pieceBytes..<min(count, (piece + 1) * perPiece) * bytes
  }

  /// Makes the strips of one piece.
  /// - Parameter destination: room for them, aligned to 64.
  public func pack(_ piece: Int, into destination: UnsafeMutableRawPointer) {
    let first = piece * perPiece
    for strip in first..<min(count, first + perPiece) { pack(strip: strip, into: destination + (strip - first) * bytes) }
  }

  /// Makes one strip, to be compared with another copy of it.
  /// - Parameter strip: below `byteCount / stripBytes`.
  public func pack(strip: Int, into destination: UnsafeMutableRawPointer) {
    let row = strip % perMatrix * Strips.rows
    swiftlet_pack_strip(
      tensor.type.rawValue, tensor.rowAddress(strip / perMatrix * rowsPerMatrix + row), tensor.rowBytes,
      min(Strips.rows, rowsPerMatrix - row), tensor.shape.columns, destination)
  }

  /// Bytes of one strip.
  public var stripBytes: Int { bytes }

  /// Calls `body` with every piece, on several threads.
  public func forEach(_ body: @Sendable (_ piece: Int) -> Void) {
    // Two threads that read a mapped file in small steps, each in its own place, leave a disk little to do at once.
    let ahead = max(1, (32 << 20) / pieceBytes)
    for piece in 0..<min(ahead, pieceCount) { announce(piece) }
    DispatchQueue.concurrentPerform(iterations: pieceCount) { piece in
      announce(piece + ahead)
      body(piece)
    }
  }

  /// Tells the system that the rows of a piece will be read soon.
  private func announce(_ piece: Int) {
    guard tensor.storage.file != nil, piece < pieceCount else { return }
    func row(_ strip: Int) -> Int {
      min(tensor.shape.rows, strip / perMatrix * rowsPerMatrix + min(rowsPerMatrix, strip % perMatrix * Strips.rows))
    }
    let page = UInt(getpagesize()), start = UInt(bitPattern: tensor.rowAddress(row(piece * perPiece))) / page * page
    let end = UInt(bitPattern: tensor.rowAddress(row(min(count, (piece + 1) * perPiece))))
    if end > start { madvise(UnsafeMutableRawPointer(bitPattern: start), Int(end - start), MADV_WILLNEED) }
  }

  /// Strips of every type made from fixed bytes: what these are changes with the layout of strips.
  public static let sample: [UInt8] = {
    var result: [UInt8] = []
    let length = 512
    for type in ElementType.allCases {
      let bytes = swiftlet_strip_bytes(type.rawValue, length), rowBytes = length / type.blockLength * type.blockBytes
      guard bytes > 0 else { continue }
      // A linear congruential generator's high bytes.
      var state: UInt32 = 1
      let rows = (0..<Strips.rows * rowBytes).map { _ in
        state = state &* 1_664_525 &+ 1_013_904_223
        return UInt8(state >> 24)
      }
      result += [UInt8](unsafeUninitializedCapacity: bytes) { strip, count in
        rows.withUnsafeBytes {
          swiftlet_pack_strip(type.rawValue, $0.baseAddress, rowBytes, Strips.rows, length, strip.baseAddress)
        }
        count = bytes
      }
    }
    return result
  }()
}
