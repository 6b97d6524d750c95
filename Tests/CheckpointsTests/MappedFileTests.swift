import Foundation
import SwiftletCheckpoints
import Testing

@Suite struct MappedFileTests {
  private func refusal(_ path: String) throws -> CheckpointError {
    let error = try #require(failure { _ = try MappedFile(path: path) })
    #expect(error.file == path && error.field == "file")
    return error
  }

  @Test func bytesAreTheFiles() throws {
    let folder = try TemporaryFolder()
    let file = try MappedFile(path: folder.write([1, 2, 3], as: "bytes"))
    #expect(file.byteCount == 3)
    let bytes = try file.withBytes { span in span.withUnsafeBytes { Array($0) } }
    #expect(bytes == [1, 2, 3])
  }

  @Test func whatIsNoReadableFileIsRefused() throws {
    let folder = try TemporaryFolder()
    #expect(try refusal(folder.path("missing")).reason.contains("No such file"))
    #expect(try refusal(folder.url.path).reason.contains("is a folder, expected a file"))
    #expect(try refusal(folder.write([], as: "empty")).reason == "is empty")
    #expect(try refusal("/dev/zero").reason.contains("expected a regular file"))
  }

  /// A file of holes, larger than any memory.
  @Test func whatIsReadAsAWholeMustFitIntoMemory() throws {
    let folder = try TemporaryFolder(), path = try folder.write([1], as: "sparse")
    guard truncate(path, 1 << 43) == 0 else { return }
    let error = try #require(failure { _ = try RegularFile(path: path).bytes() })
    #expect(error.reason.hasPrefix("has \(1 << 43) bytes, expected at most "))
    #expect(error.reason.hasSuffix("a quarter of this machine's memory"))
    #expect(failure { _ = try RegularFile(path: path).bytes(maximumBytes: 10) }?.reason.hasSuffix("expected at most 10") == true)
  }

  /// Without a writer, opening a FIFO waits for one.
  @Test func fifoIsRefusedAtOnce() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("fifo")
    try #require(mkfifo(path, 0o600) == 0)
    #expect(try refusal(path).reason == "is a pipe, expected a regular file")
  }

  @Test(.enabled(if: geteuid() != 0, "root reads every file")) func unreadableFileIsRefused() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write([1], as: "unreadable")
    try #require(chmod(path, 0) == 0)
    #expect(try refusal(path).reason.contains("Permission denied"))
  }
}
