internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletJSON

/// The small files beside the weights of a folder.
struct FolderFiles {
  let folder: String
  /// Files are read as a whole; the largest tokenizer.json known has 35 MB.
  private static let maximumBytes = 256 << 20

  func path(_ name: String) -> String { folder + "/" + name }

  func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

  /// nil when there is no such file.
  func bytes(_ name: String) throws(CheckpointError) -> [UInt8]? {
    guard exists(name) else { return nil }
    return try MappedFile(path: path(name), maximumBytes: Self.maximumBytes).withBytes { bytes in
      bytes.withUnsafeBytes { Array($0) }
    }
  }

  func text(_ name: String) throws(CheckpointError) -> String? { try bytes(name).map { String(decoding: $0, as: UTF8.self) } }

  func json(_ name: String) throws(CheckpointError) -> JSONValue? {
    guard exists(name) else { return nil }
    return try MappedFile(path: path(name), maximumBytes: Self.maximumBytes).json()
  }
}
