import Foundation
import SwiftletCheckpoints
import SwiftletJSON
import SwiftletTensors
import SwiftletTokenization
import Testing

@testable import SwiftletTraining

/// Losses beside a teacher's distribution, and runs with a teacher.
@Suite struct DistillationTests {
  // MARK: The loss

  /// As the script makes them.
  private static func made(_ count: Int, _ seed: Int) -> [Float] {
    (0..<count).map { Float(($0 * 7919 + seed * 104729 + $0 * $0 % 977) % 2003 - 1001) / 512 }
  }

  private struct Case {
    static let rows = 7, hidden = 6, vocabulary = 50
    let facts: JSONValue
    let options: DistillationOptions
    let targets: [Int]
    let scale: Float
    let k: Int

    init(_ facts: JSONValue) throws {
      self.facts = facts
      options = DistillationOptions(
        divergence: try #require(facts["loss"]?.string.flatMap { KullbackLeibler(rawValue: $0) }),
        temperature: Float(facts["temperature"]?.double ?? 0), weight: Float(facts["weight"]?.double ?? -1))
      targets = facts["targets"]?.elements?.compactMap(\.integer) ?? []
      scale = Float(facts["scale"]?.double ?? 0)
      k = facts["k"]?.integer ?? 0
    }

    func numbers(_ key: String) -> [Double] { facts[key]?.elements?.compactMap(\.double) ?? [] }

    static func all() throws -> [Case] {
      let url = Fixture.folder.appendingPathComponent("Fixtures/distillation.json")
      return try (JSONValue(parsing: Array(Data(contentsOf: url))).elements ?? []).map { try Case($0) }
    }
  }

  private func expectNear(_ found: [Float], _ expected: [Double], _ tolerance: Double, _ name: String) {
    #expect(found.count == expected.count, "\(name)")
    let largest = max(1e-3, expected.map(abs).max() ?? 0)
    for (index, (one, two)) in zip(found, expected).enumerated() where abs(Double(one) - two) > tolerance * largest {
      Issue.record("\(name)[\(index)]: \(one), torch has \(two)")
    }
  }

  /// Every variant of the kernels, every case: the teacher's classes, the loss, and both gradients.
  @Test(arguments: Kernels.available.map(\.name)) func equalTorch(_ variant: String) throws {
    let kernels = try #require(Kernels.available.first { $0.name == variant })
    for item in try Case.all() {
      let tape = Tape(compute: Compute(threadCount: 2, kernels: kernels), precision: .float32)
      func value(_ seed: Int) -> Value {
        tape.constant(Self.made(Case.rows * Case.hidden, seed), shape: Shape(Case.rows, Case.hidden))
      }
      func head(_ seed: Int) -> (Parameter, LinearWeights) {
        let tensor = Tensor(Self.made(Case.vocabulary * Case.hidden, seed), shape: Shape(Case.vocabulary, Case.hidden))
        let parameter = Parameter(name: "head", value: tensor)
        return (parameter, LinearWeights(parameter))
      }
      tape.recordsGradients = false
      let teacher = tape.teacherRows(
        value(3), head(4).1, targets: item.targets, k: item.k, temperature: item.options.temperature, vocabulary: Case.vocabulary)
      let name = "\(variant) \(item.options) \(item.k)"
      #expect(teacher.tokens.map { Int($0) } == item.facts["ids"]?.elements?.compactMap(\.integer), "\(name)")
      expectNear(teacher.logProbabilities, item.numbers("log_probabilities"), 1e-5, "\(name) top")
      if item.k < Case.vocabulary {
        expectNear(teacher.tails, item.numbers("tails"), 1e-5, "\(name) tails")
      } else {
        #expect(teacher.tails.allSatisfy { $0 == -.infinity })
      }
      tape.reset()
      tape.recordsGradients = true
      let (parameter, weights) = head(2),
        rows = Parameter(
          name: "rows", value: Tensor(Self.made(Case.rows * Case.hidden, 1), shape: Shape(Case.rows, Case.hidden)))
      let loss = tape.distillation(
        tape.embedding(rows, Array(0..<Case.rows)), weights, targets: item.targets, teacher: teacher, item.options,
        scale: item.scale)
      tape.backward()
      expectNear([Float(loss.crossEntropy)], [item.facts["cross_entropy"]?.double ?? 0], 1e-5, name)
      expectNear([Float(loss.divergence)], [item.facts["divergence"]?.double ?? 0], 2e-5, "\(name) divergence")
      expectNear(rows.gradient.floatArray(), item.numbers("hidden"), 3e-5, "\(name) hidden")
      expectNear(parameter.gradient.floatArray(), item.numbers("head"), 3e-5, "\(name) head")
    }
  }

  @Test(arguments: KullbackLeibler.allCases, [1, 4, 77]) func equalsDifferences(_ kind: KullbackLeibler, k: Int) {
    let trial = FiniteDifferenceTests.Trial(), x = trial.parameter([40, 12]), head = LinearWeights(trial.parameter([77, 12]))
    let targets = (0..<40).map { $0 % 7 == 3 ? -1 : $0 * 5 % 77 }
    var numbers = FiniteDifferenceTests.Numbers(seed: 9)
    let other = Tape(compute: Compute(threadCount: 1), precision: .float32)
    other.recordsGradients = false
    let teacher = other.teacherRows(
      other.constant(numbers.array(40 * 12), shape: [40, 12]),
      LinearWeights(Parameter(name: "teacher", value: Tensor(numbers.array(77 * 12), shape: [77, 12]))), targets: targets, k: k,
      temperature: 1.5, vocabulary: 77)
    let options = DistillationOptions(divergence: kind, temperature: 1.5, weight: 0.6)
    trial.check {
      let loss = trial.tape.distillation(trial.value(x), head, targets: targets, teacher: teacher, options, scale: 0.3)
      return (nil, 0.4 * loss.crossEntropy + 0.6 * loss.divergence)
    }
  }

  /// A student that is its own teacher has nothing to learn, and a teacher that is sure of the targets teaches what they do.
  @Test func extremes() {
    let trial = FiniteDifferenceTests.Trial(), x = trial.parameter([9, 8]), weight = trial.parameter([60, 8])
    let head = LinearWeights(weight), targets = (0..<9).map { $0 * 7 % 60 }
    let tape = trial.tape
    tape.recordsGradients = false
    let same = tape.teacherRows(trial.value(x), head, targets: targets, k: 8, temperature: 1, vocabulary: 60)
    tape.reset()
    tape.recordsGradients = true
    for kind in KullbackLeibler.allCases {
      for parameter in [x, weight] { parameter.gradient.floats.update(repeating: 0, count: parameter.shape.count) }
      let loss = tape.distillation(
        trial.value(x), head, targets: targets, teacher: same, DistillationOptions(divergence: kind), scale: 1)
      tape.backward()
      #expect(abs(loss.divergence) < 1e-5)
      #expect((x.gradient.floatArray() + weight.gradient.floatArray()).allSatisfy { abs($0) < 1e-5 })
    }
    let sure = TeacherRows(
      k: 1, tokens: targets.map { UInt32($0) }, logProbabilities: targets.map { _ in 0 },
      tails: targets.map { _ in -Float.infinity })
    func gradients(_ body: () -> Void) -> [Float] {
      for parameter in [x, weight] { parameter.gradient.floats.update(repeating: 0, count: parameter.shape.count) }
      body()
      tape.backward()
      return x.gradient.floatArray() + weight.gradient.floatArray()
    }
    let one = gradients { _ = tape.crossEntropy(trial.value(x), head, targets: targets, scale: 1) }
    let two = gradients {
      _ = tape.distillation(trial.value(x), head, targets: targets, teacher: sure, DistillationOptions(), scale: 1)
    }
    for (one, two) in zip(one, two) { #expect(abs(one - two) < 1e-5) }
  }

  // MARK: Runs

  /// A teacher and a student of the same vocabulary, and chats.
  private func folder() throws -> DataFolder {
    let folder = try DataFolder(), manager = FileManager.default
    let source = Fixture.folder.deletingLastPathComponent().appendingPathComponent(
      "ModelsTests/Fixtures/checkpoints/llama-gqa-tied")
    try manager.createDirectory(atPath: folder.file("teacher"), withIntermediateDirectories: true)
    for name in ["config.json", "model.safetensors"] {
      try manager.copyItem(atPath: source.appendingPathComponent(name).path, toPath: folder.file("teacher/" + name))
    }
    var counts = WordCounts(.deepSeekV3)
    for seed in 0..<20 { counts.add(Sample.text(UInt64(seed))) }
    let json = try BytePairTraining(vocabularySize: 268).vocabulary(of: counts).tokenizerJSON().serialized()
    _ = try folder.write("teacher/tokenizer.json", json)
    let chats = (0..<40).map { index -> String in
      let turns: JSONValue = [
        ["role": "user", "content": .string(Sample.text(UInt64(index), words: 3))],
        ["role": "assistant", "content": .string(Sample.text(UInt64(index + 500), words: 2))],
      ]
      return JSONValue.object([JSONMember(key: "messages", value: turns)]).serialized() + "\n"
    }
    _ = try folder.write("chats.jsonl", chats.joined())
    return folder
  }

  private func recipe(_ folder: DataFolder, out: String = "run", _ distill: [String], data: [String] = []) throws -> Recipe {
    let lines =
      [
        "data:", "  chats: chats.jsonl", "  template: deepseek-v3", "  held_out: 0.2",
      ] + data + [
        "tokenizer:", "  file: teacher/tokenizer.json", "model:", "  config:", "    model_type: llama", "    hidden_size: 32",
        "    num_hidden_layers: 1", "    num_attention_heads: 2", "    num_key_value_heads: 2", "    intermediate_size: 48",
        "    max_position_embeddings: 256", "    rms_norm_eps: 1e-6", "    vocab_size: 300", "    initializer_range: 0.05",
        "optimizer:", "  learning_rate: 1e-2", "sequence_length: 128", "batch: 4", "micro_batch: 2", "steps: 10",
        "precision: float32", "checkpoint_interval: 4", "cost:", "  peak_flops: 1e11", "folder: \(out)", "distill:",
        "  teacher: teacher",
      ] + distill.map { "  " + $0 }
    return try Recipe(path: folder.write("\(out).yaml", lines.joined(separator: "\n") + "\n"))
  }

  private func trainer(_ recipe: Recipe) throws -> Trainer {
    try Trainer(PreparedRun(recipe, threadCount: 2), compute: Compute(threadCount: 2))
  }

  private func bits(_ trainer: Trainer) -> [[UInt32]] {
    trainer.model.parameters.saved.map { $0.value.floatArray().map(\.bitPattern) }
  }

  /// A teacher that is asked while training, one whose answers are kept, and a run that was stopped twice give the same bits.
  @Test(arguments: KullbackLeibler.allCases) func keptAnswersChangeNothing(_ kind: KullbackLeibler) throws {
    let folder = try folder(), options = ["loss: \(kind.rawValue)", "temperature: 2", "weight: 0.8", "top_k: 8"]
    let asked = try trainer(recipe(folder, out: "asked", options))
    #expect(try asked.train() == .finished)
    let first = try #require(asked.records.first?.divergence), last = try #require(asked.records.last?.divergence)
    #expect(last < first && asked.records.allSatisfy { $0.loss != nil })
    let kept = try trainer(recipe(folder, out: "kept", options + ["cache: cache"]))
    #expect(try kept.train() == .finished)
    #expect(bits(kept) == bits(asked))
    // What the teacher computes counts where it computes it.
    #expect(zip(asked.records, kept.records).allSatisfy { $0.flops > $1.flops })
    let before = kept.records.map(\.preparationFlops), total = kept.records.reduce(0) { $0 + $1.flops }
    #expect(try #require(before[0]) > 0 && before.dropFirst().allSatisfy { $0 == nil })
    #expect(RunReport(kept).cost.flops > total && asked.records.allSatisfy { $0.preparationFlops == nil })
    do {
      var notes: [String] = []
      let stopped = try trainer(recipe(folder, out: "stopped", options + ["cache: cache"]))
      #expect(try stopped.train(until: 3, note: { notes.append($0) }) == .interrupted)
      #expect(notes.isEmpty, "the teacher was asked again: \(notes)")
    }
    let resumed = try trainer(recipe(folder, out: "stopped", options + ["cache: cache"]))
    #expect(resumed.records.allSatisfy { $0.preparationFlops == nil })
    #expect(resumed.run.completedSteps == 3)
    #expect(try resumed.train() == .finished)
    #expect(bits(resumed) == bits(asked))
    let report = RunReport(resumed).markdown
    #expect(report.contains("divergence from the teacher") && report.contains(kind.rawValue))
  }

  @Test func fillingIsTakenUpAgain() throws {
    let folder = try folder(), recipe = try recipe(folder, ["top_k: 4", "cache: cache"])
    do {
      let trainer = try trainer(recipe)
      #expect(try trainer.train(isCancelled: { true }) == .interrupted)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.file("cache")).contains(TeacherCache.manifestName))
    #expect(try trainer(recipe).train() == .finished)
  }

  /// However many positions are only read, the teacher is asked about a pass of training at a time.
  @Test func theTeacherIsAskedInPasses() throws {
    let folder = try folder(), run = try PreparedRun(recipe(folder, ["top_k: 4"]), threadCount: 1)
    defer { withExtendedLifetime(folder) {} }
    let cache = try TeacherCache(run, try #require(run.teacher), folder: folder.file("cache"), precision: .float32)
    #expect(cache.partCount == 1)
    var sizes: [Int] = []
    let ask = { (batch: TrainingBatch) -> TeacherRows in
      sizes.append(batch.tokens.count)
      let rows = batch.targetCount
      return TeacherRows(
        k: 4, tokens: (0..<rows).flatMap { _ in [UInt32](0..<4) }, logProbabilities: [Float](repeating: -2, count: 4 * rows),
        tails: [Float](repeating: -1, count: rows))
    }
    #expect(try cache.fill(ask, isCancelled: { false }, note: { _ in }))
    #expect(sizes.count > 1 && sizes.allSatisfy { $0 <= 2 * 128 }, "\(sizes)")
    #expect(sizes.reduce(0, +) == run.tokenCount && cache.missing.isEmpty)
  }

  @Test func whatDoesNotMatchIsRefused() throws {
    let folder = try folder()
    func error(_ out: String, _ distill: [String], data: [String] = []) throws -> String {
      do {
        _ = try trainer(recipe(folder, out: out, distill, data: data)).train()
        return ""
      } catch { return "\(error)" }
    }
    #expect(try error("one", ["top_k: 4", "cache: cache"]) == "")
    #expect(try error("two", ["top_k: 5", "cache: cache"]).contains("top_k: found 4, expected 5"))
    #expect(try error("three", ["top_k: 4", "cache: cache", "temperature: 2"]).contains("temperature"))
    #expect(try error("four", ["cache: other"], data: ["  document_mask: false"]).contains("distill.cache"))
    #expect(try error("five", ["loss: kl"]).contains("expected one of forward_kl, reverse_kl"))
    #expect(try error("six", ["weight: 2"]).contains("from 0.0 to 1.0"))
    #expect(try error("seven", ["top: 2"]).contains("there is no such key"))
    // Damage, and a file that was cut.
    let part = folder.file("cache/part-000000.teacher")
    var bytes = try Data(contentsOf: URL(fileURLWithPath: part))
    let whole = bytes
    bytes[bytes.count - 3] ^= 1
    try bytes.write(to: URL(fileURLWithPath: part))
    #expect(try error("eight", ["top_k: 4", "cache: cache"]).contains("checksum does not match"))
    try whole.dropLast(40).write(to: URL(fileURLWithPath: part))
    #expect(try error("nine", ["top_k: 4", "cache: cache"]).contains("was cut"))
    // Without the part it is made anew.
    try FileManager.default.removeItem(atPath: part)
    #expect(try error("ten", ["top_k: 4", "cache: cache"]) == "")
    #expect(try Data(contentsOf: URL(fileURLWithPath: part)) == whole)
  }

  /// Another vocabulary of the same size is found before anything is computed.
  @Test func otherVocabulariesAreRefused() throws {
    let folder = try folder()
    var counts = WordCounts(.deepSeekV3)
    for _ in 0..<9 { counts.add("zebras quarrel about quick quartz, zebras quote quietly") }
    func train(_ size: Int) throws -> String {
      let json = try BytePairTraining(vocabularySize: size).vocabulary(of: counts).tokenizerJSON().serialized()
      var recipe = try recipe(folder, out: "other", [])
      recipe.tokenizer = .file(try folder.write("other.json", json))
      do {
        _ = try PreparedRun(recipe, threadCount: 1)
        return ""
      } catch { return "\(error)" }
    }
    #expect(try train(266).contains("distill.teacher: its vocabulary has 268 tokens, the student's 266"))
    let error = try train(268)
    #expect(error.contains("distill.teacher: token ") && error.contains("the student's '"), "\(error)")
    #expect(!FileManager.default.fileExists(atPath: folder.file("other/data")))
  }
}
