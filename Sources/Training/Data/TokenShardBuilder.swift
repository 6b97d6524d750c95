internal import SwiftletCheckpoints

/// Collects documents and writes them as one file of tokens.
struct TokenShardBuilder {
  private let vocabulary: VocabularyIdentity
  private var tokens: [Int32] = []
  private var ends: [Int] = []
  /// Empty as long as all tokens are targets.
  private var isTarget: [Bool] = []

  init(_ vocabulary: VocabularyIdentity) { self.vocabulary = vocabulary }

  var tokenCount: Int { tokens.count }
  var documentCount: Int { ends.count }

  mutating func append(_ document: EncodedDocument) {
    if !document.isTarget.isEmpty || !isTarget.isEmpty {
      isTarget += repeatElement(true, count: tokens.count - isTarget.count)
      isTarget += document.isTarget.isEmpty ? Array(repeating: true, count: document.tokens.count) : document.isTarget
    }
    tokens += document.tokens
    ends.append(tokens.count)
  }

  /// Writes the file, which appears when it is whole.
  func write(to path: String) throws(CheckpointError) {
    let isNarrow = vocabulary.size <= 1 << 16
    var body: [UInt8] = []
    body.reserveCapacity(8 * ends.count + (isNarrow ? 2 : 4) * tokens.count + isTarget.count / 8 + 1)
    func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
      withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
    for end in ends { append(UInt64(end), to: &body) }
    if isNarrow {
      for token in tokens { append(UInt16(truncatingIfNeeded: token), to: &body) }
    } else {
      for token in tokens { append(UInt32(bitPattern: token), to: &body) }
    }
    for start in stride(from: 0, to: isTarget.count, by: 8) {
      var byte: UInt8 = 0
      for bit in 0..<min(8, isTarget.count - start) where isTarget[start + bit] { byte |= 1 << UInt8(bit) }
      body.append(byte)
    }
    var header = TokenShard.magic
    append(TokenShard.version, to: &header)
    append(UInt32(isNarrow ? 2 : 4), to: &header)
    let marks = isTarget.isEmpty ? 0 : 1
    for value in [
      UInt64(vocabulary.size), vocabulary.hash, UInt64(tokens.count), UInt64(ends.count), UInt64(marks), Checksum64.of(body),
    ] {
      append(value, to: &header)
    }
    append(Checksum64.of(header), to: &header)
    let writer = try FileWriter(path: path)
    try writer.write(header)
    try writer.write(body)
    try writer.commit()
  }
}
