internal import Foundation
internal import SwiftletJSON
public import SwiftletTensors
internal import Synchronization

/// Writes a file of packed weights tensor by tensor, in bounded memory. The file gets its name when it is whole.
///
/// Meanwhile it stands beside its place under one name that all writers of the same file share, and is locked (flock): only one of
/// them writes. A writer that is ended leaves it unlocked; the next one begins it anew, and `removeLeftovers` removes it.
public final class PackedFileWriter {
  public let path: String
  private let partialPath: String
  /// -1 when closed.
  private var descriptor: Int32
  private var offset = PackedFile.Header.byteCount
  private var names = Set<String>()
  private var index: [JSONValue] = []
  /// Bytes of strips that are written.
  public private(set) var writtenBytes = 0
  /// Why the file will not be made; nothing more is written then.
  public private(set) var failure: CheckpointError?
  private static let suffix = ".partial"
  private static let pieceBytes = 4 << 20

  /// - Returns: nil when another process is writing the file.
  /// - Throws: `CheckpointError` when its folder cannot be written to.
  public init?(path: String) throws(CheckpointError) {
    self.path = path
    partialPath = path + Self.suffix
    while true {
      descriptor = open(partialPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0o600)
      guard descriptor >= 0 else { throw FileWriter.failure(path, "cannot be written", errno) }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        close(descriptor)
        descriptor = -1
        return nil
      }
      // Whoever had the lock may have given the file its name or removed it.
      if UnfinishedFiles.leads(partialPath, to: descriptor) { break }
      close(descriptor)
    }
    guard ftruncate(descriptor, 0) == 0 else {
      let code = errno
      unlink(partialPath)
      close(descriptor)
      descriptor = -1
      throw FileWriter.failure(path, "cannot be written", code)
    }
  }

  deinit {
    guard descriptor >= 0 else { return }
    unlink(partialPath)
    close(descriptor)
  }

  /// Removes what writers that were ended have left in a folder.
  /// - Parameter ending: of the files' names.
  public static func removeLeftovers(in folder: String, ofFilesEndingIn ending: String) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    for name in names where name.hasSuffix(ending + suffix) { UnfinishedFiles.removeUnheld(folder + "/" + name) }
  }

  /// Adds the strips of a tensor, unless they are there or it has none. The pages of the mapped file that it came from may leave
  /// memory.
  public func append(_ tensor: Tensor, named name: String) {
    guard failure == nil, let pieces = tensor.stripPieces(of: Self.pieceBytes), names.insert(name).inserted else { return }
    let start = (offset + 63) / 64 * 64, descriptor = descriptor
    let state = Mutex((checksums: [UInt64](repeating: 0, count: pieces.pieceCount), code: Int32(0)))
    pieces.forEach { piece in
      guard state.withLock({ $0.code }) == 0 else { return }
      let range = pieces.bytes(of: piece), buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: range.count, alignment: 64)
      defer { buffer.deallocate() }
      if let base = buffer.baseAddress { pieces.pack(piece, into: base) }
      let code = Self.write(UnsafeRawBufferPointer(buffer), to: descriptor, at: start + range.lowerBound)
      let checksum = Checksum64.of(UnsafeRawBufferPointer(buffer))
      state.withLock {
        $0.checksums[piece] = checksum
        if code != 0 { $0.code = code }
      }
    }
    tensor.releasePages()
    let (checksums, code) = state.withLock { $0 }
    guard code == 0 else { return failure = FileWriter.failure(path, "cannot be written", code) }
    offset = start + pieces.byteCount
    writtenBytes += pieces.byteCount
    let entry = PackedFile.Entry(
      type: tensor.type, shape: tensor.shape, byteOffset: start, byteCount: pieces.byteCount, pieceBytes: pieces.pieceBytes,
      checksums: checksums)
    index.append(entry.json(name))
  }

  /// - Returns: 0, or the error's number.
  private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: Int) -> Int32 {
    var done = 0
    while done < bytes.count {
      let count = pwrite(descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done, off_t(offset + done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return count < 0 ? errno : EIO }
      done += count
    }
    return 0
  }

  /// Gives the file its name, in place of what had it before.
  /// - Parameters:
  ///   - model: the path of the model.
  ///   - identity: what the strips were made from.
  /// - Throws: `CheckpointError` when the disk does not take it, or an earlier failure.
  public func commit(model: String, identity: String) throws(CheckpointError) {
    if let failure { throw failure }
    let text = JSONValue.object([
      JSONMember(key: "model", value: .string(model)), JSONMember(key: "identity", value: .string(identity)),
      JSONMember(key: "tensors", value: .array(index)),
    ]).serialized()
    let bytes = Array(text.utf8), place = (offset + 63) / 64 * 64
    // Whole seconds, which every file system keeps, and past, so that whoever writes later leaves another time.
    let time = Foundation.time(nil) - 2
    let header = PackedFile.Header(
      fileBytes: UInt64(place + bytes.count), indexOffset: UInt64(place), indexChecksum: Checksum64.of(bytes),
      time: UInt64(max(0, time)))
    var code = bytes.withUnsafeBytes { Self.write($0, to: descriptor, at: place) }
    if code == 0 { code = header.bytes.withUnsafeBytes { Self.write($0, to: descriptor, at: 0) } }
    var times = [timespec(), timespec()]
    times[0].tv_sec = time + 2
    times[1].tv_sec = time
    if code == 0, fsync(descriptor) != 0 || futimens(descriptor, times) != 0 || rename(partialPath, path) != 0 { code = errno }
    guard code == 0 else { throw FileWriter.failure(path, "cannot be written", code) }
    close(descriptor)
    descriptor = -1
  }
}
