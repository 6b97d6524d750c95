internal import Foundation
public import SwiftletTensors

/// Reads parts of a mapped file past the system's page cache: what is read takes no memory but the reader's own, and comes faster
/// than pages that the system must first find room for.
public final class DirectFile: Sendable {
  /// Offsets, counts and addresses of reads are multiples of this, as disks ask for.
  public static let alignment = 4096

  /// The system's headers have it in a form that Swift cannot import (fcntl.h of each architecture).
  #if arch(arm64) || arch(arm)
  private static let direct: Int32 = 0o200000
  #else
  private static let direct: Int32 = 0o40000
  #endif

  private let descriptor: Int32

  /// - Returns: nil when the storage maps no file, its path leads to another file by now, or the file system has no such reads.
  public init?(of storage: Storage) {
    guard let file = storage.file else { return nil }
    #if canImport(Darwin)
    descriptor = open(file.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    let isDirect = fcntl(descriptor, F_NOCACHE, 1) == 0
    #else
    descriptor = open(file.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | Self.direct)
    guard descriptor >= 0 else { return nil }
    let isDirect = true
    #endif
    var status = stat()
    guard isDirect, fstat(descriptor, &status) == 0, UInt64(status.st_dev) == file.device, UInt64(status.st_ino) == file.inode
    else { return nil }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// - Returns: how many bytes came, fewer than `count` at the end of the file or when the disk failed.
  public func read(_ count: Int, at offset: Int, into target: UnsafeMutableRawPointer) -> Int {
    var done = 0
    // Only whole blocks can be gone on from.
    while done < count, done % Self.alignment == 0 {
      let result = pread(descriptor, target + done, count - done, off_t(offset + done))
      if result < 0, errno == EINTR { continue }
      guard result > 0 else { break }
      done += result
    }
    return done
  }
}
