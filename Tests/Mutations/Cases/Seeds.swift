package import Foundation

/// The files of the other tests, which are broken here.
package enum Seeds {
  private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  package static func bytes(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: tests.appendingPathComponent(path)))
  }

  /// The files of a folder whose names end in `suffix`, by name.
  package static func paths(_ folder: String, suffix: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: tests.appendingPathComponent(folder).path)
      .filter { $0.hasSuffix(suffix) }.sorted().map { folder + "/" + $0 }
  }

  package static func all(_ folder: String, suffix: String) throws -> [[UInt8]] {
    try paths(folder, suffix: suffix).map { try bytes($0) }
  }

  package static let checkpoints = "ModelsTests/Fixtures/checkpoints"

  package static func ggufs() throws -> [[UInt8]] { try all("ModelsTests/Fixtures/gguf", suffix: ".gguf") }
}

/// A folder for the files under test. After a crash the last one written is still there.
package final class TemporaryFolder {
  package let url: URL

  package init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("swiftlet-robustness-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  package func path(_ name: String) -> String { url.appendingPathComponent(name).path }

  /// Replaces a file by a new one: an earlier one of the name may still be mapped.
  @discardableResult package func write(_ bytes: [UInt8], as name: String) throws -> String {
    let target = url.appendingPathComponent(name)
    try? FileManager.default.removeItem(at: target)
    try Data(bytes).write(to: target)
    return target.path
  }

  package func remove(_ name: String) throws { try FileManager.default.removeItem(at: url.appendingPathComponent(name)) }
}
