internal import Foundation

/// A regular file, open for reading until the last reference goes. Whatever a person or a model names is opened here: pipes and
/// devices, on which reading may never end, are refused at once.
public final class RegularFile: Sendable {
  /// By which a changed file is recognised. The time of the last status change (ctime) is left out: it moves when another file is
  /// renamed over this one.
  struct State: Equatable {
    var size: Int
    var seconds: Int
    var nanoseconds: Int
    var device: UInt64
    var inode: UInt64

    /// - Throws: `POSIXError`.
    init(descriptor: Int32) throws(POSIXError) {
      var status = stat()
      guard fstat(descriptor, &status) == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
      self.init(status)
    }

    init(_ status: stat) {
      #if canImport(Darwin)
      let time = status.st_mtimespec
      #else
      let time = status.st_mtim
      #endif
      (size, seconds, nanoseconds) = (Int(status.st_size), Int(time.tv_sec), Int(time.tv_nsec))
      (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino))
    }
  }

  public let path: String
  let descriptor: Int32
  /// At the time of opening.
  let state: State

  /// - Throws: `CheckpointError` when the path is missing, unreadable or no regular file.
  public init(path: String) throws(CheckpointError) {
    func failure(_ reason: String) -> CheckpointError { CheckpointError(file: path, field: "file", reason: reason) }
    guard !path.utf8.contains(0) else { throw failure("has a zero byte in its name") }
    // O_NONBLOCK: opening a FIFO without a writer must not hang.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failure("cannot be opened: \(Self.explanation(of: errno, path))") }
    var status = stat()
    let reason: String? =
      if fstat(descriptor, &status) != 0 {
        "cannot be examined: \(String(cString: strerror(errno)))"
      } else {
        switch status.st_mode & S_IFMT {
        case S_IFREG: nil
        case S_IFDIR: "is a folder, expected a file"
        case S_IFIFO: "is a pipe, expected a regular file"
        default: "is a device or something else, expected a regular file"
        }
      }
    if let reason {
      close(descriptor)
      throw failure(reason)
    }
    self.path = path
    self.descriptor = descriptor
    state = State(status)
  }

  deinit { close(descriptor) }

  /// A copy of the file's bytes, none for an empty file.
  /// - Parameter maximumBytes: larger files are refused before they are read; nil for a quarter of this machine's memory, since what
  ///   is made of a file takes room too.
  public func bytes(maximumBytes: Int? = nil) throws(CheckpointError) -> [UInt8] {
    if let maximumBytes {
      try checkSize(atMost: maximumBytes)
    } else {
      let memory = Int(clamping: ProcessInfo.processInfo.physicalMemory)
      try checkSize(atMost: memory / 4, because: "a quarter of this machine's memory")
    }
    var failure: Int32?
    let bytes = [UInt8](unsafeUninitializedCapacity: state.size) { buffer, count in
      while count < buffer.count {
        let result = pread(descriptor, buffer.baseAddress?.advanced(by: count), buffer.count - count, off_t(count))
        if result < 0, errno == EINTR { continue }
        if result < 0 { failure = errno }
        guard result > 0 else { return }
        count += result
      }
    }
    if let failure {
      throw CheckpointError(file: path, field: "file", reason: "cannot be read: \(String(cString: strerror(failure)))")
    }
    guard bytes.count == state.size else {
      throw CheckpointError(
        file: path, field: "file",
        reason: "was truncated from \(state.size) to \(bytes.count) bytes while it was read; read it again when it is whole")
    }
    return bytes
  }

  func checkSize(atMost maximumBytes: Int, because meaning: String? = nil) throws(CheckpointError) {
    guard state.size <= maximumBytes else {
      throw CheckpointError(
        file: path, field: "file",
        reason: "has \(state.size) bytes, expected at most \(maximumBytes)" + (meaning.map { ", " + $0 } ?? ""))
    }
  }

  private static func explanation(of error: Int32, _ path: String) -> String {
    let text = String(cString: strerror(error))
    var status = stat()
    guard error == ENOENT, lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return text }
    return text + "; it is a symbolic link to a file that is not there"
  }
}
