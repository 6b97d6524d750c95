internal import CSwiftletKernels
internal import Foundation

/// A file that gets its name only when it is whole: it is written beside its place under a name of its own, and moved at the end.
/// Whoever drops the writer before `commit` leaves nothing behind, and the next writer of the file removes what a process that was
/// killed has left.
public final class FileWriter {
  /// Where the file will be.
  public let path: String
  /// Where it is meanwhile, hidden, in the same folder.
  public let temporaryPath: String
  /// `path`, or where the link leads that stands there.
  private let place: String
  public private(set) var byteCount = 0
  /// -1 when closed.
  private var descriptor: Int32

  /// - Throws: `CheckpointError` when the folder cannot be written to, or something is there that is no file.
  public init(path: String) throws(CheckpointError) {
    self.path = path
    place = try Self.place(of: path)
    (temporaryPath, descriptor) = try UnfinishedFiles.make(for: place) { temporary throws(CheckpointError) in
      let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      guard descriptor >= 0 else { throw FileWriter.failure(path, "cannot be written", errno) }
      return descriptor
    }
  }

  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    unlink(temporaryPath)
  }

  /// Where a file is to be put. Devices, pipes and the like are not replaced by files, nor are links that lead to nothing.
  static func place(of path: String) throws(CheckpointError) -> String {
    func failure(_ reason: String) -> CheckpointError { CheckpointError(file: path, field: "file", reason: reason) }
    guard !path.isEmpty else { throw failure("the name is empty; give the name of a file") }
    var status = stat()
    guard lstat(path, &status) == 0 else { return path }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return path
    case S_IFDIR: throw failure("is a folder, expected the name of a file")
    case S_IFLNK:
      guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, let resolved = realpath(path, nil) else {
        throw failure("is a link that leads to no file; remove it or choose another name")
      }
      defer { free(resolved) }
      return String(cString: resolved)
    default: throw failure("is a device, a pipe or the like, expected the name of a file")
    }
  }

  static func failure(_ path: String, _ what: String, _ code: Int32) -> CheckpointError {
    CheckpointError(file: path, field: "file", reason: "\(what): \(String(cString: strerror(code)))")
  }

  /// Appends bytes.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
    var rest = bytes
    while let base = rest.baseAddress, !rest.isEmpty {
      // Linux writes at most 2 GB at once.
      let count = Foundation.write(descriptor, base, min(rest.count, 1 << 30))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw Self.failure(path, "cannot be written", errno) }
      byteCount += count
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  public func write(_ bytes: [UInt8]) throws(CheckpointError) {
    let result = bytes.withUnsafeBytes { bytes in Result { () throws(CheckpointError) in try write(bytes) } }
    try result.get()
  }

  /// Gives the file its final size at once; what is not written yet reads as zeros and takes no room.
  func extend(to size: Int) throws(CheckpointError) {
    guard ftruncate(descriptor, off_t(size)) == 0 else { throw Self.failure(path, "cannot be written", errno) }
  }

  /// Gives the file its name, in place of what had it before.
  public func commit() throws(CheckpointError) {
    guard fsync(descriptor) == 0, rename(temporaryPath, place) == 0 else { throw Self.failure(path, "cannot be written", errno) }
    close(descriptor)
    descriptor = -1
  }
}

/// A folder that gets its name only when all its files are there. What a process that was killed has left is removed by the next
/// writer of the folder.
public final class FolderWriter {
  public let path: String
  /// Where files are put meanwhile.
  public let temporaryPath: String
  /// Of the folder, which is held by it.
  private let descriptor: Int32
  private var isCommitted = false

  public init(path: String) throws(CheckpointError) {
    self.path = path
    (temporaryPath, descriptor) = try UnfinishedFiles.make(for: path) { temporary throws(CheckpointError) in
      guard mkdir(temporary, 0o777) == 0 else { throw FileWriter.failure(path, "cannot be made", errno) }
      let descriptor = open(temporary, O_RDONLY | O_CLOEXEC)
      let code = errno
      guard descriptor >= 0 || code == ENOENT else {
        rmdir(temporary)
        throw FileWriter.failure(path, "cannot be made", code)
      }
      return descriptor
    }
  }

  deinit {
    if !isCommitted { try? FileManager.default.removeItem(atPath: temporaryPath) }
    close(descriptor)
  }

  /// Gives the folder its name, in place of what had it before: in one step, where the file system can exchange two folders.
  public func commit() throws(CheckpointError) { try commit(exchanging: true) }

  /// - Parameter exchanging: false for what is done where the file system cannot.
  func commit(exchanging: Bool) throws(CheckpointError) {
    if !exchanging || swiftlet_exchange(temporaryPath, path) != 0 { try replace() }
    isCommitted = true
    // By now it is what had the name before, if anything.
    try? FileManager.default.removeItem(atPath: temporaryPath)
  }

  private func replace() throws(CheckpointError) {
    // Not a name of something unfinished: after a kill between the two steps it is all there is.
    let aside = temporaryPath + ".replaced"
    let hasOld = rename(path, aside) == 0
    guard hasOld || errno == ENOENT else { throw FileWriter.failure(path, "cannot be replaced", errno) }
    guard rename(temporaryPath, path) == 0 else {
      let code = errno
      if hasOld { rename(aside, path) }
      throw FileWriter.failure(path, "cannot be made", code)
    }
    if hasOld { rename(aside, temporaryPath) }
  }
}
