import SwiftletCheckpoints

/// A file that a person wants.
enum OutputFile {
  /// Writes a file that appears when it is whole. Where a link stands, what it leads to is written; pipes and devices are refused,
  /// since a file would take their place.
  static func write(_ text: String, to path: String) throws(CommandError) {
    do throws(CheckpointError) {
      let writer = try FileWriter(path: path)
      try writer.write(Array(text.utf8))
      try writer.commit()
    } catch {
      throw CommandError("\(CheckpointError.excerpt(path, 4096)): \(error.reason)")
    }
  }
}
