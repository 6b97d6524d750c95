internal import Foundation

/// How much room the disk of a folder has, in bytes.
public struct DiskSpace: Sendable {
  public let total: Int
  public let free: Int

  /// What is free beside a margin that is left to others: a twentieth of the disk, at most 1 GiB. Below zero where that is used up.
  public var spare: Int { free - min(total / 20, 1 << 30) }

  /// - Returns: nil, with the reason in `errno`, when the system does not tell.
  public init?(_ folder: String) {
    var status = statvfs()
    guard statvfs(folder, &status) == 0 else { return nil }
    func bytes(_ blocks: UInt64) -> Int { Int(clamping: blocks.multipliedReportingOverflow(by: UInt64(status.f_frsize)).0) }
    total = bytes(UInt64(status.f_blocks))
    free = bytes(UInt64(status.f_bavail))
  }

  /// Refuses what will not fit before anything of it is written. What was left of it by a process that was killed is removed first.
  /// - Parameter path: of the file or folder that is to be made.
  /// - Throws: `CheckpointError` with both numbers, or when the folder it would be in is not there.
  public static func require(_ byteCount: Int, for path: String) throws(CheckpointError) {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    UnfinishedFiles.remove(meantFor: path)
    guard let space = DiskSpace(folder) else { throw FileWriter.failure(path, "its folder \(folder) cannot be used", errno) }
    guard byteCount <= space.free else {
      throw CheckpointError(
        file: path, field: "disk",
        reason:
          "it takes \(byteCount) bytes, but \(folder) has \(space.free) free; make room or choose another place")
    }
  }
}
