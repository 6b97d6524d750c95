import SwiftletCheckpoints
import SwiftletJSON
import SwiftletModels
import SwiftletTensors
import Testing

@Suite struct SafetensorsMutationTests {
  /// Small models of every architecture and type.
  private static let names = ["deepseek-v3-bf16", "llama-f16", "qwen2-tied", "deepseek-v2-mscale"]

  private func configuration(_ bytes: [UInt8]) throws -> ModelConfiguration {
    try ModelConfiguration(json: JSONValue(parsing: bytes), source: "config.json")
  }

  /// A safetensors file of another header.
  private func file(header: [UInt8], data: some Sequence<UInt8>) -> [UInt8] {
    GGUFDocument.littleEndian(UInt64(header.count)) + header + data
  }

  private func headerCount(_ bytes: [UInt8]) -> Int { bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) } }

  @Test func changedFilesAreRefusedOrComputed() throws {
    let seeds = try Self.names.map { try Seeds.bytes("\(Seeds.checkpoints)/\($0)/model.safetensors") }
    let configurations = try Self.names.map { try configuration(Seeds.bytes("\(Seeds.checkpoints)/\($0)/config.json")) }
    let compute = Compute(threadCount: 1), folder = try TemporaryFolder()
    var mutator = Mutator(seed: 11)
    let outcome = run(3000) { number in
      let index = number % seeds.count, seed = seeds[index], header = 8..<8 + headerCount(seed)
      let broken =
        number % 3 == 0
        ? mutator.bytes(seed, below: number % 2 == 0 ? .max : header.upperBound)
        : file(
          header: mutator.text(Array(seed[header]), other: Array(seeds[(index + 1) % seeds.count][..<4096])),
          data: seed[header.upperBound...])
      try folder.write(broken, as: "model.safetensors")
      let weights = WeightSource.safetensors(try SafetensorsFolder(path: folder.url.path))
      forward(try Decoder(configurations[index], weights: weights), compute)
    }
    #expect(outcome.accepted > 20 && outcome.refused > 500)
  }

  @Test func changedIndexIsRefusedOrRead() throws {
    let source = "\(Seeds.checkpoints)/deepseek-v3-sharded", folder = try TemporaryFolder()
    for path in try Seeds.paths(source, suffix: ".safetensors") where path.contains("model-") {
      try folder.write(Seeds.bytes(path), as: String(path.split(separator: "/").last ?? ""))
    }
    let seed = try Seeds.bytes("\(source)/model.safetensors.index.json")
    var mutator = Mutator(seed: 12)
    run(800) { _ in
      try folder.write(mutator.text(seed, other: seed), as: "model.safetensors.index.json")
      _ = try SafetensorsFolder(path: folder.url.path)
    }
  }

  /// A changed config.json over unchanged weights.
  @Test func changedConfigurationIsRefusedOrComputed() throws {
    let names = Self.names + ["llama-rope-llama3-version5", "qwen2-yarn", "deepseek-v3-negative-bias", "llama-gqa-tied"]
    let seeds = try names.map { try Seeds.bytes("\(Seeds.checkpoints)/\($0)/config.json") }
    let folders = try names.map { name in
      let folder = try TemporaryFolder()
      try folder.write(Seeds.bytes("\(Seeds.checkpoints)/\(name)/model.safetensors"), as: "model.safetensors")
      return folder
    }
    let weights = try folders.map { WeightSource.safetensors(try SafetensorsFolder(path: $0.url.path)) }
    let compute = Compute(threadCount: 1)
    var mutator = Mutator(seed: 13)
    let outcome = run(5000) { number in
      let index = number % seeds.count
      let changed = try configuration(mutator.text(seeds[index], other: seeds[mutator.generator.index(seeds.count)]))
      forward(try Decoder(changed, weights: weights[index]), compute, isFinite: true)
    }
    #expect(outcome.accepted > 50 && outcome.refused > 500)
  }
}
