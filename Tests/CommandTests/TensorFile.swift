import Foundation
import SwiftletJSON
import Testing

/// A safetensors file, read here without the code under test.
struct TensorFile {
  let header: JSONValue
  private let data: [UInt8]

  init(path: String) throws {
    let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
    let length = bytes[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    header = try JSONValue(parsing: Array(bytes[8..<8 + length]))
    data = Array(bytes[(8 + length)...])
  }

  var names: [String] { (header.members ?? []).map(\.key).filter { $0 != "__metadata__" } }

  func shape(_ name: String) -> [Int] { (header[name]?["shape"]?.elements ?? []).compactMap(\.integer) }

  func floats(_ name: String) throws -> [Float] {
    #expect(header[name]?["dtype"]?.string == "F32")
    return try words(name).map { Float(bitPattern: $0) }
  }

  func integers(_ name: String) throws -> [Int] {
    #expect(header[name]?["dtype"]?.string == "I32")
    return try words(name).map { Int(Int32(bitPattern: $0)) }
  }

  private func words(_ name: String) throws -> [UInt32] {
    let offsets = try #require(header[name]?["data_offsets"]?.elements).compactMap(\.integer)
    return stride(from: offsets[0], to: offsets[1], by: 4).map { start in
      data[start..<start + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
  }
}
