internal import Foundation
public import SwiftletTensors

/// A regular file mapped read-only into memory.
///
/// The file must stay as it is while it is mapped: touching a page behind the end of a file that was cut meanwhile ends the
/// process (SIGBUS). This is not handled. Tools that replace a file by a new one of its name do no harm.
public struct MappedFile: Sendable {
  public let path: String
  /// The whole file.
  public let storage: Storage

  public var byteCount: Int { storage.byteCount }

  /// - Parameter maximumBytes: for files that are read as a whole: larger ones are refused before they are read.
  /// - Throws: `CheckpointError` when the path is missing, unreadable, empty, too large or no regular file.
  public init(path: String, maximumBytes: Int = .max) throws(CheckpointError) {
    func failure(_ reason: String) -> CheckpointError { CheckpointError(file: path, field: "file", reason: reason) }
    // O_NONBLOCK: opening a FIFO without a writer must not hang.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw failure("cannot be opened: \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure("cannot be examined: \(String(cString: strerror(errno)))") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw failure(status.st_mode & S_IFMT == S_IFDIR ? "is a folder, expected a file" : "is no regular file")
    }
    guard status.st_size > 0 else { throw failure("is empty") }
    let size = Int(status.st_size)
    guard size <= maximumBytes else { throw failure("has \(size) bytes, expected at most \(maximumBytes)") }
    guard let address = mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0), address != MAP_FAILED else {
      throw failure("cannot be mapped into memory: \(String(cString: strerror(errno)))")
    }
    self.path = path
    let identity = FileIdentity(path: path, device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    storage = Storage(address: address, byteCount: size, file: identity) { address, size in munmap(address, size) }
  }

  /// The file's bytes, valid inside `body`.
  public func withBytes<Result, Failure: Error>(_ body: (RawSpan) throws(Failure) -> Result) throws(Failure) -> Result {
    try body(UnsafeRawBufferPointer(start: storage.address, count: storage.byteCount).bytes)
  }
}
