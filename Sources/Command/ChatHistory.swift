import Foundation
import SwiftletCheckpoints
import SwiftletHub
import SwiftletJSON

/// What was typed in earlier chats: a file that only its owner may read, a JSON string a line.
struct ChatHistory {
  private static let limit = 1000
  /// A longer message is not kept.
  private static let longestEntry = 1 << 16
  private let path: String
  /// The oldest first.
  let entries: [String]

  /// Reads `history` in a folder; a file that cannot be read counts as empty.
  init(folder: String = ModelHub().configuration.ownFolder) {
    path = folder + "/history"
    let lines = ((try? RegularFile(path: path).bytes()) ?? []).split(separator: 0x0A)
    entries = lines.suffix(Self.limit).compactMap { try? JSONValue(parsing: Array($0)).string }
    // Rewritten now and then, not at every message.
    if lines.count > 2 * Self.limit {
      let text = entries.map { JSONValue.string($0).serialized() + "\n" }.joined()
      let new = "\(path).\(UUID().uuidString)"
      if Self.append(Array(text.utf8), to: new) { rename(new, path) } else { unlink(new) }
    }
  }

  /// Adds a message at the end. A chat goes on when that is not possible.
  func append(_ entry: String) {
    guard entry.utf8.count <= Self.longestEntry else { return }
    _ = Self.append(Array((JSONValue.string(entry).serialized() + "\n").utf8), to: path)
  }

  /// Whether all of it could be written.
  private static func append(_ bytes: [UInt8], to path: String) -> Bool {
    let folder = (path as NSString).deletingLastPathComponent
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0o600)
    guard file >= 0 else { return false }
    defer { close(file) }
    return bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) } == bytes.count
  }
}
