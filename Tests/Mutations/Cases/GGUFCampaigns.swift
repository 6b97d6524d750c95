import SwiftletCheckpoints
import SwiftletGeneration
import SwiftletModels
import SwiftletTensors
import SwiftletTokenization

extension Campaign {
  /// Reads a GGUF file as a model, runs it, and reads its tokenizer.
  private static func load(_ path: String, _ compute: Compute, _ run: CaseRun, isFinite: Bool = false) throws {
    let file = try GGUFFile(path: path)
    let tokenizer = Result { try Tokenizer(gguf: file) }
    let decoder = try Decoder(ModelConfiguration(gguf: file), weights: .gguf(file))
    run.isParsed()
    try forward(decoder, compute, isFinite: isFinite)
    try use(tokenizer.get())
  }

  static let gguf = [
    Campaign("GGUF, bytes", share: 90, least: (10, 500)) {
      let seeds = try Seeds.ggufs(), headers = seeds.map { GGUFDocument($0).headerCount }
      let compute = Compute(threadCount: 1), folder = try TemporaryFolder()
      return { number, mutator, run in
        let seed = number % seeds.count
        // Most changes belong in the header, whose fields the rest depends on.
        let broken = mutator.bytes(seeds[seed], below: number % 8 == 0 ? .max : headers[seed])
        let path = try folder.write(broken, as: "model.gguf")
        run.begins(broken.count)
        try load(path, compute, run)
      }
    },
    Campaign("GGUF, fields", share: 100, least: (10, 500)) {
      let seeds = try Seeds.ggufs().map { GGUFDocument($0) }
      let compute = Compute(threadCount: 1), folder = try TemporaryFolder()
      return { number, mutator, run in
        let seed = seeds[number % seeds.count], document = mutator.fields(of: seed), broken = document.serialized()
        let isWhole = document.tensors == seed.tensors && document.index("general.alignment") == nil
        let path = try folder.write(broken, as: "model.gguf")
        run.begins(broken.count)
        try load(path, compute, run, isFinite: isWhole)
      }
    },
    // Every kind of value, nested arrays among them.
    Campaign("GGUF, metadata", share: 80) {
      let seed = try Seeds.bytes("CheckpointsTests/Fixtures/metadata.gguf"), folder = try TemporaryFolder()
      return { number, mutator, run in
        let broken = mutator.bytes(seed, below: number % 2 == 0 ? 2_000 : .max)
        let path = try folder.write(broken, as: "metadata.gguf")
        run.begins(broken.count)
        let file = try GGUFFile(path: path)
        run.isParsed()
        for entry in file.metadata { _ = entry.value.summary }
      }
    },
    Campaign("GGUF, parts", share: 50) {
      let names = (1...3).map { "split-0000\($0)-of-00003.gguf" }, folder = try TemporaryFolder()
      let seeds = try names.map { try Seeds.bytes("CheckpointsTests/Fixtures/" + $0) }
      let documents = seeds.map { GGUFDocument($0) }, total = seeds.reduce(0) { $0 + $1.count }
      for (name, seed) in zip(names, seeds) { try folder.write(seed, as: name) }
      return { number, mutator, run in
        let part = number % 3
        let broken =
          number % 2 == 0
          ? mutator.bytes(seeds[part], below: documents[part].headerCount) : mutator.fields(of: documents[part]).serialized()
        try folder.write(broken, as: names[part])
        defer { _ = try? folder.write(seeds[part], as: names[part]) }
        run.begins(total - seeds[part].count + broken.count)
        let file = try GGUFFile(path: folder.path(names[0]))
        run.isParsed()
        for entry in file.tensors { _ = entry.tensor.floatArray() }
      }
    },
  ]
}
