internal import SwiftletCheckpoints

/// A file of tokens, mapped into memory. All numbers are little-endian:
///
///     0   magic "SWTOKENS"                        8 bytes
///     8   version, bytes a token (2 or 4)         4 bytes each
///     16  size of the vocabulary                  8 bytes
///     24  its checksum                            8 bytes
///     32  number of tokens, of documents          8 bytes each
///     48  1 where targets are marked, else 0      8 bytes
///     56  checksum of all that follows the header 8 bytes
///     64  checksum of the 64 bytes before         8 bytes
///     72  where each document ends, in tokens     8 bytes each
///         the tokens
///         a bit a token: whether it is a target, the lowest bit first
///
/// Checksums are XXH64.
public struct TokenShard: Sendable {
  static let magic = Array("SWTOKENS".utf8)
  static let version: UInt32 = 1
  static let headerBytes = 72

  public let vocabulary: VocabularyIdentity
  public let tokenCount: Int
  public let documentCount: Int
  /// Whether some tokens are no targets.
  public let marksTargets: Bool
  /// Of all that follows the header.
  public let checksum: UInt64
  let file: MappedFile
  private let bytesPerToken: Int

  public var path: String { file.path }

  /// - Parameter verifies: reads the whole file and compares its checksum; else only the header is looked at, and the documents' ends.
  /// - Throws: `DataError` of the kind `.damaged` naming what was found and expected, `.file` when it cannot be read.
  public init(path: String, verifies: Bool = true) throws(DataError) {
    func damaged(_ reason: String) -> DataError { DataError(.damaged, file: path, reason: reason) }
    let file = try asDataError { () throws(CheckpointError) in try MappedFile(path: path) }
    let bytes = UnsafeRawBufferPointer(start: file.storage.address, count: file.byteCount)
    guard bytes.count >= Self.headerBytes, bytes.starts(with: Self.magic) else {
      throw damaged("is no token file: it does not begin with SWTOKENS; make it with 'swiftlet data pack'")
    }
    func number(_ offset: Int) -> UInt64 { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
    let version = UInt32(truncatingIfNeeded: number(8)), width = Int(number(8) >> 32)
    guard version == Self.version else {
      throw damaged("has version \(version), expected \(Self.version); make it anew with 'swiftlet data pack'")
    }
    guard number(64) == Checksum64.of(UnsafeRawBufferPointer(rebasing: bytes[..<64])) else {
      throw damaged("the checksum of its header does not match: the file is damaged; make it anew")
    }
    guard width == 2 || width == 4 else { throw damaged("has \(width) bytes a token, expected 2 or 4") }
    let limit = UInt64(bytes.count), marks = number(48) == 1
    guard number(16) <= 1 << 31, number(32) <= limit, number(40) <= limit else {
      throw damaged("its counts are larger than the file")
    }
    let (tokens, documents) = (Int(number(32)), Int(number(40)))
    let expected = Self.headerBytes + 8 * documents + width * tokens + (marks ? (tokens + 7) / 8 : 0)
    guard bytes.count == expected else {
      throw damaged("has \(bytes.count) bytes, expected \(expected): it was cut or added to; make it anew")
    }
    self.file = file
    vocabulary = VocabularyIdentity(size: Int(number(16)), hash: number(24))
    (tokenCount, documentCount, marksTargets, bytesPerToken, checksum) = (tokens, documents, marks, width, number(56))
    var last = 0
    for document in 0..<documents {
      let end = documentEnd(document)
      guard end > last, end <= tokens else {
        throw damaged("document \(document) ends at token \(end) of \(tokens), behind one that ends at \(last)")
      }
      last = end
    }
    guard last == tokens else { throw damaged("its documents end at token \(last), expected \(tokens)") }
    if verifies { try verify() }
  }

  /// Compares the checksum of the whole file, and all tokens with the size of the vocabulary.
  public func verify() throws(DataError) {
    let bytes = UnsafeRawBufferPointer(start: file.storage.address, count: file.byteCount)
    guard Checksum64.of(UnsafeRawBufferPointer(rebasing: bytes[Self.headerBytes...])) == checksum else {
      throw DataError(.damaged, file: path, reason: "its checksum does not match: the file is damaged; make it anew")
    }
    var largest: UInt32 = 0
    for index in 0..<tokenCount { largest = max(largest, rawToken(index)) }
    guard tokenCount == 0 || Int(largest) < vocabulary.size else {
      throw DataError(.damaged, file: path, reason: "has the token \(largest), expected tokens below \(vocabulary.size)")
    }
    try check()
  }

  /// - Throws: `DataError` when the file changed since it was opened.
  public func check() throws(DataError) { try asDataError { () throws(CheckpointError) in try file.check() } }

  /// Where a document ends, in tokens. It begins where the one before it ends.
  public func documentEnd(_ index: Int) -> Int {
    precondition((0..<documentCount).contains(index))
    let value = file.storage.address.loadUnaligned(fromByteOffset: Self.headerBytes + 8 * index, as: UInt64.self)
    return Int(truncatingIfNeeded: UInt64(littleEndian: value))
  }

  /// The tokens of a document, as a range of the shard's tokens.
  public func document(_ index: Int) -> Range<Int> { (index == 0 ? 0 : documentEnd(index - 1))..<documentEnd(index) }

  /// The first document that ends behind a token.
  func documentIndex(of token: Int) -> Int {
    var (low, high) = (0, documentCount)
    while low < high {
      let middle = (low + high) / 2
      if documentEnd(middle) > token { high = middle } else { low = middle + 1 }
    }
    return low
  }

  public func token(_ index: Int) -> Int {
    precondition((0..<tokenCount).contains(index))
    return Int(rawToken(index))
  }

  @inline(__always)
  private func rawToken(_ index: Int) -> UInt32 {
    let base = UnsafeRawPointer(file.storage.address) + Self.headerBytes + 8 * documentCount
    return bytesPerToken == 2
      ? UInt32(UInt16(littleEndian: base.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)))
      : UInt32(littleEndian: base.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
  }

  /// Whether a model is trained to predict a token.
  public func isTarget(_ index: Int) -> Bool {
    precondition((0..<tokenCount).contains(index))
    guard marksTargets else { return true }
    let base = file.storage.address + Self.headerBytes + 8 * documentCount + bytesPerToken * tokenCount
    return base.load(fromByteOffset: index / 8, as: UInt8.self) >> UInt8(index % 8) & 1 == 1
  }
}
