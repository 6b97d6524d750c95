import Foundation
import SwiftletJSON
import SwiftletTensors

@testable import SwiftletCheckpoints

/// The files beside `make_fixtures.py`.
enum Fixtures {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")

  static func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  static func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: folder.appendingPathComponent(name))) }

  static func json(_ name: String) throws -> JSONValue { try JSONValue(parsing: bytes(name)) }

  /// A number of a description: 64-bit integers, infinities and NaN are strings there.
  static func double(_ value: JSONValue) -> Double? { value.double ?? value.string.flatMap(Double.init) }
}

/// A folder that is removed with everything in it.
final class TemporaryFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("swiftlet-checkpoints-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appendingPathComponent(name).path }

  @discardableResult func write(_ bytes: some Sequence<UInt8>, as name: String) throws -> String {
    try Data(bytes).write(to: url.appendingPathComponent(name))
    return path(name)
  }

  @discardableResult func write(_ json: JSONValue, as name: String) throws -> String {
    try write(json.serialized().utf8, as: name)
  }
}

/// A safetensors file of this header and as many zero bytes of data.
func safetensors(header: String, dataBytes: Int) -> [UInt8] {
  withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8)
    + [UInt8](repeating: 0, count: dataBytes)
}

/// The error that reading throws; nil when it throws none or one of another type.
func failure(_ body: () throws -> Void) -> CheckpointError? {
  do {
    try body()
    return nil
  } catch {
    return error as? CheckpointError
  }
}

/// Equal bits, where -0 counts as 0 and any NaN as any other.
func sameValues(_ left: [Float], _ right: [Float]) -> Bool {
  left.count == right.count
    && zip(left, right).allSatisfy { $0.bitPattern == $1.bitPattern || $0 == $1 || ($0.isNaN && $1.isNaN) }
}
