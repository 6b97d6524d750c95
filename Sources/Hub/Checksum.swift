import Crypto

/// What a file's content is checked against, which is also its name among the cache's blobs.
enum Checksum: Sendable, Equatable {
  /// Of a file in large file storage: SHA-256 of the content, 64 hexadecimal digits.
  case sha256(String)
  /// Of a small file: git's object name, SHA-1 of `blob SIZE\0` and the content, 40 hexadecimal digits.
  case gitBlob(String)

  var hexadecimal: String {
    switch self {
    case .sha256(let digits), .gitBlob(let digits): digits
    }
  }

  /// Tells the kind from the number of digits; nil for anything but lower-case hexadecimal digits, since it becomes a file name.
  init?(_ digits: some StringProtocol) {
    guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else { return nil }
    switch digits.utf8.count {
    case 64: self = .sha256(String(digits))
    case 40: self = .gitBlob(String(digits))
    default: return nil
    }
  }
}

/// A checksum in the making, fed in pieces.
struct ChecksumDigest {
  private enum Function {
    case sha256(SHA256)
    case sha1(Insecure.SHA1)
  }
  private var function: Function

  /// - Parameter byteCount: the size of the whole content, which git's object name includes.
  init(of checksum: Checksum, byteCount: Int) {
    switch checksum {
    case .sha256: function = .sha256(SHA256())
    case .gitBlob:
      var sha1 = Insecure.SHA1()
      sha1.update(data: Array("blob \(byteCount)\0".utf8))
      function = .sha1(sha1)
    }
  }

  mutating func update(_ bytes: UnsafeRawBufferPointer) {
    switch function {
    case .sha256(var sha256):
      sha256.update(bufferPointer: bytes)
      function = .sha256(sha256)
    case .sha1(var sha1):
      sha1.update(bufferPointer: bytes)
      function = .sha1(sha1)
    }
  }

  /// Lower-case hexadecimal digits.
  func finalize() -> String {
    switch function {
    case .sha256(let sha256): Self.hexadecimal(sha256.finalize())
    case .sha1(let sha1): Self.hexadecimal(sha1.finalize())
    }
  }

  static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.reduce(into: "") { $0 += ($1 < 16 ? "0" : "") + String($1, radix: 16) }
  }
}
