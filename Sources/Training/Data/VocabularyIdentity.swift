internal import SwiftletCheckpoints
public import SwiftletTokenization

/// A checksum of a vocabulary's tokens and ids: token files name the vocabulary that they were made with.
public struct VocabularyIdentity: Sendable, Equatable {
  public let size: Int
  public let hash: UInt64

  public init(size: Int, hash: UInt64) {
    self.size = size
    self.hash = hash
  }

  public init(_ tokenizer: Tokenizer) {
    var bytes: [UInt8] = []
    for id in 0..<Int32(clamping: tokenizer.vocabularySize) {
      let token = tokenizer.bytes(of: id)
      let header = UInt64(token.count) << 1 | (tokenizer.isSpecial(id) ? 1 : 0)
      withUnsafeBytes(of: header.littleEndian) { bytes.append(contentsOf: $0) }
      bytes.append(contentsOf: token)
    }
    self.init(size: tokenizer.vocabularySize, hash: Checksum64.of(bytes))
  }
}
