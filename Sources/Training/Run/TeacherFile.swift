internal import SwiftletCheckpoints
internal import SwiftletTensors

/// A part of what a teacher says of a dataset, mapped into memory. All numbers are little-endian:
///
///     0   magic "SWTEACH1"                          8 bytes
///     8   checksum of what it was made of           8 bytes
///     16  first document, documents, rows, k        8 bytes each
///     48  checksum of all that follows the header   8 bytes
///     56  checksum of the 56 bytes before           8 bytes
///     64  ids                                       4 bytes each, [rows, k]
///         logarithms of probabilities               F32, [rows, k]
///         those of the tails                        F32, [rows]
///
/// Checksums are XXH64.
struct TeacherFile {
  private static let magic = Array("SWTEACH1".utf8)
  private static let headerBytes = 64

  let documents: Range<Int>
  let rowCount: Int
  private let k: Int
  private let file: MappedFile

  /// - Parameters:
  ///   - key: what it must have been made of.
  ///   - vocabulary: all ids are below.
  /// - Throws: `CheckpointError` for a file that is damaged or another one.
  init(path: String, key: UInt64, documents: Range<Int>, rows: Int, k: Int, vocabulary: Int) throws(CheckpointError) {
    func wrong(_ reason: String) -> CheckpointError {
      CheckpointError(file: path, field: "file", reason: reason + "; remove it, and it is made anew")
    }
    let file = try MappedFile(path: path), bytes = UnsafeRawBufferPointer(start: file.storage.address, count: file.byteCount)
    func number(_ offset: Int) -> UInt64 { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
    guard bytes.count >= Self.headerBytes, bytes.starts(with: Self.magic) else {
      throw wrong("is no file of a teacher's probabilities")
    }
    guard number(56) == Checksum64.of(UnsafeRawBufferPointer(rebasing: bytes[..<56])) else {
      throw wrong("the checksum of its header does not match: the file is damaged")
    }
    guard number(8) == key, number(16) == UInt64(documents.lowerBound), number(24) == UInt64(documents.count),
      number(32) == UInt64(rows), number(40) == UInt64(k)
    else { throw wrong("was made of another teacher, data or settings") }
    guard bytes.count == Self.headerBytes + rows * (8 * k + 4) else {
      throw wrong("has \(bytes.count) bytes, expected \(Self.headerBytes + rows * (8 * k + 4)): it was cut or added to")
    }
    guard Checksum64.of(UnsafeRawBufferPointer(rebasing: bytes[Self.headerBytes...])) == number(48) else {
      throw wrong("its checksum does not match: the file is damaged")
    }
    (self.file, self.documents, rowCount, self.k) = (file, documents, rows, k)
    let ids = file.storage.address + Self.headerBytes
    for place in 0..<rows * k where ids.loadUnaligned(fromByteOffset: 4 * place, as: UInt32.self).littleEndian >= vocabulary {
      throw wrong("has a token that the vocabulary of \(vocabulary) does not have")
    }
    try file.check()
  }

  /// Adds rows to others.
  /// - Throws: `CheckpointError` when the file changed since it was opened.
  func append(_ rows: Range<Int>, to result: inout TeacherRows) throws(CheckpointError) {
    let ids = file.storage.address + Self.headerBytes, values = ids + 4 * rowCount * k, tails = values + 4 * rowCount * k
    func word(_ base: UnsafeMutableRawPointer, _ place: Int) -> UInt32 {
      UInt32(littleEndian: base.loadUnaligned(fromByteOffset: 4 * place, as: UInt32.self))
    }
    for place in rows.lowerBound * k..<rows.upperBound * k {
      result.tokens.append(word(ids, place))
      result.logProbabilities.append(Float(bitPattern: word(values, place)))
    }
    for row in rows { result.tails.append(Float(bitPattern: word(tails, row))) }
    try file.check()
  }

  static func write(_ rows: TeacherRows, documents: Range<Int>, key: UInt64, to path: String) throws(CheckpointError) {
    var body: [UInt8] = []
    body.reserveCapacity(rows.rowCount * (8 * rows.k + 4))
    func append<Value: FixedWidthInteger>(_ value: Value, to bytes: inout [UInt8]) {
      withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
    for token in rows.tokens { append(token, to: &body) }
    for value in rows.logProbabilities { append(value.bitPattern, to: &body) }
    for value in rows.tails { append(value.bitPattern, to: &body) }
    var header = magic
    for value in [
      key, UInt64(documents.lowerBound), UInt64(documents.count), UInt64(rows.rowCount), UInt64(rows.k), Checksum64.of(body),
    ] { append(value, to: &header) }
    append(Checksum64.of(header), to: &header)
    let writer = try FileWriter(path: path)
    try writer.write(header)
    try writer.write(body)
    try writer.commit()
  }
}
