import Foundation
import SwiftletCheckpoints
import Synchronization
import Testing

@testable import SwiftletModels
@testable import SwiftletTensors

/// Experts that stay on disk.
@Suite struct ExpertCacheTests {
  private static let pages = 3 * 2 * 4096

  private static func source(_ name: String) throws -> (ModelConfiguration, WeightSource) {
    if name.hasSuffix(".gguf") {
      let path =
        name.hasPrefix("quantized")
        ? Fixtures.folder.deletingLastPathComponent().deletingLastPathComponent()
          .appendingPathComponent("GenerationTests/Fixtures/\(name)").path
        : Fixtures.folder.appendingPathComponent("gguf/\(name)").path
      let file = try GGUFFile(path: path)
      return (try ModelConfiguration(gguf: file), .gguf(file))
    }
    let path = Fixtures.folder.appendingPathComponent("checkpoints/\(name)").path
    return (try Fixtures.decoder(checkpoint: name).configuration, .safetensors(try SafetensorsFolder(path: path)))
  }

  /// The bits of all logits, of prompts in one piece and in small ones, and of generated tokens.
  private static func bits(_ decoder: Decoder, _ compute: Compute) -> [UInt32] {
    let ids = (0..<90).map { ($0 * 7 + 3) % decoder.configuration.vocabularySize }
    let prompts = [ids.count, 5].flatMap { logits(decoder, ids: ids, chunk: $0, compute: compute) }
    let generated = logits(decoder, ids: Array(ids.prefix(40)), chunk: 1, compute: compute, role: .generated)
    return (prompts + generated).map(\.bitPattern)
  }

  /// Room for one expert, for a few, and for all of them give the bits of experts in the mapped file.
  @Test(arguments: [
    "deepseek-v2", "deepseek-v2-lite", "deepseek-v3", "deepseek-v3-bf16", "deepseek-v3-sharded", "deepseek-v2-lite.gguf",
    "deepseek-v3.gguf", "quantized-deepseek2.gguf", "deepseek-v3-fp8", "deepseek-v3-next-token",
  ]) func theBitsAreThoseOfMemory(_ name: String) throws {
    let (configuration, source) = try Self.source(name), compute = Compute(threadCount: 2)
    let expected = Self.bits(try Decoder(configuration, weights: source), compute)
    let needs = MemoryNeeds(configuration, weights: source), one = needs.largestExpert + Self.pages
    for bytes in [one, 3 * one, needs.experts.reduce(0, +) * 20] {
      let decoder = try Decoder(configuration, weights: source, expertMemory: bytes)
      #expect(Self.bits(decoder, compute) == expected, "\(name) with \(bytes) bytes")
    }
  }

  /// The weights of made-up experts of different sizes, in a file.
  private static func experts(_ count: Int, _ sizes: [Int], in folder: URL) throws -> [ExpertWeights] {
    let path = folder.appendingPathComponent("experts.bin").path
    var bytes: [UInt8] = [1, 2, 3, 4]
    var offsets: [Int] = []
    for layer in sizes.indices {
      for number in 0..<count * 3 {
        offsets.append(bytes.count)
        bytes += (0..<sizes[layer] * 4).map { UInt8(truncatingIfNeeded: $0 / 4 + number * 31 + layer * 7) & 63 }
      }
    }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let storage = try MappedFile(path: path).storage
    return sizes.indices.map { layer in
      var result = ExpertWeights()
      for expert in 0..<count {
        result.append(
          (0..<3).map { kind in
            Tensor(
              storage: storage, byteOffset: offsets[layer * count * 3 + expert * 3 + kind], shape: Shape(sizes[layer] / 8, 8),
              type: .float32)
          })
      }
      return result
    }
  }

  /// Every expert comes once, as it is in the file, within the bound; `meanwhile` is called once and first.
  @Test(arguments: [1, 2, 3, 7, 100]) func expertsComeWithinTheBound(_ room: Int) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let layers = try Self.experts(10, [2048, 4096, 512], in: folder)
    let largest = 3 * (4096 * 4 + 2 * 4096), limit = room * largest
    let cache = ExpertCache(byteLimit: limit)
    let numbers = layers.map(cache.add)
    var random = SystemRandomNumberGenerator()
    for round in 0..<60 {
      let layer = round % layers.count
      let wanted = Array((0..<10).shuffled(using: &random).prefix(round % 4 == 0 ? 10 : 3)).sorted()
      var came: [Int] = [], others = 0
      cache.run(wanted, ofLayer: numbers[layer], meanwhile: { others += 1 }) { experts, weights in
        #expect(others == 1 && experts == experts.sorted())
        came += experts
        for (place, expert) in experts.enumerated() {
          for (found, expected) in zip(
            [weights.gate, weights.up, weights.down], [layers[layer].gate, layers[layer].up, layers[layer].down])
          {
            #expect(found[place].address != expected[expert].address)
            #expect(memcmp(found[place].address, expected[expert].address, expected[expert].byteCount) == 0)
          }
        }
      }
      #expect(came.sorted() == wanted)
      #expect(cache.heldBytes <= limit)
    }
  }

  /// A file whose path leads elsewhere by now is read where it is mapped.
  @Test func aReplacedFileIsStillTheMappedOne() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let layer = try Self.experts(4, [1024], in: folder)[0]
    let path = folder.appendingPathComponent("experts.bin").path
    try Data(repeating: 9, count: 1 << 20).write(to: URL(fileURLWithPath: path + ".new"))
    try #require(rename(path + ".new", path) == 0)
    #expect(DirectFile(of: layer.gate[0].storage) == nil)
    let cache = ExpertCache(byteLimit: 1 << 20)
    let number = cache.add(layer)
    cache.run([0, 3], ofLayer: number, meanwhile: {}) { experts, weights in
      for (place, expert) in experts.enumerated() {
        #expect(memcmp(weights.down[place].address, layer.down[expert].address, layer.down[expert].byteCount) == 0)
      }
    }
  }

  @Test func needsAddUp() throws {
    for name in ["deepseek-v3", "deepseek-v2-lite.gguf", "deepseek-v3-sharded", "deepseek-v3-next-token"] {
      let (configuration, source) = try Self.source(name)
      let needs = MemoryNeeds(configuration, weights: source)
      #expect(needs.weights == source.tensors.reduce(0) { $0 + $1.tensor.byteCount }, "\(name)")
      let mixture = try #require(configuration.mixture)
      // The layer that predicts further tokens has experts too.
      let layerCount = configuration.layerCount + configuration.predictionLayerCount
      #expect(needs.experts.filter { $0 > 0 }.count == layerCount - mixture.leadingDenseLayers)
      #expect(needs.largestExpert == 3 * mixture.expertSize * configuration.hiddenSize * 4)
      #expect(needs.cachePerPosition == (try Decoder(configuration, weights: source)).cacheBytesPerPosition)
    }
  }
}
