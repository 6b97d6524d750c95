import Foundation
import Testing

@testable import SwiftletCheckpoints

/// Files and folders that get their names when they are whole, and what is left of those that did not.
@Suite struct FileWriterTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private var names: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() }
  }

  private func write(_ text: String, to path: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }

  /// What a process that was killed left: like what a writer makes, without the writer.
  private func leave(_ name: String, isFolder: Bool) throws {
    guard isFolder else { return try write("half", to: folder.path(name)) }
    try FileManager.default.createDirectory(atPath: folder.path(name), withIntermediateDirectories: true)
    try write("half", to: folder.path(name) + "/part")
  }

  @Test(arguments: [false, true]) func whatKilledWritersLeftGoes(_ isFolder: Bool) throws {
    try leave(".model.x.1abc.partial", isFolder: isFolder)
    // Of another file, and what has no number.
    try leave(".model.2.partial", isFolder: isFolder)
    try leave(".model.x.of-mine.partial", isFolder: isFolder)
    if isFolder {
      let writer = try FolderWriter(path: folder.path("model.x"))
      try writer.commit()
    } else {
      let writer = try FileWriter(path: folder.path("model.x"))
      try writer.commit()
    }
    #expect(try names == [".model.2.partial", ".model.x.of-mine.partial", "model.x"])
  }

  /// Before anything is refused for want of room.
  @Test func whatWasLeftTakesNoRoom() throws {
    try leave(".model.1.partial", isFolder: true)
    try DiskSpace.require(1, for: folder.path("model"))
    #expect(try names == [])
  }

  /// Two writers of the same file or folder: neither takes the other's for left, and the last one stands.
  @Test func whoIsAtWorkKeepsWhatItWrites() throws {
    let path = folder.path("file"), first = try FileWriter(path: path), second = try FileWriter(path: path)
    try first.write([1])
    try second.write([2, 2])
    try second.commit()
    try first.commit()
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data([1]))

    let place = folder.path("folder"), one = try FolderWriter(path: place), other = try FolderWriter(path: place)
    try write("one", to: one.temporaryPath + "/text")
    try write("other", to: other.temporaryPath + "/text")
    try other.commit()
    try one.commit()
    #expect(try String(contentsOfFile: place + "/text", encoding: .utf8) == "one")
    #expect(try names == ["file", "folder"])
  }

  @Test func writersThatAreDroppedLeaveNothing() throws {
    do {
      let file = try FileWriter(path: folder.path("file")), whole = try FolderWriter(path: folder.path("folder"))
      try file.write([1])
      try write("half", to: whole.temporaryPath + "/part")
    }
    #expect(try names == [])
  }

  /// In one step where the file system can, and in two where it cannot.
  @Test(arguments: [true, false]) func foldersAreReplaced(exchanging: Bool) throws {
    let place = folder.path("model")
    for text in ["first", "second"] {
      let writer = try FolderWriter(path: place)
      try write(text, to: writer.temporaryPath + "/" + text)
      try writer.commit(exchanging: exchanging)
      #expect(try FileManager.default.contentsOfDirectory(atPath: place) == [text])
      #expect(try names == ["model"])
    }
  }
}
