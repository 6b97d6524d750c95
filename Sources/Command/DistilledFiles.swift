import Crypto
import Foundation
import SwiftletCheckpoints
import SwiftletConversion

/// What a data card says of files.
enum DistilledFiles {
  /// What tells a model from others; nothing where its files cannot be read as a whole.
  static func facts(_ path: String) -> [(name: String, value: String)] {
    guard let model = try? HubModel(path: path) else { return [] }
    return [("architecture", model.configuration.architecture.rawValue), ("weights", "bytes and checksum: " + model.fingerprint)]
  }

  static func sha256(_ path: String) throws -> String {
    SHA256.hash(data: try InputFile.bytes(path)).map { String(format: "%02x", $0) }.joined()
  }
}
