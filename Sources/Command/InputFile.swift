import Foundation
import SwiftletCheckpoints

/// A file that a person named.
enum InputFile {
  /// Where a path leads, as it is written and with links followed: those of a folder may lead out of it, as in the hub's cache.
  static func places(_ path: String) -> [String] {
    let url = URL(fileURLWithPath: path)
    return [url.standardizedFileURL.path, url.resolvingSymlinksInPath().path]
  }

  /// Its bytes. Pipes and devices are refused, since reading them may never end.
  static func bytes(_ path: String) throws(CommandError) -> [UInt8] {
    do throws(CheckpointError) {
      return try RegularFile(path: path).bytes()
    } catch {
      throw CommandError("\(CheckpointError.excerpt(path, 4096)): \(error.reason)")
    }
  }
}
