import SwiftletCheckpoints
import SwiftletGeneration
import SwiftletModels
import SwiftletTensors
import SwiftletTokenization
import Testing

/// Reads a GGUF file as a model, runs it, and reads its tokenizer.
private func load(gguf path: String, _ compute: Compute, isFinite: Bool = false) throws {
  let file = try GGUFFile(path: path)
  var refusal: (any Error)?
  do {
    use(try Tokenizer(gguf: file))
  } catch {
    refusal = error
  }
  forward(try Decoder(ModelConfiguration(gguf: file), weights: .gguf(file)), compute, isFinite: isFinite)
  if let refusal { throw refusal }
}

@Suite struct GGUFMutationTests {
  @Test func changedBytesAreRefusedOrComputed() throws {
    let seeds = try Seeds.ggufs(), compute = Compute(threadCount: 1), folder = try TemporaryFolder()
    let headers = seeds.map { GGUFDocument($0).headerCount }
    var mutator = Mutator(seed: 1)
    let outcome = run(2000) { number in
      let seed = number % seeds.count
      // Most changes belong in the header, whose fields the rest depends on.
      let limit = number % 8 == 0 ? Int.max : headers[seed]
      try load(gguf: folder.write(mutator.bytes(seeds[seed], below: limit), as: "model.gguf"), compute)
    }
    #expect(outcome.accepted > 50 && outcome.refused > 1000)
  }

  @Test func changedFieldsAreRefusedOrComputed() throws {
    let seeds = try Seeds.ggufs().map { GGUFDocument($0) }, compute = Compute(threadCount: 1), folder = try TemporaryFolder()
    var mutator = Mutator(seed: 2)
    let outcome = run(4000) { number in
      let seed = seeds[number % seeds.count], document = mutator.fields(of: seed)
      let isWhole = document.tensors == seed.tensors && document.index("general.alignment") == nil
      try load(gguf: folder.write(document.serialized(), as: "model.gguf"), compute, isFinite: isWhole)
    }
    #expect(outcome.accepted > 100 && outcome.refused > 1000)
  }

  /// Every kind of value, nested arrays among them.
  @Test func changedMetadataIsRefusedOrRead() throws {
    let seed = try Seeds.bytes("CheckpointsTests/Fixtures/metadata.gguf"), folder = try TemporaryFolder()
    var mutator = Mutator(seed: 3)
    run(2000) { number in
      let broken = mutator.bytes(seed, below: number % 2 == 0 ? 2_000 : .max)
      for entry in try GGUFFile(path: folder.write(broken, as: "metadata.gguf")).metadata { _ = entry.value.summary }
    }
  }
}
