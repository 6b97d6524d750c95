import Foundation
import SwiftletCheckpoints
import SwiftletJSON
import SwiftletTensors
import Testing

@testable import SwiftletModels

/// FP8 weights with block scales (make_float8_fixtures.py). `LogitsTests` compares their logits with transformers'.
@Suite struct Float8Tests {
  /// A folder with one file of tensors.
  private func folder(_ file: String) throws -> TemporaryModel {
    let model = try TemporaryModel()
    try FileManager.default.copyItem(
      at: Fixtures.folder.appendingPathComponent(file), to: model.url.appendingPathComponent("model.safetensors"))
    return model
  }

  @Test(arguments: Kernels.available.map(\.name)) func everyCodeIsTorchs(_ variant: String) throws {
    let kernels = try #require(Kernels.available.first { $0.name == variant })
    let model = try folder("float8.safetensors")
    let tensors = try SafetensorsFolder(path: model.url.path)
    for (codes, expected) in [("codes", "expected"), ("powers", "powers_expected")] {
      let tensor = try #require(tensors.tensor(named: codes))
      #expect(tensor.type == .float8E4M3)
      let values = tensor.floatArray(kernels: kernels), wanted = try #require(tensors.tensor(named: expected)).floatArray()
      #expect(values.count == wanted.count)
      #expect(zip(values, wanted).allSatisfy { $0.bitPattern == $1.bitPattern || ($0.isNaN && $1.isNaN) })
      // A part of the rows brings its own scales.
      let rows = 1..<tensor.shape[0]
      let part = tensor.rows(rows).floatArray(kernels: kernels)
      #expect(zip(part, wanted[256...]).allSatisfy { $0.bitPattern == $1.bitPattern || ($0.isNaN && $1.isNaN) })
    }
    #expect(!tensors.tensors.contains { $0.name.hasSuffix("_scale_inv") })
  }

  /// The weights stay as they are stored, and give the bits of a copy in BF16.
  @Test(arguments: ["deepseek-v3-fp8", "deepseek-v3-fp8-ue8m0"]) func equalsItsCopyInBFloat16(_ name: String) throws {
    let path = Fixtures.folder.appendingPathComponent("checkpoints/\(name)").path
    let source = try SafetensorsFolder(path: path)
    #expect(source.tensors.contains { $0.tensor.type == .float8E4M3 })
    let model = try TemporaryModel()
    let copies = source.tensors.map { name, tensor in
      (name, tensor.type == .float8E4M3 ? Tensor(tensor.floatArray(), shape: tensor.shape).asBFloat16() : tensor)
    }
    try SafetensorsWriter.write(copies, to: model.url.appendingPathComponent("model.safetensors").path)
    let decoder = try Fixtures.decoder(checkpoint: name)
    let copy = try Decoder(decoder.configuration, weights: .safetensors(SafetensorsFolder(path: model.url.path)))
    let compute = Compute(threadCount: 2)
    let ids = (0..<70).map { ($0 * 7 + 3) % decoder.configuration.vocabularySize }
    for role in [PositionRole.prompt, .generated] {
      #expect(
        logits(decoder, ids: ids, chunk: 13, compute: compute, role: role)
          == logits(copy, ids: ids, chunk: 70, compute: compute, role: role))
    }
    #expect(!decoder.distinguishesRoles(.best) && decoder.cacheType == .bfloat16)
  }

  /// A folder of one FP8 matrix `[130, 3]` with these scales.
  private func opened(scaleType: String, shape: [Int], bytes: [UInt8]) throws -> SafetensorsFolder {
    let model = try TemporaryModel()
    let header: JSONValue = [
      "w": ["dtype": "F8_E4M3", "shape": [130, 3], "data_offsets": [0, 390]],
      "w_scale_inv": [
        "dtype": .string(scaleType), "shape": .array(shape.map { .integer($0) }),
        "data_offsets": [390, .integer(390 + bytes.count)],
      ],
    ]
    let text = Array(header.serialized().utf8)
    let length = withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) }
    try Data(length + text + [UInt8](repeating: 0x38, count: 390) + bytes)
      .write(to: model.url.appendingPathComponent("model.safetensors"))
    return try SafetensorsFolder(path: model.url.path)
  }

  @Test func scalesThatDoNotFitAreRefused() throws {
    #expect(try opened(scaleType: "F8_E8M0", shape: [2, 1], bytes: [127, 128]).tensor(named: "w")?.floatArray().last == 2)
    for (type, shape, bytes, reason) in [
      ("F8_E8M0", [1, 2], [127, 127], "found shape [1, 2], expected [2, 1], a scale for each block of 128 x 128 of [130, 3]"),
      ("F8_E8M0", [2, 1], [127, 255], "found a scale that is no number"),
      ("U8", [2, 1], [127, 127], "found type U8, expected F32, F16, BF16 or F8_E8M0"),
    ] as [(String, [Int], [UInt8], String)] {
      let error = #expect(throws: CheckpointError.self) { try opened(scaleType: type, shape: shape, bytes: bytes) }
      #expect(error?.field == "w_scale_inv" && error?.reason == reason)
    }
  }

  @Test func otherQuantizationsAreRefused() throws {
    let path = Fixtures.folder.appendingPathComponent("checkpoints/deepseek-v3-fp8/config.json").path
    let config = try JSONValue(parsing: Array(Data(contentsOf: URL(fileURLWithPath: path))))
    for (changes, field) in [
      (["quant_method": "awq"], "quant_method"), (["quant_method": "fp8", "fmt": "e5m2"], "fmt"),
      (["quant_method": "fp8", "weight_block_size": [64, 128]], "weight_block_size"),
      (["quant_method": "fp8"], "weight_block_size"),
    ] as [(JSONValue, String)] {
      let members = (config.members ?? []).filter { $0.key != "quantization_config" }
      let json = JSONValue.object(members + [JSONMember(key: "quantization_config", value: changes)])
      let error = #expect(throws: CheckpointError.self) { try ModelConfiguration(json: json, source: path) }
      #expect(error?.field == "quantization_config." + field)
    }
  }
}

/// A folder that is removed with everything in it.
final class TemporaryModel {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("swiftlet-models-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }
}
