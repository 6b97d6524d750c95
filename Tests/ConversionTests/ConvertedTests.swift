import Foundation
import SwiftletCheckpoints
import SwiftletConversion
import SwiftletJSON
import SwiftletTensors
import SwiftletTestSupport
import Testing

/// GGUF files from folders, against those of llama.cpp's convert_hf_to_gguf.py (make_fixtures.py).
@Suite struct ConvertedTests {
  /// What a GGUF file of these architectures cannot say, by the field that is named.
  static let refused = [
    "deepseek-v2-mscale": "rope_scaling", "deepseek-v3-biases-halves": "rope_interleave",
    "deepseek-v3-unnormalised": "rope_scaling", "qwen2-yarn-untruncated": "rope_scaling",
  ]
  static let names = (Fixtures.converted.members ?? []).map(\.key)
  static let kept = names.filter { refused[$0] == nil }
  /// Written although the converter leaves them out: a reader would take softmax for the first, and llama.cpp asks for the second.
  private static let added = ["deepseek2.expert_gating_func", "deepseek2.attention.q_lora_rank"]

  @Test func thereAreFixtures() { #expect(Self.names.count > 20) }

  @Test(arguments: kept) func equalsTheConverter(_ name: String) throws {
    let folder = try TemporaryFolder()
    let source = try Fixtures.model(name, in: folder.path)
    let kinds = try #require(Fixtures.converted[name]?.members)
    let common = kinds[0].value["metadata"]?.members ?? []
    for kind in kinds {
      let path = folder.path + "/\(kind.key).gguf"
      let type = try #require(GGUFType(rawValue: kind.key.lowercased()))
      _ = try Fixtures.convert(source, .gguf(type), to: path)
      let file = try GGUFFile(path: path)
      let own = kind.value["metadata"]?.members ?? []
      let expected = common.map { member in own.first { $0.key == member.key } ?? member }
      func comparable(_ keys: [String]) -> [String] { keys.filter { !Self.added.contains($0) } }
      #expect(comparable(file.metadata.map(\.key)) == comparable(expected.map(\.key)), "\(name)")
      for member in expected { try compare(member, file, name) }
      let tensors = try #require(kind.value["tensors"]?.elements)
      let rows = Dictionary(uniqueKeysWithValues: tensors.map { ($0.elements?[0].string ?? "", $0.elements ?? []) })
      // Of files with several types the converter has another order.
      let names = file.tensors.map(\.name)
      #expect(
        name.contains("fp8") || name.contains("bf16")
          ? Set(names) == Set(rows.keys) : names == tensors.map { $0.elements?[0].string }, "\(name)")
      for (tensor, values) in file.tensors {
        let row = try #require(rows[tensor])
        #expect(values.type.name == row[1].string, "\(name) \(tensor)")
        #expect(values.shape.array == row[2].elements?.compactMap(\.integer), "\(name) \(tensor)")
        // The converter's powers round otherwise.
        if tensor != "rope_freqs.weight" { #expect(values.crc32 == row[3].integer, "\(name) \(tensor)") }
      }
    }
  }

  /// One metadata value and its type against `[type, value]`.
  private func compare(_ member: JSONMember, _ file: GGUFFile, _ name: String) throws {
    let expected = try #require(member.value.elements)
    let found = try #require(file[member.key], "\(name) \(member.key)")
    let text: Comment = "\(name) \(member.key): \(found.summary)"
    guard case .encoded(let bytes) = try file.encodedMetadata[member.key] else {
      Issue.record(text)
      return
    }
    let types = ["UINT32": 4, "INT32": 5, "FLOAT32": 6, "BOOL": 7, "STRING": 8, "ARRAY INT32": 9, "ARRAY STRING": 9]
    #expect(types[expected[0].string ?? ""] == Int(bytes[0]), text)
    switch found {
    case .integer(let value): #expect(value == expected[1].integer, text)
    case .float(let value): #expect(Float(value) == expected[1].double.map { Float($0) }, text)
    case .bool(let value): #expect(value == expected[1].bool, text)
    case .string(let value): #expect(value == expected[1].string, text)
    case .array(.integers(let values)):
      let isSame = values == expected[1].elements?.compactMap(\.integer)
      #expect(isSame, text)
    case .array(.strings(let values)):
      let isSame = values == expected[1].elements?.compactMap(\.string)
      #expect(isSame, text)
    case .array: Issue.record(text)
    }
  }

  @Test func keepsTheLicenceOfTheCard() throws {
    let folder = try TemporaryFolder()
    let source = try Fixtures.model(try #require(Self.kept.first), in: folder.path)
    let head = ["language: en", "license: other # not free", "license_name: 'our \"own\" # 1'", "license_link: https://x.org/L"]
    let card = "---\n" + head.joined(separator: "\n") + "\n---\n# A model\n"
    try Data(card.utf8).write(to: URL(fileURLWithPath: source + "/README.md"))
    _ = try Fixtures.convert(source, .gguf(.f32), to: folder.path + "/out.gguf")
    _ = try Fixtures.convert(folder.path + "/out.gguf", .safetensors(nil), to: folder.path + "/again")
    _ = try Fixtures.convert(folder.path + "/again", .gguf(.f32), to: folder.path + "/back.gguf")
    for name in ["out", "back"] {
      let file = try GGUFFile(path: folder.path + "/\(name).gguf")
      let found = ["", ".name", ".link"].map { file["general.license" + $0]?.string }
      #expect(found == ["other", "our \"own\" # 1", "https://x.org/L"], "\(name)")
    }
  }

  /// What would be lost in silence is refused, and nothing is left.
  @Test(arguments: refused.keys.sorted()) func refusesWhatGGUFCannotSay(_ name: String) throws {
    let folder = try TemporaryFolder()
    let source = try Fixtures.model(name, in: folder.path)
    let error = #expect(throws: CheckpointError.self) {
      try Fixtures.convert(source, .gguf(.f32), to: folder.path + "/out.gguf")
    }
    #expect(error?.field == Self.refused[name])
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [name])
  }

  /// The same numbers come out. Llama's rows change places, so its sums are made in another order.
  @Test(arguments: kept.filter { !$0.contains("fp8") }) func logitsStayTheSame(_ name: String) throws {
    let folder = try TemporaryFolder()
    let source = try Fixtures.model(name, in: folder.path)
    let original = try Fixtures.logits(source)
    let isHalf = name.hasSuffix("f16")
    _ = try Fixtures.convert(source, .gguf(.f32), to: folder.path + "/f32.gguf")
    let difference = largestDifference(original, try Fixtures.logits(folder.path + "/f32.gguf"))
    // BF16 weights meet inputs rounded to BF16, F32 ones do not.
    #expect(difference < (isHalf ? 0.15 : 2e-5), "\(name)")
    let own: GGUFType = name.hasSuffix("bf16") ? .bf16 : name.hasSuffix("f16") ? .f16 : .f32
    _ = try Fixtures.convert(source, .gguf(own), to: folder.path + "/own.gguf")
    #expect(largestDifference(original, try Fixtures.logits(folder.path + "/own.gguf")) < (isHalf ? 2e-2 : 2e-5), "\(name)")
    for (type, bound) in [(GGUFType.q8_0, Float(0.3)), (.q4_k_m, 3)] {
      _ = try Fixtures.convert(source, .gguf(type), to: folder.path + "/\(type).gguf")
      #expect(largestDifference(original, try Fixtures.logits(folder.path + "/\(type).gguf")) < bound, "\(name) \(type)")
    }
  }

  /// FP8 weights with their scales, as F32, against transformers' logits.
  @Test(arguments: kept.filter { $0.contains("fp8") }) func float8EqualsTransformers(_ name: String) throws {
    let folder = try TemporaryFolder()
    let source = try Fixtures.model(name, in: folder.path)
    _ = try Fixtures.convert(source, .gguf(.f32), to: folder.path + "/f32.gguf")
    let expected = try SafetensorsFile(path: TinyModels.checkpoint(name) + "/expected.safetensors")
    let ids = try #require(try expected.integers(named: "ids")),
      positions = try #require(try expected.integers(named: "positions"))
    let reference = try #require(expected.tensors.first { $0.name == "logits" }).tensor.floatArray()
    let all = try Fixtures.logits(folder.path + "/f32.gguf", tokens: ids)
    let vocabulary = all.count / ids.count
    let kept = positions.flatMap { Array(all[$0 * vocabulary..<($0 + 1) * vocabulary]) }
    // The reference rounds the products with the scales to BF16, which changes nothing where scales are powers of two.
    #expect(largestDifference(kept, reference) < (name.hasSuffix("ue8m0") ? 1e-3 : 0.15))
  }
}
