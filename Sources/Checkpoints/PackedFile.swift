public import Foundation
internal import SwiftletJSON
public import SwiftletTensors
internal import Synchronization

/// Strips of a model's weights in a file of this library's own, which can be made again at any time.
///
/// A page with sizes and checksums (`Header`), the strips of each tensor from a multiple of 64 on, and at the end an index in JSON:
/// the model's path, what the file was made from, and for every tensor where its strips are, with a checksum for each piece of some
/// megabytes. Whoever writes to the file moves the time of its last change, which is therefore set to one that the header names.
public struct PackedFile: Sendable {
  /// Numbers of 64 bits, little-endian; the rest of the page is zeros.
  struct Header {
    static let byteCount = 4096
    /// `SWSTRIP1`
    static let magic: UInt64 = 0x3150_4952_5453_5753
    var fileBytes: UInt64
    var indexOffset: UInt64
    var indexChecksum: UInt64
    /// The time of the file's last change, in whole seconds.
    var time: UInt64

    var bytes: [UInt8] {
      var result: [UInt8] = []
      func add(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { result.append(contentsOf: $0) } }
      for value in [Self.magic, fileBytes, indexOffset, indexChecksum, time] { add(value) }
      add(Checksum64.of(result))
      return result + [UInt8](repeating: 0, count: Self.byteCount - result.count)
    }

    /// nil when the bytes are no header.
    init?(_ bytes: UnsafeRawBufferPointer) {
      func value(_ index: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
      }
      guard bytes.count >= Self.byteCount, value(0) == Self.magic,
        value(5) == Checksum64.of(UnsafeRawBufferPointer(rebasing: bytes[..<40]))
      else { return nil }
      (fileBytes, indexOffset, indexChecksum, time) = (value(1), value(2), value(3), value(4))
    }

    init(fileBytes: UInt64, indexOffset: UInt64, indexChecksum: UInt64, time: UInt64) {
      (self.fileBytes, self.indexOffset, self.indexChecksum, self.time) = (fileBytes, indexOffset, indexChecksum, time)
    }
  }

  /// The strips of one tensor.
  public struct Entry: Sendable {
    public var type: ElementType
    public var shape: Shape
    public var byteOffset: Int
    public var byteCount: Int
    /// Of each piece that has a checksum, but the last.
    var pieceBytes: Int
    var checksums: [UInt64]
  }

  public let file: MappedFile
  /// The path of the model.
  public let model: String
  /// What the file was made from.
  public let identity: String
  public let entries: [String: Entry]
  public var path: String { file.path }

  /// Checks all but the strips themselves.
  /// - Throws: `CheckpointError` when the file is missing, cut, was written to, or is something else.
  public init(path: String) throws(CheckpointError) {
    let file = try MappedFile(path: path)
    self.file = file
    func failure(_ field: String, _ reason: String) -> CheckpointError {
      CheckpointError(file: path, field: field, reason: reason)
    }
    let bytes = UnsafeRawBufferPointer(start: file.storage.address, count: file.byteCount)
    guard let header = Header(bytes) else { throw failure("header", "is that of no file of packed weights, or is damaged") }
    guard header.fileBytes == UInt64(file.byteCount), header.indexOffset >= UInt64(Header.byteCount),
      header.indexOffset < header.fileBytes
    else { throw failure("size", "found \(file.byteCount) bytes, expected \(header.fileBytes)") }
    guard file.modified == Int(clamping: header.time) else {
      throw failure("time", "the file was written to after it was made")
    }
    let end = Int(header.indexOffset), index = UnsafeRawBufferPointer(rebasing: bytes[end...])
    guard Checksum64.of(index) == header.indexChecksum else { throw failure("index", "its checksum is another") }
    guard let json = try? JSONValue(parsing: [UInt8](index)), let model = json["model"]?.string,
      let identity = json["identity"]?.string, let list = json["tensors"]?.elements
    else { throw failure("index", "is not that of packed weights") }
    self.model = model
    self.identity = identity
    var entries: [String: Entry] = [:]
    for item in list {
      guard let (name, entry) = Entry.named(item), entry.byteOffset % 64 == 0, entry.byteOffset >= Header.byteCount,
        entry.byteCount <= end - entry.byteOffset, entries.updateValue(entry, forKey: name) == nil
      else { throw failure("index", "is not that of packed weights") }
    }
    self.entries = entries
    try file.check()
    file.noteUse()
  }

  /// Whether a process has the file open: removing it does not free its room before that ends. False where it cannot be told.
  public static func isInUse(_ path: String) -> Bool {
    let descriptor = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
  }

  /// Compares all strips with their checksums, on several threads.
  /// - Throws: `CheckpointError` naming a tensor whose strips are not what was written.
  public func verify() throws(CheckpointError) {
    var pieces: [(name: String, bytes: Range<Int>, checksum: UInt64)] = []
    for (name, entry) in entries {
      for (index, checksum) in entry.checksums.enumerated() {
        let start = index * entry.pieceBytes
        let end = min(entry.byteCount, start + entry.pieceBytes)
        pieces.append((name, entry.byteOffset + start..<entry.byteOffset + end, checksum))
      }
    }
    pieces.sort { $0.bytes.lowerBound < $1.bytes.lowerBound }
    let damaged = Mutex<String?>(nil)
    DispatchQueue.concurrentPerform(iterations: pieces.count) { [pieces] index in
      let piece = pieces[index]
      announce(pieces[min(pieces.count - 1, index + 8)].bytes)
      let bytes = UnsafeRawBufferPointer(start: file.storage.address + piece.bytes.lowerBound, count: piece.bytes.count)
      if Checksum64.of(bytes) != piece.checksum { damaged.withLock { $0 = piece.name } }
    }
    try file.check()
    if let name = damaged.withLock({ $0 }) {
      throw CheckpointError(file: path, field: name, reason: "its checksum is another; the file is damaged")
    }
  }

  /// Brings all of the file into memory, and its pages before the eyes of this process, on a thread of its own: tokens would else
  /// wait for them one by one. Ends early when nobody has the file any more.
  public func populate() {
    #if os(Linux)
    // MADV_POPULATE_READ of Linux 5.14, whose number the headers of some systems lack; older ones refuse it, which does no harm.
    let advice: Int32 = 22
    #else
    let advice = MADV_WILLNEED
    #endif
    let thread = Thread { [weak storage = file.storage] in
      // Not while the first token is computed.
      Thread.sleep(forTimeInterval: 1)
      #if os(Linux)
      // What is not in memory yet then comes in huge pages, where the file system has them.
      if let storage { madvise(storage.address, storage.byteCount, MADV_HUGEPAGE) }
      #endif
      var start = 0
      while let storage, start < storage.byteCount {
        madvise(storage.address + start, min(Self.populatedBytes, storage.byteCount - start), advice)
        start += Self.populatedBytes
      }
    }
    thread.name = "swiftlet-populate"
    thread.qualityOfService = .utility
    thread.start()
  }

  private static let populatedBytes = 16 << 20

  /// Tells the system that bytes will be read soon.
  func announce(_ bytes: Range<Int>) {
    let page = Int(getpagesize()), start = bytes.lowerBound / page * page
    madvise(file.storage.address + start, bytes.upperBound - start, MADV_WILLNEED)
  }

  /// What stands for "leave it" in place of a time; the system's headers have it in a form that Swift cannot import (sys/stat.h).
  #if canImport(Darwin)
  private static let omitted = -2
  #else
  private static let omitted = (1 << 30) - 2
  #endif

  /// Notes when a file was used. The time of the last access serves for this, since that of the last change must stay.
  public static func setLastUse(of path: String, to date: Date = Date()) {
    var times = [timespec(), timespec()]
    let seconds = date.timeIntervalSince1970.rounded(.down)
    times[0].tv_sec = Int(seconds)
    times[0].tv_nsec = Int((date.timeIntervalSince1970 - seconds) * 1e9)
    times[1].tv_nsec = omitted
    utimensat(AT_FDCWD, path, times, 0)
  }
}

extension PackedFile.Entry {
  /// As it stands in the index.
  func json(_ name: String) -> JSONValue {
    let sums = checksums.map { sum in
      let text = String(sum, radix: 16)
      return String(repeating: "0", count: 16 - text.count) + text
    }
    return .array([
      .string(name), .integer(Int(type.rawValue)), .array(shape.array.map { .integer($0) }), .integer(byteOffset),
      .integer(byteCount), .integer(pieceBytes), .string(sums.joined()),
    ])
  }

  /// - Returns: nil for what no entry can be.
  static func named(_ json: JSONValue) -> (name: String, entry: PackedFile.Entry)? {
    guard let fields = json.elements, fields.count == 7, let name = fields[0].string,
      let type = fields[1].integer.flatMap({ Int32(exactly: $0) }).flatMap(ElementType.init(rawValue:)),
      let shape = fields[2].elements?.compactMap(\.integer), (1...Shape.maximumRank).contains(shape.count),
      let offset = fields[3].integer, let count = fields[4].integer, let piece = fields[5].integer, offset >= 0, count > 0,
      piece > 0, let sums = fields[6].string.map({ Array($0.utf8) }), sums.count % 16 == 0,
      sums.count / 16 == (count - 1) / piece + 1
    else { return nil }
    let checksums = stride(from: 0, to: sums.count, by: 16).compactMap {
      UInt64(String(decoding: sums[$0..<$0 + 16], as: UTF8.self), radix: 16)
    }
    guard checksums.count * 16 == sums.count, shape.allSatisfy({ $0 > 0 }) else { return nil }
    return (
      name,
      PackedFile.Entry(
        type: type, shape: Shape(shape), byteOffset: offset, byteCount: count, pieceBytes: piece, checksums: checksums)
    )
  }
}
