internal import Foundation

/// A file that gets its name only when it is whole: it is written beside its place under a name of its own, and moved at the end.
/// Whoever drops the writer before `commit` leaves nothing behind.
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
    temporaryPath = Self.temporaryPath(beside: place)
    descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw Self.failure(path, "cannot be written", errno) }
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

  /// A name beside `path` that no other process takes.
  static func temporaryPath(beside path: String) -> String {
    let url = URL(fileURLWithPath: path)
    let number = String(UInt64.random(in: 0...UInt64.max), radix: 36)
    return url.deletingLastPathComponent().appendingPathComponent(".\(url.lastPathComponent).\(number).partial").path
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

/// A folder that gets its name only when all its files are there.
public final class FolderWriter {
  public let path: String
  /// Where files are put meanwhile.
  public let temporaryPath: String
  private var isCommitted = false

  public init(path: String) throws(CheckpointError) {
    self.path = path
    temporaryPath = FileWriter.temporaryPath(beside: path)
    guard mkdir(temporaryPath, 0o777) == 0 else { throw FileWriter.failure(path, "cannot be made", errno) }
  }

  deinit { if !isCommitted { try? FileManager.default.removeItem(atPath: temporaryPath) } }

  /// Gives the folder its name, in place of what had it before.
  public func commit() throws(CheckpointError) {
    var old: String?
    if FileManager.default.fileExists(atPath: path) {
      let aside = FileWriter.temporaryPath(beside: path)
      guard rename(path, aside) == 0 else { throw FileWriter.failure(path, "cannot be replaced", errno) }
      old = aside
    }
    guard rename(temporaryPath, path) == 0 else {
      let code = errno
      if let old { rename(old, path) }
      throw FileWriter.failure(path, "cannot be made", code)
    }
    isCommitted = true
    if let old { try? FileManager.default.removeItem(atPath: old) }
  }
}
