import Foundation

/// A file on its way: written at its end only, so that what came before a cut, a cancellation or a full disk is kept.
struct PartialFile: ~Copyable {
  let path: String
  private let descriptor: Int32
  private(set) var byteCount: Int

  /// Opens the file, or creates it, to go on at its end.
  init(path: String) throws(HubError) {
    self.path = path
    descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw Self.failure("open", path, errno) }
    byteCount = Int(max(lseek(descriptor, 0, SEEK_END), 0))
  }

  deinit { close(descriptor) }

  mutating func append(_ bytes: UnsafeRawBufferPointer) throws(HubError) {
    var rest = bytes
    while !rest.isEmpty {
      let written = write(descriptor, rest.baseAddress, rest.count)
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { throw Self.failure("write", path, errno) }
      byteCount += written
      rest = .init(rebasing: rest.dropFirst(written))
    }
  }

  /// Empties the file.
  mutating func restart() throws(HubError) {
    guard byteCount > 0 else { return }
    guard ftruncate(descriptor, 0) == 0 else { throw Self.failure("empty", path, errno) }
    byteCount = 0
  }

  /// Feeds all that is in the file to `body`, a mebibyte at a time.
  func read(_ body: (UnsafeRawBufferPointer) async throws -> Void) async throws {
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
    defer { chunk.deallocate() }
    var offset = 0
    while offset < byteCount {
      let count = pread(descriptor, chunk.baseAddress, min(chunk.count, byteCount - offset), off_t(offset))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw Self.failure("read", path, count == 0 ? EIO : errno) }
      try await body(UnsafeRawBufferPointer(rebasing: chunk[..<count]))
      offset += count
    }
  }

  /// Waits until the disk has it.
  func synchronize() throws(HubError) {
    // Not every file system can; then the operating system's own time must do.
    guard fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP else { throw Self.failure("write", path, errno) }
  }

  private static func failure(_ operation: String, _ path: String, _ code: Int32) -> HubError {
    let folder = (path as NSString).deletingLastPathComponent
    return code == ENOSPC || code == EDQUOT
      ? .diskFull(folder: folder, needed: nil, available: nil)
      : .fileSystem(operation: operation, path: path, reason: FileSystem.reason(ofErrno: code))
  }
}
