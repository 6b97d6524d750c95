import Foundation
import SwiftletJSON

enum Fixture {
  static func json(_ name: String) throws -> JSONValue {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    let data = try Data(contentsOf: folder.appendingPathComponent("Fixtures/\(name)"))
    return try JSONValue(parsing: Array(data))
  }
}
