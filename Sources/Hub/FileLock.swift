import Foundation

/// A lock that processes share through a file, as `huggingface_hub` locks a blob: `flock` on `.locks/models--org--repo/ETAG.lock`.
/// It is released when the value ends, and by the system when the process does. The file stays.
struct FileLock: ~Copyable {
  private let descriptor: Int32

  /// Takes the lock if nobody has it; nil when somebody does.
  init?(tryingPath path: String) throws(HubError) {
    try FileSystem.makeFolder((path as NSString).deletingLastPathComponent)
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard file >= 0 else { throw .fileSystem(operation: "open the lock", path: path, reason: FileSystem.reason(ofErrno: errno)) }
    if flock(file, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      close(file)
      guard code == EWOULDBLOCK || code == EINTR else {
        throw .fileSystem(operation: "lock", path: path, reason: FileSystem.reason(ofErrno: code))
      }
      return nil
    }
    descriptor = file
  }

  deinit { close(descriptor) }

  /// Waits for the lock.
  /// - Parameters:
  ///   - onWait: called once when somebody else has it.
  ///   - waiting: called about five times a second until it is free.
  static func acquire(_ path: String, onWait: ((String) -> Void)?, waiting: () -> Void = {}) async throws -> FileLock {
    var isFirst = true
    while true {
      if let lock = try FileLock(tryingPath: path) { return lock }
      if isFirst { onWait?("waiting: another process fetches this model") }
      isFirst = false
      waiting()
      try await Task.sleep(for: .milliseconds(200))
    }
  }
}
