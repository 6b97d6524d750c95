import Foundation
import SwiftletCheckpoints
import SwiftletTensors
import Synchronization
import Testing

/// Files that are cut, written to or replaced while they are mapped.
@Suite(.timeLimit(.minutes(2))) struct ChangedFileTests {
  private static let page = Int(sysconf(Int32(_SC_PAGESIZE)))

  /// A file of so many pages of ones, mapped.
  private func mapped(pages: Int, in folder: TemporaryFolder) throws -> MappedFile {
    let path = try folder.write([UInt8](repeating: 1, count: pages * Self.page), as: "mapped")
    return try MappedFile(path: path)
  }

  private func sum(_ file: MappedFile) -> Int {
    UnsafeRawBufferPointer(start: file.storage.address, count: file.byteCount).reduce(0) { $0 + Int($1) }
  }

  @Test func whatIsCutReadsAsZerosAndIsAnError() throws {
    let folder = try TemporaryFolder(), file = try mapped(pages: 9, in: folder)
    #expect(sum(file) == 9 * Self.page)
    try file.check()
    try #require(truncate(file.path, off_t(2 * Self.page)) == 0)
    #expect(sum(file) == 2 * Self.page)
    let error = try #require(failure { try file.check() })
    #expect(error.file == file.path && error.field == "file")
    #expect(error.reason.contains("was truncated from \(9 * Self.page) to \(2 * Self.page) bytes while it was in use"))
    #expect(failure { try file.withBytes { _ in } } == error)
    // An error of its own is not what is wrong with such a file.
    let own = CheckpointError(file: file.path, field: "header", reason: "has no magic")
    #expect(failure { try file.withBytes { _ throws(CheckpointError) in throw own } } == error)
  }

  /// What was read as zeros stays an error when the file looks as before.
  @Test func whatIsCutAndRestoredIsAnError() throws {
    let folder = try TemporaryFolder(), file = try mapped(pages: 3, in: folder)
    var times = [timespec(), timespec()], status = stat()
    try #require(stat(file.path, &status) == 0)
    #if canImport(Darwin)
    times = [status.st_atimespec, status.st_mtimespec]
    #else
    times = [status.st_atim, status.st_mtim]
    #endif
    try #require(truncate(file.path, 0) == 0)
    #expect(sum(file) == 0)
    try #require(truncate(file.path, off_t(3 * Self.page)) == 0)
    try #require(utimensat(AT_FDCWD, file.path, times, 0) == 0)
    #expect(failure { try file.check() }?.reason.contains("could not be read as a whole") == true)
  }

  @Test func whatIsWrittenInPlaceIsAnError() throws {
    let folder = try TemporaryFolder(), file = try mapped(pages: 2, in: folder)
    usleep(20_000)  // Times of files move in steps of some milliseconds.
    let handle = try #require(FileHandle(forUpdatingAtPath: file.path))
    try handle.write(contentsOf: Data([7]))
    try handle.close()
    #expect(failure { try file.check() }?.reason.contains("was changed while it was in use") == true)
  }

  @Test func whatIsReplacedOrReadElsewhereStays() throws {
    let folder = try TemporaryFolder(), file = try mapped(pages: 2, in: folder)
    usleep(20_000)
    _ = try Data(contentsOf: URL(fileURLWithPath: file.path))
    try #require(chmod(file.path, 0o600) == 0)
    try #require(link(file.path, folder.path("link")) == 0)
    try file.check()
    let other = try folder.write([2, 2], as: "other")
    try #require(rename(other, file.path) == 0)
    try file.check()
    #expect(sum(file) == 2 * Self.page)
    #expect(try MappedFile(path: file.path).byteCount == 2)
    try #require(unlink(file.path) == 0)
    try file.check()
    #expect(sum(file) == 2 * Self.page)
  }

  /// Threads in the middle of reading, and mappings that come and go beside them.
  @Test func threadsMeetTheEndTogether() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask {
          for _ in 0..<20 {
            let folder = try TemporaryFolder(), file = try mapped(pages: 64, in: folder)
            await withTaskGroup(of: Void.self) { readers in
              for _ in 0..<3 { readers.addTask { for _ in 0..<5 { _ = sum(file) } } }
              readers.addTask { _ = truncate(file.path, off_t(Int.random(in: 0..<63) * Self.page)) }
            }
            #expect(throws: CheckpointError.self) { try file.check() }
          }
        }
      }
      try await group.waitForAll()
    }
  }

  /// A file is cut and made whole again all the time while it is opened.
  @Test(arguments: ["types.gguf", "model.safetensors"]) func headersAreReadWhileFilesAreCut(_ name: String) async throws {
    let folder = try TemporaryFolder()
    let fixture = name == "types.gguf" ? try Fixtures.bytes(name) : safetensors(header: header(), dataBytes: 4 * 4096)
    let path = try folder.write(fixture, as: name), isDone = Atomic<Bool>(false)
    let writer = Thread {
      var number = 0
      while !isDone.load(ordering: .relaxed) {
        number += 1
        _ = truncate(path, off_t(number * 997 % fixture.count))
        let file = open(path, O_WRONLY)
        _ = fixture.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
        close(file)
      }
    }
    writer.start()
    defer { isDone.store(true, ordering: .relaxed) }
    for _ in 0..<3000 {
      do {
        if name.hasSuffix(".gguf") { _ = try GGUFFile(path: path) } else { _ = try SafetensorsFile(path: path) }
      } catch {
        #expect(error.file == path)
      }
    }
  }

  private func header() -> String {
    let entries = (0..<4096).map { #""t\#($0)":{"dtype":"F32","shape":[1],"data_offsets":[\#(4 * $0),\#(4 * $0 + 4)]}"# }
    return "{" + entries.joined(separator: ",") + "}"
  }

  // MARK: Signals that are none of ours

  @Test func otherBusErrorsEndTheProcess() async {
    await #expect(processExitsWith: .signal(SIGBUS)) {
      let folder = try TemporaryFolder()
      let path = try folder.write([UInt8](repeating: 1, count: 8192), as: "file")
      let file = try MappedFile(path: path)
      let descriptor = open(path, O_RDONLY)
      let address = try #require(mmap(nil, 8192, PROT_READ, MAP_SHARED, descriptor, 0))
      try #require(truncate(path, 0) == 0)
      try #require(file.storage.address.load(as: UInt8.self) == 0)
      // The same file, mapped by somebody else.
      exit(Int32(address.load(as: UInt8.self)))
    }
  }

  @Test func signalsThatAreSentEndTheProcess() async {
    await #expect(processExitsWith: .signal(SIGBUS)) {
      let folder = try TemporaryFolder()
      _ = try MappedFile(path: folder.write([1], as: "file"))
      kill(getpid(), SIGBUS)
      usleep(1_000_000)
      exit(0)
    }
  }

  @Test func earlierHandlersAreCalled() async {
    await #expect(processExitsWith: .exitCode(7)) {
      signal(SIGBUS) { _ in _exit(7) }
      let folder = try TemporaryFolder()
      _ = try MappedFile(path: folder.write([1], as: "file"))
      raise(SIGBUS)
      exit(0)
    }
  }
}
