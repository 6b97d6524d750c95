import Foundation
import SwiftletCheckpoints
import SwiftletGeneration
import SwiftletMutationCases
import Testing

/// Files that claim terabytes and take no room on the disk: that a count fits the bytes that are left is no bound.
@Suite struct SparseFileTests {
  private static let size = 7 << 40

  /// A file of these bytes and then a hole.
  private func write(_ bytes: [UInt8], as name: String, in folder: TemporaryFolder, size: Int = size) throws -> String {
    let path = try folder.write(bytes, as: name)
    try #require(truncate(path, off_t(size)) == 0)
    return path
  }

  /// The error, which must come at once and without memory.
  private func refusal(_ body: () throws -> Void) throws -> CheckpointError {
    let start = ContinuousClock.now
    let error = #expect(throws: CheckpointError.self) { try body() }
    #expect(ContinuousClock.now - start < Bounds.time)
    #expect(Bounds.peakResidentBytes() < Bounds.residentBytes)
    return try #require(error)
  }

  /// `GGUF`, version 3, counts of tensors and metadata.
  private static func header(_ tensors: Int, _ metadata: Int) -> [UInt8] {
    Array("GGUF".utf8) + GGUFDocument.littleEndian(3, 4) + GGUFDocument.littleEndian(UInt64(tensors))
      + GGUFDocument.littleEndian(UInt64(metadata))
  }

  private static func entry(_ type: UInt64, _ value: [UInt8]) -> [UInt8] {
    header(0, 1) + GGUFDocument.string([97]) + GGUFDocument.littleEndian(type, 4) + value
  }

  private static func array(_ element: UInt64, _ count: Int) -> [UInt8] {
    entry(9, GGUFDocument.littleEndian(element, 4) + GGUFDocument.littleEndian(UInt64(count)))
  }

  static let headers: [(bytes: [UInt8], field: String)] = [
    (header(0, 1 << 39), "metadata count"), (header(1 << 38, 0), "tensor count"), (array(0, 1 << 42), "length of a"),
    (array(6, 1 << 40), "length of a"), (array(7, 1 << 42), "length of a"), (array(8, 1 << 39), "length of a"),
    (array(9, 1 << 38), "length of a"), (entry(8, GGUFDocument.littleEndian(1 << 42)), "length of a"),
    (header(0, 1) + GGUFDocument.littleEndian(1 << 42), "length of key 0 of the metadata"),
    (header(1, 0) + GGUFDocument.littleEndian(1 << 42), "length of name of tensor 0"),
    // Within the bounds of every count, so that the hole is read: all names in it are empty.
    (header(0, 60_000), "type of "), (header(900_000, 0), ""),
  ]

  @Test(arguments: headers.indices) func countsAreBounded(_ index: Int) throws {
    let folder = try TemporaryFolder(), header = Self.headers[index]
    let path = try write(header.bytes, as: "model.gguf", in: folder)
    let error = try refusal { _ = try GGUFFile(path: path) }
    #expect(index >= Self.headers.count - 2 || error.field == header.field, "\(error)")
  }

  /// Arrays that are each within bounds.
  @Test func arraysAreBoundedTogether() throws {
    let folder = try TemporaryFolder(), count = 8 << 20
    var bytes = Self.header(0, 3)
    for key in [97, 98, 99] as [UInt8] {
      bytes += GGUFDocument.string([key]) + GGUFDocument.littleEndian(9, 4) + GGUFDocument.littleEndian(0, 4)
      bytes += GGUFDocument.littleEndian(UInt64(count)) + [UInt8](repeating: 0, count: count)
    }
    let path = try write(bytes, as: "model.gguf", in: folder)
    #expect(try refusal { _ = try GGUFFile(path: path) }.field == "length of c")
  }

  @Test func safetensorsHeadersAreBounded() throws {
    let folder = try TemporaryFolder()
    let path = try write(GGUFDocument.littleEndian(90_000_000), as: "model.safetensors", in: folder)
    let error = try refusal { _ = try SafetensorsFile(path: path) }
    #expect(error.field == "header" && error.reason.contains("90000000") && error.reason.contains("33554432"))
  }

  @Test(arguments: ["model.safetensors.index.json", "config.json"]) func indexAndConfigurationAreBounded(_ name: String) throws {
    let folder = try TemporaryFolder()
    let config = try Seeds.bytes("\(Seeds.checkpoints)/llama-mha/config.json")
    try folder.write(config, as: "config.json")
    let path = try write(Array("{".utf8), as: name, in: folder)
    let error = try refusal { _ = try LoadedModel(path: folder.url.path) }
    #expect(error.file == path && error.field == "file" && error.reason.contains("has 7696581394432 bytes, expected at most"))
  }

  @Test func tokenizersAndTemplatesAreBounded() throws {
    for name in ["tokenizer.json", "chat_template.jinja", "chat_template.json", "tokenizer_config.json"] {
      let folder = try TemporaryFolder(), path = try write(Array("{".utf8), as: name, in: folder)
      let error = try refusal {
        if name == "tokenizer.json" {
          _ = try LoadedModel.tokenizer(path: folder.url.path)
        } else {
          _ = try LoadedModel.template(path: folder.url.path)
        }
      }
      #expect(error.file == path && error.reason.contains("expected at most"), "\(name)")
    }
  }

  /// Weights that have to be copied: latent attention transposes half of its up-projection.
  @Test func copiesOfWeightsAreBounded() throws {
    let folder = try TemporaryFolder()
    var document = GGUFDocument(try Seeds.bytes("ModelsTests/Fixtures/gguf/deepseek-v2-lite-whole.gguf"))
    let rank = 1 << 16, heads = 2048
    document.set("attention.kv_lora_rank", rank)
    document.set("attention.head_count", heads)
    document.set("attention.head_count_kv", heads)
    var offset = UInt64(1 << 20)
    func place(_ name: String, _ extents: [Int], _ document: inout GGUFDocument) {
      document.change(name) {
        $0.extents = extents.map { UInt64($0) }
        $0.offset = offset
      }
      offset += UInt64(extents.reduce(4, *))
    }
    for layer in 0..<2 {
      place("blk.\(layer).attn_kv_a_mqa.weight", [40, rank + 8], &document)
      place("blk.\(layer).attn_kv_a_norm.weight", [rank], &document)
      place("blk.\(layer).attn_kv_b.weight", [rank, heads * 22], &document)
      place("blk.\(layer).attn_q.weight", [40, heads * 20], &document)
      place("blk.\(layer).attn_output.weight", [heads * 10, 40], &document)
    }
    let path = try write(document.serialized(), as: "model.gguf", in: folder)
    // The weights would not fit into memory either, which is checked first.
    #expect(throws: MemoryError.self) { try LoadedModel(path: path, limits: .init(resident: .init(bytes: 1 << 34, source: ""))) }
    let error = try refusal { _ = try LoadedModel(path: path, limits: nil) }
    #expect(error.field == "blk.0.attn_kv_b.weight" && error.reason.contains("are copied"), "\(error)")
  }
}
