import Foundation
import SwiftletTensors
import Testing

@testable import SwiftletCheckpoints

/// Models in several GGUF files, as the reference package's writer makes them.
@Suite struct GGUFPartTests {
  private static func name(_ number: Int) -> String { "split-0000\(number)-of-00003.gguf" }

  /// A folder with the parts, some of them changed or left out.
  private func folder(_ change: (Int, [UInt8]) -> [UInt8]? = { $1 }) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for number in 1...3 {
      if let bytes = change(number, Array(try Fixtures.bytes(Self.name(number)))) {
        try folder.write(bytes, as: Self.name(number))
      }
    }
    return folder
  }

  @Test func partsAreOneFile() throws {
    let file = try GGUFFile(path: Fixtures.path(Self.name(1)))
    #expect(file.tensors.map(\.name) == (0..<7).map { "tensor.\($0)" })
    #expect(file.tensors.map { $0.tensor.shape } == (0..<7).map { Shape(2, 4 + $0) })
    #expect(try file.string("test.note") == "in the first part")
    // The parts' own bytes: normal numbers, none of them zero.
    for (name, tensor) in file.tensors {
      let values = tensor.floatArray()
      #expect(values.allSatisfy { $0 != 0 && abs($0) < 6 } && file.tensor(named: name)?.shape == tensor.shape)
    }
  }

  @Test func missingPartsAreNamed() throws {
    let folder = try folder { number, bytes in number == 2 ? nil : bytes }
    let error = try #require(failure { _ = try GGUFFile(path: folder.path(Self.name(1))) })
    #expect(error.file == folder.path(Self.name(2)) && error.reason.contains("No such file"))
  }

  @Test func otherPartsAreRefused() throws {
    let last = try failure { _ = try GGUFFile(path: Fixtures.path(Self.name(2))) }
    #expect(last?.field == "split.no" && last?.reason.contains("open the first") == true)
    // The third part in the place of the second.
    let third = Array(try Fixtures.bytes(Self.name(3)))
    let folder = try folder { number, bytes in number == 2 ? third : bytes }
    let error = try #require(failure { _ = try GGUFFile(path: folder.path(Self.name(1))) })
    #expect(error.file == folder.path(Self.name(2)) && error.field == "split.no" && error.reason.contains("another model"))
    // A name that does not say where the others are.
    let first = try folder.write(try Fixtures.bytes(Self.name(1)), as: "model.gguf")
    let renamed = try #require(failure { _ = try GGUFFile(path: first) })
    #expect(renamed.field == "split.count" && renamed.reason.contains("-00001-of-00003.gguf"))
  }
}
