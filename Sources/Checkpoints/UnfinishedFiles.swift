internal import Foundation

/// Files and folders that do not have their names yet: `.NAME.NUMBER.partial`, beside the place that they are meant for.
///
/// Whoever writes one holds it by a lock (flock), which ends with its process: what nobody holds was left by one that was killed.
/// Where a file system has no locks, nothing is taken for that.
public enum UnfinishedFiles {
  private static let suffix = ".partial"

  /// Makes a file or folder and holds it, and removes what earlier writers of the same one have left.
  /// - Parameters:
  ///   - place: where it is meant for.
  ///   - open: makes it and opens it; below 0 when it is gone again.
  static func make(
    for place: String, _ open: (_ path: String) throws(CheckpointError) -> Int32
  ) throws(CheckpointError) -> (path: String, descriptor: Int32) {
    remove(meantFor: place)
    let url = URL(fileURLWithPath: place)
    while true {
      let number = String(UInt64.random(in: 0...UInt64.max), radix: 36)
      let path = url.deletingLastPathComponent().appendingPathComponent(".\(url.lastPathComponent).\(number)\(suffix)").path
      let descriptor = try open(path)
      guard descriptor >= 0 else { continue }
      // Until it is held, somebody may take it for left.
      let isTaken = flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
      if !isTaken, access(path, F_OK) == 0 { return (path, descriptor) }
      close(descriptor)
    }
  }

  /// Removes what was left in a folder.
  /// - Parameter isMeant: whether a file or folder of this name is made there.
  public static func remove(in folder: String, where isMeant: (_ name: String) -> Bool) {
    for file in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where file.hasSuffix(suffix) {
      let parts = file.split(separator: ".", omittingEmptySubsequences: false)
      guard parts.count > 3, parts[0].isEmpty, UInt64(parts[parts.count - 2], radix: 36) != nil else { continue }
      guard isMeant(parts[1..<parts.count - 2].joined(separator: ".")) else { continue }
      removeUnheld(folder + "/" + file)
    }
  }

  /// Removes what writers of a file or folder have left.
  static func remove(meantFor place: String) {
    let url = URL(fileURLWithPath: place)
    remove(in: url.deletingLastPathComponent().path) { $0 == url.lastPathComponent }
  }

  /// Removes a file or folder unless somebody holds it.
  static func removeUnheld(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    let isFolder = status.st_mode & S_IFMT == S_IFDIR
    guard isFolder || status.st_mode & S_IFMT == S_IFREG else { return }
    // Folders cannot be opened for writing; some file systems lock files only for those who have them open for that.
    let descriptor = open(path, (isFolder ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0, leads(path, to: descriptor) else { return }
    try? FileManager.default.removeItem(atPath: path)
  }

  /// Whether a path still leads to what was opened there: whoever held it before may have given it its name or removed it.
  static func leads(_ path: String, to descriptor: Int32) -> Bool {
    var here = stat(), there = stat()
    return fstat(descriptor, &here) == 0 && lstat(path, &there) == 0 && here.st_ino == there.st_ino && here.st_dev == there.st_dev
  }
}
