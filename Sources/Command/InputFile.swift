import SwiftletCheckpoints

/// A file that a person named.
enum InputFile {
  /// Its bytes. Pipes and devices are refused, since reading them may never end.
  static func bytes(_ path: String) throws(CommandError) -> [UInt8] {
    do throws(CheckpointError) {
      return try RegularFile(path: path).bytes()
    } catch {
      throw CommandError("\(CheckpointError.excerpt(path, 4096)): \(error.reason)")
    }
  }
}
