import Foundation
import SwiftletCheckpoints
import SwiftletJSON
import SwiftletTensors
import Testing

@Suite struct GGUFFileTests {
  /// Every element type, expanded by every variant of the kernels, against the reference package.
  @Test(arguments: ElementType.ggufTypes, Kernels.available.map(\.name)) func typesExpandBitForBit(
    _ type: ElementType, _ variant: String
  ) throws {
    let kernels = try #require(Kernels.available.first { $0.name == variant })
    let tensor = try #require(try GGUFFile(path: Fixtures.path("types.gguf")).tensor(named: type.name))
    let expected = try SafetensorsFile(path: Fixtures.path("types.expected.safetensors"))
    let values = try #require(expected.tensors.first { $0.name == type.name }?.tensor)
    #expect(tensor.type == type)
    #expect(tensor.shape == values.shape)
    #expect(sameValues(tensor.floatArray(kernels: kernels), values.floatArray(kernels: kernels)))
  }

  @Test(arguments: ["metadata", "version2"]) func metadataAndTensorsAreAsWritten(_ name: String) throws {
    let file = try GGUFFile(path: Fixtures.path(name + ".gguf"))
    let expected = try Fixtures.json(name + ".json")
    #expect(file.version == expected["version"]?.integer)
    let entries = try #require(expected["metadata"]?.elements)
    #expect(file.metadata.map(\.key) == entries.compactMap { $0["key"]?.string })
    for (entry, found) in zip(entries, file.metadata) {
      #expect(try found.value == value(entry), "\(found.key)")
      #expect(file[found.key] == found.value)
    }
    let tensors = try #require(expected["tensors"]?.elements)
    #expect(file.tensors.map(\.name) == tensors.compactMap { $0["name"]?.string })
    for (entry, found) in zip(tensors, file.tensors) {
      #expect(found.tensor.type == .float32)
      #expect(found.tensor.shape.array == entry["shape"]?.elements?.compactMap(\.integer))
      let values = (entry["values"]?.elements ?? []).compactMap { Fixtures.double($0).map { Float($0) } }
      #expect(sameValues(found.tensor.floatArray(), values), "\(found.name)")
    }
    #expect(file["missing"] == nil)
    #expect(file.tensor(named: "missing") == nil)
  }

  /// What the description of a fixture says a value is.
  private func value(_ entry: JSONValue) throws -> GGUFValue {
    let type = try #require(entry["type"]?.string), value = try #require(entry["value"])
    switch type {
    case "STRING": return .string(try #require(value.string))
    case "BOOL": return .bool(try #require(value.bool))
    case "FLOAT32", "FLOAT64": return .float(try #require(float(value, type)))
    case "ARRAY": return .array(try array(entry))
    default: return .integer(try #require(integer(value)))
    }
  }

  private func array(_ entry: JSONValue) throws -> GGUFArray {
    let type = try #require(entry["element"]?.string), values = try #require(entry["value"]?.elements)
    switch type {
    case "STRING": return .strings(try values.map { try #require($0.string) })
    case "BOOL": return .bools(try values.map { try #require($0.bool) })
    case "FLOAT32", "FLOAT64": return .floats(try values.map { try #require(float($0, type)) })
    case "ARRAY": return .arrays(try values.map { try array($0) })
    default: return .integers(try values.map { try #require(integer($0)) })
    }
  }

  private func integer(_ value: JSONValue) -> Int? { value.integer ?? value.string.flatMap { Int($0) } }

  private func float(_ value: JSONValue, _ type: String) -> Double? {
    Fixtures.double(value).map { type == "FLOAT32" ? Double(Float($0)) : $0 }
  }

  @Test func bigEndianFilesAreRefusedAsSuch() throws {
    let error = try #require(failure { _ = try GGUFFile(path: Fixtures.path("big-endian.gguf")) })
    #expect(error.field == "version")
    #expect(error.file.hasSuffix("big-endian.gguf"))
    #expect(error.reason.contains("big-endian"))
    #expect(error.reason.contains("expected 2 or 3"))
  }

  /// A type whose bytes do not swap to a version is no hint at a big-endian file.
  @Test func otherVersionsAreRefused() throws {
    let folder = try TemporaryFolder()
    for version in [0, 1, 4] as [UInt8] {
      var bytes = try Fixtures.bytes("version2.gguf")
      bytes[4] = version
      let path = try folder.write(bytes, as: "model.gguf")
      let error = try #require(failure { _ = try GGUFFile(path: path) })
      #expect(error.field == "version" && error.reason == "found \(version), expected 2 or 3")
    }
  }

  /// Files may carry tensors that no model asks for.
  @Test func typesThatAreNotReadAreKeptByName() throws {
    let file = try GGUFFile(path: Fixtures.path("other-type.gguf"))
    #expect(file.unreadTensors.map(\.name) == ["IQ2_XXS"])
    #expect(file.unreadTensor(named: "IQ2_XXS")?.type == "IQ2_XXS (16)")
    #expect(file.tensor(named: "IQ2_XXS") == nil && file.unreadTensor(named: "missing") == nil)
  }

  /// Keys that are the same text in other bytes are keys of their own, and each keeps its value.
  @Test func encodedMetadataHaveEveryKey() throws {
    let folder = try TemporaryFolder()
    var bytes = Array("GGUF".utf8) + [3, 0, 0, 0]
    func append(_ number: UInt64) { withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) } }
    append(0)
    append(2)
    for (key, value) in [("\u{E9}", 0), ("e\u{301}", 1)] as [(String, UInt8)] {
      append(UInt64(key.utf8.count))
      bytes += Array(key.utf8) + [7, 0, 0, 0, value]
    }
    let file = try GGUFFile(path: folder.write(bytes, as: "keys.gguf"))
    let values = try file.encodedMetadata.entries.map(\.value)
    #expect(values == [.encoded([7, 0, 0, 0, 0]), .encoded([7, 0, 0, 0, 1])])
  }

  /// A key that is there with another type must not count as missing.
  @Test func wrongTypesAreNotMissing() throws {
    let file = try GGUFFile(path: Fixtures.path("metadata.gguf"))
    #expect(try file.integer("missing") == nil && file.strings("missing") == nil)
    let alignment = "general.alignment"
    #expect(try file.integer(alignment) == 64 && file.double(alignment) == 64)
    for read in [
      { _ = try file.string($0) }, { _ = try file.bool($0) }, { _ = try file.strings($0) }, { _ = try file.integers($0) },
    ]
      as [(String) throws -> Void]
    {
      let error = try #require(failure { try read(alignment) })
      #expect(error.field == alignment && error.reason.hasPrefix("found 64, expected a"))
    }
  }

  /// Cut anywhere, a file is refused with an error that names the place, never read past its end.
  @Test(arguments: ["metadata.gguf", "version2.gguf", "types.gguf"]) func everyTruncationIsRefused(_ name: String) throws {
    let folder = try TemporaryFolder()
    let bytes = try Fixtures.bytes(name)
    // The last tensor may be followed by nothing but padding.
    let lengths = Array(1..<400) + stride(from: 400, to: bytes.count - 64, by: 97)
    for length in lengths where length < bytes.count - 64 {
      let path = try folder.write(bytes.prefix(length), as: "cut.gguf")
      let error = failure { _ = try GGUFFile(path: path) }
      #expect(error.map { !$0.field.isEmpty && $0.file == path } ?? false, "\(length) of \(bytes.count) bytes")
    }
  }

  /// Replaces the first occurrence of some bytes in version2.gguf, and tells what reading it throws.
  private func error(replacing old: [UInt8], with new: [UInt8], in name: String = "version2.gguf") throws -> CheckpointError {
    let folder = try TemporaryFolder()
    var bytes = try Fixtures.bytes(name)
    let place = try #require(bytes.indices.first { bytes[$0...].starts(with: old) })
    bytes.replaceSubrange(place..<place + old.count, with: new)
    let path = try folder.write(bytes, as: "broken.gguf")
    return try #require(failure { _ = try GGUFFile(path: path) })
  }

  @Test func wrongFieldsAreNamed() throws {
    let magic = try error(replacing: Array("GGUF".utf8), with: Array("GGML".utf8))
    #expect(magic.field == "magic" && magic.reason.contains("no GGUF file"))

    let twice = try error(replacing: Array("matrix".utf8) + [2], with: Array("vector".utf8) + [2])
    #expect(twice.field != "magic" && !twice.reason.isEmpty)

    // An unsigned value above what `Int` holds.
    let large = try error(
      replacing: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], with: [UInt8](repeating: 0xff, count: 8), in: "metadata.gguf")
    #expect(large.field == "value.uint64.2")
    #expect(large.reason.contains("18446744073709551615") && large.reason.contains("9223372036854775807"))

    // general.alignment, a UINT32 of 64.
    let alignment = try error(
      replacing: Array("general.alignment".utf8) + [4, 0, 0, 0, 64], with: Array("general.alignment".utf8) + [4, 0, 0, 0, 48],
      in: "metadata.gguf")
    #expect(alignment.field == "general.alignment")
    #expect(alignment.reason.contains("48") && alignment.reason.contains("power of two"))
  }
}
