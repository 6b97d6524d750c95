internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletTensors

/// The file of one block: a header of 96 bytes, and the block as it lies in memory.
///
/// The header is `SWPREFX1`, the block's size and checksum, the key that the file stands for (64 bytes), and a checksum of all of
/// these; numbers have 64 bits, little-endian.
enum PrefixFile {
  enum Failure: Error {
    case missing
    case damaged
  }

  static let headerBytes = 96
  private static let magic: UInt64 = 0x3158_4645_5250_5753

  private static func header(_ key: PrefixKey, byteCount: Int, checksum: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    func add(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }
    add(magic)
    add(UInt64(byteCount))
    add(checksum)
    bytes += key.name.utf8
    add(Checksum64.of(bytes))
    return bytes
  }

  /// - Parameter byteCount: of the block.
  static func load(_ path: String, _ key: PrefixKey, byteCount: Int) throws(Failure) -> Storage {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard file >= 0 else { throw .missing }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, Int(status.st_size) == headerBytes + byteCount else { throw .damaged }
    var found = [UInt8](repeating: 0, count: headerBytes)
    let isRead = found.withUnsafeMutableBytes { transfer($0.baseAddress, $0.count) { read(file, $0, $1) } }
    let block = Storage(byteCount: byteCount)
    guard isRead, transfer(block.address, byteCount, { read(file, $0, $1) }) else { throw .damaged }
    let checksum = Checksum64.of(UnsafeRawBufferPointer(start: block.address, count: byteCount))
    guard found == header(key, byteCount: byteCount, checksum: checksum) else { throw .damaged }
    return block
  }

  /// - Returns: why it was not written; nil when it was.
  static func save(_ path: String, partial: String, _ key: PrefixKey, _ block: Storage, lastUse: Int) -> String? {
    let checksum = Checksum64.of(UnsafeRawBufferPointer(start: block.address, count: block.byteCount))
    var header = header(key, byteCount: block.byteCount, checksum: checksum)
    let file = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
    guard file >= 0 else { return failure(path) }
    // After a failure of the power the checksum tells what was not written.
    let isWritten =
      header.withUnsafeMutableBytes { transfer($0.baseAddress, $0.count) { write(file, $0, $1) } }
      && transfer(block.address, block.byteCount) { write(file, $0, $1) }
    let reason = isWritten ? nil : failure(path)
    close(file)
    guard reason == nil, rename(partial, path) == 0 else {
      let reason = reason ?? failure(path)
      unlink(partial)
      return reason
    }
    setLastUse(of: path, to: lastUse)
    return nil
  }

  private static func failure(_ path: String) -> String { "\(path) cannot be written: \(String(cString: strerror(errno)))" }

  /// Repeats a call of the system until all bytes have gone through it.
  private static func transfer(_ address: UnsafeMutableRawPointer?, _ count: Int, _ call: (UnsafeMutableRawPointer, Int) -> Int)
    -> Bool
  {
    guard let address else { return false }
    var done = 0
    while done < count {
      let moved = call(address + done, count - done)
      if moved < 0, errno == EINTR { continue }
      if moved <= 0 { return false }
      done += moved
    }
    return true
  }

  /// The time of the last change serves for that of the last use.
  static func setLastUse(of path: String, to nanoseconds: Int) {
    var times = [timespec(), timespec()]
    for index in times.indices {
      times[index].tv_sec = nanoseconds / 1_000_000_000
      times[index].tv_nsec = nanoseconds % 1_000_000_000
    }
    utimensat(AT_FDCWD, path, times, 0)
  }
}

/// A file that one process at a time has.
final class FileLock: Sendable {
  private let descriptor: Int32

  init(_ path: String, folder: String) throws(PrefixStoreError) {
    // Kept last: what throws when all is there ends like any other object, which would close the descriptor once more, and by then
    // it may be somebody else's.
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw .cannotBeUsed(folder: folder, reason: String(cString: strerror(errno))) }
    guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
      close(file)
      throw .inUse(folder: folder)
    }
    descriptor = file
  }

  deinit { close(descriptor) }

  /// The size of the file.
  var byteCount: Int {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
  }

  /// Tells whoever has the file, without having it.
  static func addByte(to path: String) {
    let file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard file >= 0 else { return }
    _ = write(file, "\n", 1)
    close(file)
  }
}
