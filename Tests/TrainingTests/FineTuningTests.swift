import Foundation
import SwiftletCheckpoints
import SwiftletConversion
import SwiftletGeneration
import SwiftletJSON
import SwiftletTensors
import SwiftletTokenization
import Testing

@testable import SwiftletTraining

/// Fine-tuning on chats, as recipes say it.
@Suite struct FineTuningTests {
  /// A tiny checkpoint with a vocabulary, and chats.
  private func folder() throws -> DataFolder {
    let folder = try DataFolder(), manager = FileManager.default
    let source = Fixture.folder.deletingLastPathComponent().appendingPathComponent(
      "ModelsTests/Fixtures/checkpoints/llama-gqa-tied")
    try manager.createDirectory(atPath: folder.file("base"), withIntermediateDirectories: true)
    for name in ["config.json", "model.safetensors"] {
      try manager.copyItem(atPath: source.appendingPathComponent(name).path, toPath: folder.file("base/" + name))
    }
    var counts = WordCounts(.deepSeekV3)
    for seed in 0..<20 { counts.add(Sample.text(UInt64(seed))) }
    let json = try BytePairTraining(vocabularySize: 268).vocabulary(of: counts).tokenizerJSON().serialized()
    _ = try folder.write("base/tokenizer.json", json)
    _ = try folder.write("chats.jsonl", (0..<40).map { Self.chat($0) + "\n" }.joined())
    return folder
  }

  private static func chat(_ index: Int) -> String {
    let turns: JSONValue = [
      ["role": "user", "content": .string(Sample.text(UInt64(index), words: 3))],
      ["role": "assistant", "content": .string(Sample.text(UInt64(index + 500), words: 2))],
    ]
    return JSONValue.object([JSONMember(key: "messages", value: turns)]).serialized()
  }

  private static let lines = [
    "data:", "  chats: chats.jsonl", "  template: deepseek-v3", "  held_out: 0.2", "model:", "  from: base", "lora:", "  rank: 4",
    "  targets: all-linear", "optimizer:", "  learning_rate: 1e-2", "sequence_length: 128", "batch: 4", "micro_batch: 2",
    "steps: 12", "precision: float32", "checkpoint_interval: 5", "evaluation:", "  interval: 6", "  sequences: 4", "cost:",
    "  peak_flops: 1e11", "folder: run",
  ]

  private func run(
    _ folder: DataFolder, _ changes: [String: String?] = [:], out: String = "run", threads: Int = 2
  ) throws -> PreparedRun {
    let text = Self.lines.compactMap { line -> String? in
      let key = line.trimmingCharacters(in: .whitespaces).prefix { $0 != ":" }
      return changes.keys.contains(String(key)) ? changes[String(key)] ?? nil : line
    }.joined(separator: "\n")
    var recipe = try Recipe(path: folder.write("recipe.yaml", text + "\n"))
    recipe.folder = folder.file(out)
    return try PreparedRun(recipe, threadCount: threads)
  }

  private func trainer(
    _ folder: DataFolder, _ changes: [String: String?] = [:], out: String = "run", threads: Int = 2
  ) throws -> Trainer {
    try Trainer(run(folder, changes, out: out, threads: threads), compute: Compute(threadCount: threads))
  }

  private func bits(_ trainer: Trainer) -> [[UInt32]] {
    trainer.model.parameters.saved.map { $0.value.floatArray().map(\.bitPattern) }
  }

  /// Whole conversations in every sequence, of which the answers alone are targets, and none sees another.
  @Test func onlyAnswersAreLearned() throws {
    let folder = try folder(), run = try run(folder)
    let tokenizer = try LoadedModel.tokenizer(path: folder.file("base"))
    var iterator = try #require(run.batches), seen: Set<String> = []
    for _ in 0..<30 {
      guard let tokens = try iterator.next() else { break }
      let batch = TrainingBatch(tokens, masksDocuments: run.recipe.data.masksDocuments)
      for document in batch.documents where batch.targets[document].contains(where: { $0 >= 0 }) {
        let text = tokenizer.decode(batch.tokens[document].map { Int32($0) })
        let answer = tokenizer.decode(batch.targets[document].filter { $0 >= 0 }.map { Int32($0) })
        let end = try #require(text.range(of: "<｜Assistant｜>"))
        #expect(answer == text[end.upperBound...] && answer.hasSuffix("<｜end▁of▁sentence｜>"), "\(text): \(answer)")
        // The rows from the prompt's last on.
        let first = try #require(batch.targets[document].firstIndex { $0 >= 0 })
        #expect(batch.targets[first..<document.upperBound - 1].allSatisfy { $0 >= 0 })
        seen.insert(text)
      }
    }
    #expect(seen.count == run.data.sources[0].dataset.documentCount && seen.count > 20)
  }

  @Test func runsOfAdaptersGoOnWithTheSameBits() throws {
    let folder = try folder(), whole = try trainer(folder, out: "whole", threads: 1)
    #expect(try whole.train() == .finished)
    #expect(try trainer(folder).train(until: 7) == .interrupted)
    let second = try trainer(folder)
    #expect(second.run.completedSteps == 7)
    #expect(try second.train() == .finished)
    #expect(bits(second) == bits(whole))
    let first = try #require(second.records.first?.loss), last = try #require(second.records.last?.loss)
    #expect(last < first - 0.3)
    // A checkpoint has the adapters alone, and the result is one that peft reads.
    let saved = try SafetensorsFolder(path: second.run.checkpoints.path(step: 12))
    #expect(saved.tensors.allSatisfy { $0.name.contains("lora_") })
    let adapter = try second.exportResult(to: folder.file("run"))
    #expect(adapter == folder.file("run") + "/adapter")
    _ = try Conversion(
      source: folder.file("base"), adapter: AdapterFolder(path: adapter), target: .safetensors(nil),
      output: folder.file("merged"),
      threadCount: 1
    ).run()
    // Merged, it has the loss of the run.
    let merged = try trainer(folder, ["from": "  from: merged", "lora": nil, "rank": nil, "targets": nil], out: "other")
    let tape = Tape(compute: Compute(threadCount: 2), precision: .float32)
    tape.recordsGradients = false
    for batch in second.run.evaluation {
      let (one, two) = (merged.model.loss(batch, tape: tape).crossEntropy, second.model.loss(batch, tape: tape).crossEntropy)
      #expect(abs(one - two) < 1e-4 * two)
    }
  }

  @Test func adaptersOfOtherWeightsDoNotGoOn() throws {
    let folder = try folder()
    _ = try trainer(folder).train(until: 5)
    let path = folder.file("base/model.safetensors")
    var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    bytes[bytes.count - 40] ^= 1
    _ = try folder.write("base/model.safetensors", bytes)
    let error = try #require(throws: RecipeError.self) { _ = try trainer(folder) }
    #expect(error.key == "model.from (its weights)")
  }

  /// All weights of a model, with everything beside it.
  @Test func allWeightsOfAModelAreTrained() throws {
    let folder = try folder()
    let trainer = try trainer(folder, ["lora": nil, "rank": nil, "targets": nil, "learning_rate": "  learning_rate: 3e-3"])
    _ = try trainer.train()
    let first = try #require(trainer.records.first?.loss), last = try #require(trainer.records.last?.loss)
    #expect(last < first - 0.3)
    let model = try trainer.exportResult(to: folder.file("run"))
    let loaded = try LoadedModel(path: model)
    #expect(loaded.tokenizer?.vocabularySize == 268)
    // The template that the recipe names goes with it.
    #expect(try LoadedModel.template(path: model)?.text == TemplateSource(named: "deepseek-v3").text)
  }

  /// A quantised GGUF file with tokenizer and template in it.
  @Test(arguments: ["quantized-llama", "quantized-deepseek2"]) func quantizedFilesAreTrained(_ name: String) throws {
    let folder = try folder()
    let source = Fixture.folder.deletingLastPathComponent().appendingPathComponent("GenerationTests/Fixtures/\(name).gguf").path
    let changes = [
      "from": "  from: \(source)", "sequence_length": "sequence_length: 256", "held_out": "  held_out: 0", "evaluation": nil,
      "interval": nil, "sequences": nil, "template": "  template: deepseek-v3",
    ]
    let trainer = try trainer(folder, changes)
    let stored = trainer.model.parameters.parameters.filter { $0.isFrozen && $0.value.type.isQuantized }
    #expect(stored.count > 5)
    _ = try trainer.train()
    let first = try #require(trainer.records.first?.loss), last = try #require(trainer.records.last?.loss)
    #expect(last < first, "\(first) \(last)")
  }

  @Test func promptsWithCompletionsAreLearned() throws {
    let folder = try folder()
    _ = try folder.write("chats.jsonl", #"{"prompt": "the river", "completion": " runs down"}"# + "\n")
    let run = try run(folder, ["held_out": "  held_out: 0", "evaluation": nil, "interval": nil, "sequences": nil])
    var iterator = try #require(run.batches)
    let batch = try #require(try iterator.next()), tokenizer = try LoadedModel.tokenizer(path: folder.file("base"))
    let document = batch.documents[0]
    #expect(tokenizer.decode(batch.targets[document].filter { $0 >= 0 }.map { Int32($0) }) == " runs down<｜end▁of▁sentence｜>")
  }

  private func error(_ changes: [String: String?], chats: String? = nil) throws -> String {
    let folder = try folder()
    if let chats { _ = try folder.write("chats.jsonl", chats) }
    return "\(try #require(throws: (any Error).self) { _ = try run(folder, changes) })"
  }

  @Test(arguments: [
    ("rank", "  rank: 0", "lora.rank: found '0', expected a whole number from 1"),
    ("targets", "  targets: [q_proj, lm_head]", "lora.targets: found 'lm_head', expected all-linear, or some of q_proj"),
    ("targets", "  targets: kv_b_proj", "lora.targets: found kv_b_proj, which this model does not have"),
    ("alpha", "  alpha: 0", "lora.alpha"), ("from", "  from: nowhere", "model.from"),
    ("from", "  config: {model_type: llama}", "needs model.from"),
    ("template", "  template: deepseek-v9", "data.template"), ("chats", "  chats: none.jsonl", "data.chats: found no file"),
    ("chats", "  chats: chats.jsonl\n  separator: x", "data.separator"),
    ("chats", "  chats: chats.jsonl\n  fill_in_middle: 0.5", "data.fill_in_middle"),
    ("chats", "  chats: chats.jsonl\n  text: a.txt", "expected one of text (files), chats (files)"),
    ("from", "  from: base\n  max_position_embeddings: 512", "adapters do not carry another rope_scaling"),
    ("precision", "precision: fp8", "fp8 is for training whole models"),
  ])
  func wrongKeysAreNamed(_ key: String, _ line: String, _ reason: String) throws {
    let line = key == "alpha" ? ("rank", "  rank: 4\n" + line) : (key, line)
    let error = try error([line.0: line.1])
    #expect(error.contains(reason), "\(error)")
  }

  @Test func brokenChatsAreNamed() throws {
    let good = Self.chat(1) + "\n"
    #expect(try error([:], chats: good + "{\"messages\": [\n").contains("chats.jsonl, line 2"))
    #expect(try error([:], chats: good + good + #"{"question": "x"}"#).contains("line 3: found an object with \"question\""))
    #expect(try error([:], chats: good + #"{"messages": [{"role": "user", "content": "x"}]}"#).contains("line 2: has no answer"))
    let long = Self.chat(1).replacing("content\":\"", with: "content\":\"" + String(repeating: "x y z ", count: 60))
    let error = try error([:], chats: good + long)
    #expect(error.contains("line 2: becomes") && error.contains("expected at most 128"), "\(error)")
    #expect(try self.error(["template": nil]).contains("no chat template"))
    // They may be left out.
    let folder = try folder()
    _ = try folder.write("chats.jsonl", good + long + "\n" + (2..<30).map { Self.chat($0) + "\n" }.joined())
    let run = try run(folder, ["template": "  template: deepseek-v3\n  skip_broken: true"])
    let counts = [run.data.sources, run.data.heldOut].map { $0[0].dataset.documentCount }
    #expect(counts.reduce(0, +) == 29)
  }
}
