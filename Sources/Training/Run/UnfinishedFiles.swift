internal import Foundation

/// What `FileWriter` and `FolderWriter` leave behind of a process that was killed: `.NAME.NUMBER.partial`, beside the place that it
/// was meant for.
enum UnfinishedFiles {
  /// Removes those of a folder that nobody else may be writing.
  /// - Parameter isMeant: whether a file or folder of this name is made there.
  static func remove(in folder: String, where isMeant: (_ name: String) -> Bool) {
    for file in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
      let parts = file.split(separator: ".", omittingEmptySubsequences: false)
      guard parts.count > 3, parts[0].isEmpty, parts[parts.count - 1] == "partial" else { continue }
      guard isMeant(parts[1..<parts.count - 2].joined(separator: ".")) else { continue }
      try? FileManager.default.removeItem(atPath: folder + "/" + file)
    }
  }
}
