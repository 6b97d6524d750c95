internal import CSwiftletKernels
internal import Foundation
public import SwiftletJSON
public import SwiftletTensors

/// A regular file mapped read-only into memory.
///
/// The file must stay as it is while it is mapped. One that is cut or written to meanwhile ends in an error: its missing pages read
/// as zeros instead of ending the process (the library handles SIGBUS for its own mappings), and `check` tells. Renaming another
/// file over it, or removing it, does no harm: what was opened stays mapped.
public struct MappedFile: Sendable {
  public let path: String
  /// The whole file.
  public let storage: Storage
  private let mapping: Mapping

  public var byteCount: Int { storage.byteCount }

  /// - Parameter maximumBytes: for files that are read as a whole: larger ones are refused before they are read.
  /// - Throws: `CheckpointError` when the path is missing, unreadable, empty, too large or no regular file.
  public init(path: String, maximumBytes: Int = .max) throws(CheckpointError) {
    let file = try RegularFile(path: path)
    guard file.state.size > 0 else { throw CheckpointError(file: path, field: "file", reason: "is empty") }
    try file.checkSize(atMost: maximumBytes)
    guard let mapping = Mapping(file) else {
      throw CheckpointError(
        file: path, field: "file", reason: "cannot be mapped into memory: \(String(cString: strerror(errno)))")
    }
    self.path = path
    self.mapping = mapping
    let identity = FileIdentity(path: path, device: file.state.device, inode: file.state.inode)
    // The closure holds the mapping; what it holds goes with the storage.
    storage = Storage(address: mapping.address, byteCount: file.state.size, file: identity) { _, _ in
      withExtendedLifetime(mapping) {}
    }
  }

  /// What tells the file from others without reading all of it: size, time of the last change, the file's number, and a checksum of
  /// its beginning, its end and some parts between.
  public var fingerprint: String {
    let state = mapping.state
    return "\(state.size) \(state.seconds).\(state.nanoseconds) \(state.inode) \(contentChecksum)"
  }

  /// A checksum of the beginning, the end and some parts between: the same for copies of the file.
  public var contentChecksum: UInt64 {
    let edge = 1 << 20, part = 1 << 16, parts = 16
    var checksum: UInt64 = 0
    func add(_ range: Range<Int>) {
      let bytes = UnsafeRawBufferPointer(start: storage.address + range.lowerBound, count: range.count)
      checksum = Checksum64.of(bytes, seed: checksum)
    }
    if byteCount <= 2 * edge + parts * part {
      add(0..<byteCount)
    } else {
      add(0..<edge)
      for index in 1...parts {
        let start = byteCount / (parts + 1) * index
        add(start..<min(byteCount, start + part))
      }
      add(byteCount - edge..<byteCount)
    }
    return checksum
  }

  /// The time of the last change in whole seconds; nil when it has a fraction.
  var modified: Int? { mapping.state.nanoseconds == 0 ? mapping.state.seconds : nil }

  /// The file's bytes, valid inside `body`.
  /// - Throws: what `body` throws, and what `check` does after it.
  public func withBytes<Result>(_ body: (RawSpan) throws(CheckpointError) -> Result) throws(CheckpointError) -> Result {
    let result: Result
    do throws(CheckpointError) {
      result = try body(UnsafeRawBufferPointer(start: storage.address, count: storage.byteCount).bytes)
    } catch {
      // What is wrong with a file that changes is of no use.
      try check()
      throw error
    }
    try check()
    return result
  }

  /// Tells others, by a shared lock (flock), that the file is in use until it is unmapped; see `PackedFile.isInUse`.
  func noteUse() { mapping.lockShared() }

  /// The file as one JSON text.
  public func json() throws(CheckpointError) -> JSONValue {
    try withBytes { bytes throws(CheckpointError) in
      do throws(JSONError) {
        return try JSONValue(parsing: bytes)
      } catch {
        throw CheckpointError(file: path, field: "JSON", reason: "\(error)")
      }
    }
  }

  /// Whether the file is still what was opened, by its size and the time of its last change; takes a microsecond.
  ///
  /// Whoever computes with the file calls this afterwards, before the result is used. The time of the last change also moves when
  /// a file is touched without being changed, which cannot be told apart.
  /// - Throws: `CheckpointError` when the file was cut or written to since it was opened, or could not be read.
  public func check() throws(CheckpointError) {
    guard let change = mapping.change else { return }
    throw CheckpointError(
      file: path, field: "file",
      reason: "\(change); load it again when it is whole, and replace files only by renaming new ones over them")
  }
}

/// The memory of a mapped file. It keeps the file open, to see whether it changes.
///
/// `@unchecked Sendable`: all properties are constants; what `record` points to has atomic fields only.
private final class Mapping: @unchecked Sendable {
  let address: UnsafeMutableRawPointer
  private let file: RegularFile
  private let record: OpaquePointer

  init?(_ file: RegularFile) {
    let size = file.state.size
    guard let address = mmap(nil, size, PROT_READ, MAP_SHARED, file.descriptor, 0), address != MAP_FAILED else { return nil }
    guard let record = swiftlet_guard_mapping(address, size) else {
      munmap(address, size)
      return nil
    }
    self.address = address
    self.file = file
    self.record = record
  }

  deinit {
    swiftlet_release_mapping(record)
    munmap(address, file.state.size)
  }

  func lockShared() { flock(file.descriptor, LOCK_SH | LOCK_NB) }

  /// When it was opened.
  var state: RegularFile.State { file.state }

  /// What happened to the file since it was opened; nil when it is as it was.
  var change: String? {
    let before = file.state
    guard let now = try? RegularFile.State(descriptor: file.descriptor) else { return "cannot be examined any more" }
    if now.size < before.size { return "was truncated from \(before.size) to \(now.size) bytes while it was in use" }
    if now != before { return "was changed while it was in use" }
    if swiftlet_mapping_faults(record) > 0 {
      return "could not be read as a whole: it was truncated while it was in use, or its disk failed"
    }
    return nil
  }
}
