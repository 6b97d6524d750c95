internal import SwiftletCheckpoints

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Where a reader of documents stands: before a byte of a file.
struct DocumentPosition: Sendable, Equatable {
  var file = 0
  var offset = 0
  /// Of the byte, counted from 1.
  var line = 1
}

/// A document as it lies in its file, not looked into yet.
struct RawDocument: Sendable {
  let file: MappedFile
  let range: Range<Int>
  let line: Int
  let isJSON: Bool
  /// Longer lines than allowed are not looked into at all.
  let isTooLong: Bool
  /// Where the reader stands behind it.
  let next: DocumentPosition

  var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: file.storage.address + range.lowerBound, count: range.count)
  }
}

/// Finds the documents of files one after the other. The files are mapped, so nothing of them need fit into memory.
struct DocumentReader {
  private let files: [String]
  private let options: DocumentOptions
  private let separator: [UInt8]?
  private(set) var position: DocumentPosition
  private var current: MappedFile?

  init(files: [String], options: DocumentOptions, from position: DocumentPosition = DocumentPosition()) throws(DataError) {
    try options.check()
    guard !files.isEmpty else { throw DataError(.setting, file: "files", reason: "no files are named") }
    self.files = files
    self.options = options
    separator = options.separator.map { Array($0.utf8) }
    self.position = position
  }

  /// The next document that has more than white space; nil behind the last one.
  /// - Throws: `DataError` when a file cannot be read, is empty, or changed while it was read.
  mutating func next() throws(DataError) -> RawDocument? {
    while position.file < files.count {
      let file: MappedFile
      if let current {
        file = current
      } else {
        let path = files[position.file]
        file = try asDataError { () throws(CheckpointError) in try MappedFile(path: path) }
        current = file
        // A byte order mark is no text.
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        if position.offset == 0, UnsafeRawBufferPointer(start: file.storage.address, count: file.byteCount).starts(with: mark) {
          position.offset = 3
        }
      }
      if let document = options.isJSONLines(file.path) ? nextLine(file) : nextPassage(file) { return document }
      try asDataError { () throws(CheckpointError) in try file.check() }
      position = DocumentPosition(file: position.file + 1)
      current = nil
    }
    return nil
  }

  private mutating func nextLine(_ file: MappedFile) -> RawDocument? {
    while position.offset < file.byteCount {
      let start = position, end = Self.lineEnd(file, position.offset)
      position.offset = end
      position.line += 1
      if Self.isBlank(file, start.offset..<end) { continue }
      return RawDocument(
        file: file, range: start.offset..<end, line: start.line, isJSON: true,
        isTooLong: end - start.offset > options.maximumLineBytes, next: position)
    }
    return nil
  }

  private mutating func nextPassage(_ file: MappedFile) -> RawDocument? {
    while position.offset < file.byteCount {
      let start = position
      var end = start.offset, isTooLong = false
      while position.offset < file.byteCount {
        let lineEnd = Self.lineEnd(file, position.offset)
        if isSeparator(file, position.offset..<lineEnd) {
          position.offset = lineEnd
          position.line += 1
          break
        }
        let lineIsTooLong = lineEnd - position.offset > options.maximumLineBytes
        // A line that is too long stands alone, so that nothing else is lost with it.
        if end > start.offset, lineIsTooLong || lineEnd - start.offset > options.passageBytes { break }
        position.offset = lineEnd
        position.line += 1
        end = lineEnd
        isTooLong = lineIsTooLong
        if isTooLong { break }
      }
      if Self.isBlank(file, start.offset..<end) { continue }
      return RawDocument(
        file: file, range: start.offset..<end, line: start.line, isJSON: false, isTooLong: isTooLong, next: position)
    }
    return nil
  }

  private func isSeparator(_ file: MappedFile, _ line: Range<Int>) -> Bool {
    guard let separator, line.count >= separator.count, line.count <= separator.count + 2 else { return false }
    let bytes = UnsafeRawBufferPointer(start: file.storage.address + line.lowerBound, count: line.count)
    return bytes.starts(with: separator) && bytes[separator.count...].allSatisfy { $0 == 0x0A || $0 == 0x0D }
  }

  /// Behind the line's feed, or the end of the file.
  private static func lineEnd(_ file: MappedFile, _ start: Int) -> Int {
    let base = file.storage.address
    guard let feed = memchr(base + start, 0x0A, file.byteCount - start) else { return file.byteCount }
    return UnsafeRawPointer(feed) - UnsafeRawPointer(base) + 1
  }

  private static func isBlank(_ file: MappedFile, _ range: Range<Int>) -> Bool {
    UnsafeRawBufferPointer(start: file.storage.address + range.lowerBound, count: range.count).allSatisfy {
      $0 == 0x20 || (0x09...0x0D).contains($0)
    }
  }
}
