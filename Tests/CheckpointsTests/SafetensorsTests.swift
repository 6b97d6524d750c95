import Foundation
import SwiftletCheckpoints
import SwiftletJSON
import SwiftletTensors
import Testing

@Suite struct SafetensorsTests {
  static let computed = ["F32": ElementType.float32, "F16": .float16, "BF16": .bfloat16, "F8_E4M3": .float8E4M3]

  /// Types, shapes and values against the reference package; the data begins at an odd offset.
  @Test func tensorsAreAsWritten() throws {
    let file = try SafetensorsFile(path: Fixtures.path("tensors.safetensors"))
    #expect(file.metadata.map(\.key) == ["format", "note"])
    #expect(file.metadata.map(\.value) == ["pt", "Grüße"])
    let expected = try #require(try Fixtures.json("tensors.json").members)
    var computed: [String] = [], others: [String] = []
    for member in expected {
      let dtype = try #require(member.value["dtype"]?.string)
      let shape = member.value["shape"]?.elements?.compactMap(\.integer)
      if let type = Self.computed[dtype] {
        computed.append(member.key)
        let tensor = try #require(file.tensors.first { $0.name == member.key }?.tensor)
        #expect(tensor.type == type)
        #expect(tensor.shape.array == shape)
        let values = (member.value["values"]?.elements ?? []).compactMap { Fixtures.double($0).map { Float($0) } }
        for kernels in Kernels.available {
          #expect(sameValues(tensor.floatArray(kernels: kernels), values), "\(member.key), \(kernels.name)")
        }
      } else {
        others.append(member.key)
        let other = try #require(file.unreadTensors.first { $0.name == member.key })
        #expect(other.type == dtype)
        #expect(other.shape == shape)
      }
    }
    #expect(file.tensors.map(\.name) == computed)
    #expect(file.unreadTensors.map(\.name) == others)
    #expect(computed.contains("float8"))
    #expect(try file.integers(named: "int64") == [Int.min, Int.max])
    #expect(try file.integers(named: "bool") == nil)
    #expect(try file.integers(named: "missing") == nil)
  }

  @Test func whatIsWrittenIsReadBack() throws {
    let folder = try TemporaryFolder()
    let source = try SafetensorsFile(path: Fixtures.path("tensors.safetensors"))
    let path = folder.path("copy.safetensors")
    // FP8 is read, not written: its scales would be lost.
    let tensors = source.tensors.filter { $0.tensor.type != .float8E4M3 }
    try SafetensorsWriter.write(tensors, to: path)
    let copy = try SafetensorsFile(path: path)
    #expect(copy.tensors.map(\.name) == tensors.map(\.name))
    for (old, new) in zip(tensors, copy.tensors) {
      #expect(old.tensor.type == new.tensor.type)
      #expect(old.tensor.shape == new.tensor.shape)
      #expect(sameValues(old.tensor.floatArray(), new.tensor.floatArray()))
    }
  }

  @Test func whatTheFormatLacksIsNotWritten() throws {
    let folder = try TemporaryFolder()
    let quantized = try #require(try GGUFFile(path: Fixtures.path("types.gguf")).tensor(named: "Q4_K"))
    let error = try #require(
      failure { try SafetensorsWriter.write([("weight", quantized)], to: folder.path("quantized.safetensors")) })
    #expect(error.field == "weight" && error.reason.contains("Q4_K"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("quantized.safetensors")))

    let nowhere = try #require(failure { try SafetensorsWriter.write([], to: folder.path("missing/file.safetensors")) })
    #expect(nowhere.field == "file" && nowhere.reason.contains("cannot be written"))
  }

  static let malformed: [(header: String, dataBytes: Int, field: String, reason: String)] = [
    ("[]", 0, "header", "found a JSON array, expected an object"),
    ("{", 0, "header", "is no JSON"),
    (#"{"w":{"shape":[1],"data_offsets":[0,4]}}"#, 4, "w", "dtype: is missing"),
    (#"{"w":{"dtype":7,"shape":[1],"data_offsets":[0,4]}}"#, 4, "w", "dtype: found 7"),
    (#"{"w":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}"#, 8, "file", "has "),
    (#"{"w":{"dtype":"F32","data_offsets":[0,4]}}"#, 4, "w", "shape: is missing"),
    ("{}", 1, "file", "expected 10, where the last tensor ends"),
    (#"{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "w", "shape: found [-1], expected integers from 0"),
    (#"{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#, 4, "w", "fits 63 bits"),
    // Nothing of it is there, but the size of one of its rows, or the number of its matrices' rows, would overflow.
    (#"{"w":{"dtype":"F32","shape":[0,9223372036854775807],"data_offsets":[0,0]}}"#, 0, "w", "fits 63 bits"),
    (#"{"w":{"dtype":"BF16","shape":[0,9223372036854775807,16],"data_offsets":[0,0]}}"#, 0, "w", "fits 63 bits"),
    (#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 4, "w", "pass the end of the file"),
    (#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "w", "data_offsets: found [4,0]"),
    (#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, 4, "w", "data_offsets: found [-4,0]"),
    (#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "w", "found 4 bytes, expected 8 for [2] of F32"),
    (
      #"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "w",
      "stands twice"
    ),
  ]

  @Test(arguments: malformed) func wrongEntriesAreNamed(
    _ broken: (header: String, dataBytes: Int, field: String, reason: String)
  ) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(safetensors(header: broken.header, dataBytes: broken.dataBytes), as: "broken.safetensors")
    let error = try #require(failure { _ = try SafetensorsFile(path: path) })
    #expect(error.file == path)
    #expect(error.field == broken.field)
    #expect(error.reason.contains(broken.reason), "\(error)")
  }

  /// Types of later versions and tensors of more dimensions than are computed with, beside a weight.
  @Test func whatNoModelAsksForIsKept() throws {
    let folder = try TemporaryFolder()
    let header =
      #"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F4","shape":[8],"data_offsets":[4,8]},"#
      + #""b":{"dtype":"F32","shape":[1,1,1,1,1],"data_offsets":[8,12]}}"#
    let file = try SafetensorsFile(path: folder.write(safetensors(header: header, dataBytes: 12), as: "model.safetensors"))
    #expect(file.tensors.map(\.name) == ["w"])
    #expect(file.unreadTensors.map(\.type) == ["F4", "F32"])
  }

  @Test func everyTruncationIsRefused() throws {
    let folder = try TemporaryFolder()
    let bytes = try Fixtures.bytes("tensors.safetensors")
    for length in 1..<bytes.count {
      let path = try folder.write(bytes.prefix(length), as: "cut.safetensors")
      #expect(failure { _ = try SafetensorsFile(path: path) } != nil, "\(length) of \(bytes.count) bytes")
    }
  }
}
