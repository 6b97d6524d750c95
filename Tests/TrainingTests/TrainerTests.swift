import Foundation
import SwiftletCheckpoints
import SwiftletGeneration
import SwiftletModels
import SwiftletTensors
import SwiftletTokenization
import Testing

@testable import SwiftletTraining

@Suite struct TrainerTests {
  private func trainer(
    _ folder: DataFolder, _ changes: [String: String?] = [:], out: String = "run", threads: Int = 2
  ) throws -> Trainer {
    let run = try PreparedRun(try RecipeSample.recipe(folder, changes, out: out), threadCount: threads)
    return try Trainer(run, compute: Compute(threadCount: threads))
  }

  private func bits(_ trainer: Trainer) -> [[UInt32]] {
    trainer.model.parameters.parameters.map { parameter in
      UnsafeBufferPointer(start: parameter.value.floats, count: parameter.shape.count).map(\.bitPattern)
    }
  }

  /// What a run of twenty steps gives, with either number of threads.
  private func unbroken(_ folder: DataFolder, _ changes: [String: String?] = [:]) throws -> [[UInt32]] {
    let one = try trainer(folder, changes, out: "one", threads: 1), two = try trainer(folder, changes, out: "two", threads: 2)
    #expect(try one.train() == .finished)
    #expect(try two.train() == .finished)
    let result = bits(one)
    #expect(result == bits(two))
    return result
  }

  @Test(arguments: [
    ("adamw", "bfloat16", "float32"), ("muon", "bfloat16", "bfloat16"), ("muon", "fp8", "int8"), ("adamw", "fp8", "int8"),
    ("adamw", "fp8", "bfloat16"),
  ]) func runsGoOnWithTheSameBits(optimizer: String, precision: String, state: String) throws {
    // Wide enough for int8.
    let folder = try DataFolder(),
      changes = [
        "name": "  name: \(optimizer)\n  state: \(state)", "precision": "precision: \(precision)",
        "intermediate_size": "    intermediate_size: 160",
      ]
    let expected = try unbroken(folder, changes)
    // Not where a checkpoint is due.
    #expect(try trainer(folder, changes, threads: 1).train(until: 7) == .interrupted)
    let second = try trainer(folder, changes)
    #expect(second.run.completedSteps == 7)
    #expect(try second.train() == .finished)
    #expect(bits(second) == expected)
    #expect(second.records.map(\.step) == Array(1...20))
    #expect(second.run.checkpoints.steps == [15, 20])
  }

  @Test func leftOutPositionsGoOnWithTheSameBits() throws {
    let folder = try DataFolder()
    func changes(below limit: Int) -> [String: String?] { ["seed": "seed: 3\nposition_skips: {most: 3, below: \(limit)}"] }
    let expected = try unbroken(folder, changes(below: 64))
    #expect(try trainer(folder, changes(below: 64)).train(until: 7) == .interrupted)
    let second = try trainer(folder, changes(below: 64))
    #expect(try second.train() == .finished)
    #expect(bits(second) == expected)
    let plain = try trainer(folder, out: "plain")
    #expect(try plain.train() == .finished)
    #expect(bits(plain) != expected)
    let error = #expect(throws: RecipeError.self) { try trainer(folder, changes(below: 65), out: "far") }
    #expect(error?.key == "position_skips.below")
  }

  /// Nothing teaches it, or nothing yet, so weight decay does not touch it either.
  @Test(arguments: ["0", "{weight: 0, later_step: 3, later_weight: 0.3}"])
  func aPredictionLayerThatIsLeftOutStays(prediction: String) throws {
    let folder = try DataFolder(), trainer = try trainer(folder, ["prediction": "prediction: \(prediction)"])
    let first = bits(trainer), names = trainer.model.parameters.parameters.map(\.name)
    _ = try trainer.train(until: 3)
    for (name, (before, after)) in zip(names, zip(first, bits(trainer))) {
      if name.hasPrefix("model.layers.2.") {
        #expect(before == after, "\(name)")
      } else if name.hasSuffix("o_proj.weight") {
        #expect(before != after, "\(name)")
      }
    }
    let projection = try #require(names.firstIndex(of: "model.layers.2.eh_proj.weight"))
    _ = try trainer.train(until: 4)
    #expect((bits(trainer)[projection] != first[projection]) == (prediction != "0"))
  }

  @Test func schedulesGoOnWithTheSameBits() throws {
    let folder = try DataFolder(), last = "  later_step: 17\n  later_learning_rate: 1e-5"
    let changes = [
      "schedule": "  schedule: cosine\n  cosine_from: 8\n  cosine_to: 14\n" + last,
      "prediction": "prediction: 0.3\nbalance: {until_step: 10}",
    ]
    let whole = try trainer(folder, changes, out: "whole", threads: 1)
    func biases() throws -> [UInt32] {
      let bias = try #require(whole.model.routerBias(layer: 1))
      return UnsafeBufferPointer(start: bias.value.floats, count: bias.shape.count).map(\.bitPattern)
    }
    _ = try whole.train(until: 9)
    let before = try biases()
    _ = try whole.train(until: 10)
    let after = try biases()
    _ = try whole.train()
    #expect(before != after)
    #expect(try biases() == after)
    let rates = whole.records.map(\.learningRate)
    // By step of the log, which counts from 1.
    let corners: [(step: Int, rate: Double)] = [
      (1, 1e-3 / 3), (3, 1e-3), (9, 1e-3), (12, 5.5e-4), (15, 1e-4), (17, 1e-4), (18, 1e-5), (20, 1e-5),
    ]
    for (step, expected) in corners {
      #expect(abs(rates[step - 1] - expected) < 1e-6 * expected, "step \(step): \(rates[step - 1])")
    }
    #expect(try trainer(folder, changes).train(until: 7) == .interrupted)
    let others = [
      ("optimizer.cosine_to", "schedule", "cosine_to: 14", "cosine_to: 15"),
      ("optimizer.later_learning_rate", "schedule", "later_learning_rate: 1e-5", "later_learning_rate: 2e-5"),
      ("balance.until_step", "prediction", "until_step: 10", "until_step: 11"),
    ]
    for (key, name, from, to) in others {
      var other = changes
      other[name] = changes[name]?.replacing(from, with: to)
      let error = try #require(throws: RecipeError.self) { _ = try trainer(folder, other) }
      #expect(error.key == key)
    }
    let second = try trainer(folder, changes)
    #expect(try second.train() == .finished)
    #expect(bits(second) == bits(whole))
    #expect(second.records.map(\.learningRate) == rates)
  }

  /// What a killed run did behind its last checkpoint is done again, and was paid for all the same, however often.
  @Test func stepsThatWereDoneAgainAreCounted() throws {
    let folder = try DataFolder(), log = folder.file("run") + "/log.jsonl", manager = FileManager.default
    var lost = 0.0
    for _ in 0..<2 {
      #expect(try trainer(folder).train(until: 10) == .interrupted)
      lost += try RunLog(path: log, step: 10).records[5...].reduce(0) { $0 + $1.elapsedSeconds }
      try manager.removeItem(atPath: folder.file("run") + "/checkpoints/step-00000010")
    }
    let last = try trainer(folder)
    #expect(last.run.completedSteps == 5 && lost > 0)
    #expect(abs((last.records.last?.lostSeconds ?? 0) - lost) < 1e-9)
    #expect(try last.train() == .finished)
    let cost = RunReport(last).cost, steps = last.records.reduce(0) { $0 + $1.elapsedSeconds }
    #expect(abs(cost.hours * 3600 - steps - lost) < 1e-6 && abs(cost.lostHours * 3600 - lost) < 1e-6)
    #expect(cost.tokens == 20 * 4 * 16 && RunReport(last).markdown.contains("of it for steps that were done again"))
  }

  @Test func foldersAndFilesMayBeCalledAsPatterns() throws {
    let folder = try DataFolder(), path = folder.file("a[1]*")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for name in ["b.txt", "c.txt", "d[2].txt"] { _ = try folder.write("a[1]*/" + name, "text") }
    let recipe = try Recipe(yaml: RecipeSample.text(), file: path + "/recipe.yaml")
    let found = try RunData.files(recipe, ["[bc].txt", "d[2].txt"], key: "data.text")
    #expect(found == ["b", "c", "d[2]"].map { "\(path)/\($0).txt" })
    #expect(throws: RecipeError.self) { try RunData.files(recipe, ["e*.txt"], key: "data.text") }
  }

  /// With all that it names, or alone, with its paths spelled anew.
  @Test func movedRecipesGoOn() throws {
    let folder = try DataFolder(), moved = try DataFolder(), manager = FileManager.default
    var counts = WordCounts(.deepSeekV3)
    for seed in 0..<40 { counts.add(Sample.text(UInt64(seed))) }
    let json = try BytePairTraining(vocabularySize: 300).vocabulary(of: counts).tokenizerJSON().serialized()
    _ = try folder.write("tokenizer.json", json)
    let changes = ["size": "  file: tokenizer.json"], expected = try unbroken(folder, changes)
    _ = try trainer(folder, changes).train(until: 7)
    try manager.copyItem(atPath: folder.path, toPath: moved.file("all"))
    func opened(_ path: String, _ out: String) throws -> Trainer {
      var recipe = try Recipe(path: path)
      recipe.folder = out
      return try Trainer(PreparedRun(recipe, threadCount: 2), compute: Compute(threadCount: 2))
    }
    let copy = try opened(moved.file("all/recipe.yaml"), moved.file("all/run"))
    #expect(copy.run.completedSteps == 7)
    #expect(try copy.train() == .finished)
    #expect(bits(copy) == expected)

    try manager.createDirectory(atPath: folder.file("recipes"), withIntermediateDirectories: true)
    func alone(_ text: String, _ tokenizer: String) throws -> Trainer {
      let lines = RecipeSample.text(["text": "  text: \(text)", "size": "  file: \(tokenizer)"])
      return try opened(folder.write("recipes/recipe.yaml", lines), folder.file("run"))
    }
    // Other data, and another tokenizer.
    _ = try folder.write("recipes/texts.jsonl", Sample.jsonLines((1...120).map { Sample.text(UInt64($0)) }))
    _ = try folder.write("recipes/other.json", json + "\n")
    let data = try #require(throws: RecipeError.self) { _ = try alone("texts.jsonl", "../tokenizer.json") }
    #expect(data.key == "data.text" && data.reason.contains("was begun with other files"), "\(data)")
    let tokenizer = try #require(throws: RecipeError.self) { _ = try alone("../texts.jsonl", "other.json") }
    #expect(tokenizer.key == "tokenizer.file", "\(tokenizer)")
    let last = try alone("../texts.jsonl", "../tokenizer.json")
    #expect(last.run.completedSteps == 7)
    #expect(try last.train() == .finished)
    #expect(bits(last) == expected)
  }

  /// Their held-out documents must be the same too.
  @Test func movedDatasetsGoOn() throws {
    let folder = try DataFolder()
    _ = try Sample.dataset(folder, "a", (0..<120).map { Sample.text(UInt64($0)) }, shardTokens: 1000, heldOut: 0.2)
    func changes(_ name: String) -> [String: String?] {
      ["text": "  datasets: [\(name)]", "held_out": nil, "tokenizer": nil, "size": nil]
    }
    let expected = try unbroken(folder, changes("a"))
    #expect(try trainer(folder, changes("a")).train(until: 7) == .interrupted)
    try FileManager.default.moveItem(atPath: folder.file("a"), toPath: folder.file("b"))
    let manifest = folder.file("b/" + DatasetManifest.name), whole = try DatasetManifest(path: manifest)
    var other = whole
    other.shards[.heldOut]?.removeLast()
    try other.write(to: manifest)
    let error = try #require(throws: RecipeError.self) { _ = try trainer(folder, changes("b")) }
    #expect(error.key == "data" && error.reason.contains("other held-out documents"), "\(error)")
    // Runs of before kept no checksums.
    let path = RunCheckpoints(runFolder: folder.file("run")).path(step: 7) + "/" + RunCheckpoints.stateName
    let saved = try Data(contentsOf: URL(fileURLWithPath: path))
    var state = try JSONDecoder().decode(RunState.self, from: saved)
    state.heldOut = nil
    try JSONEncoder().encode(state).write(to: URL(fileURLWithPath: path))
    #expect(try trainer(folder, changes("b")).run.completedSteps == 7)
    try saved.write(to: URL(fileURLWithPath: path))
    try whole.write(to: manifest)
    let last = try trainer(folder, changes("b"))
    #expect(try last.train() == .finished)
    #expect(bits(last) == expected)
  }

  /// The same ones, whatever seed and passes; runs that were begun with the first ones go on with those.
  @Test func heldOutSequencesAreSpread() throws {
    let folder = try DataFolder(), first = try trainer(folder)
    let stream = try #require(first.run.data.heldOut.first).dataset.tokens, count = (stream.count - 1) / 16
    #expect(count > 20)
    func sequences(_ places: [Int]) -> [Int] { places.flatMap { stream[$0 * 16..<($0 + 1) * 16] } }
    let spread = sequences((0..<4).map { $0 * count / 4 })
    #expect(first.run.evaluation.flatMap(\.tokens) == spread)
    let changes = ["seed": "seed: 4", "micro_batch": "micro_batch: 4"]
    #expect(try trainer(folder, changes, out: "other").run.evaluation.flatMap(\.tokens) == spread)
    let all = ["sequences": "  sequences: 100000"]
    #expect(try trainer(folder, all, out: "all").run.evaluation.flatMap(\.tokens) == sequences(Array(0..<count)))

    #expect(try trainer(folder, out: "older").train(until: 5) == .interrupted)
    #expect(try trainer(folder, out: "older").run.evaluation.flatMap(\.tokens) == spread)
    let path = RunCheckpoints(runFolder: folder.file("older")).path(step: 5) + "/" + RunCheckpoints.stateName
    var state = try JSONDecoder().decode(RunState.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    state.spreadsEvaluation = nil
    try JSONEncoder().encode(state).write(to: URL(fileURLWithPath: path))
    #expect(try trainer(folder, out: "older").run.evaluation.flatMap(\.tokens) == sequences([0, 1, 2, 3]))
  }

  @Test func interruptedStepsAreDoneAgain() throws {
    let folder = try DataFolder(), expected = try unbroken(folder)
    var asked = 0
    do {
      // Between the passes of a step.
      let first = try trainer(folder)
      let outcome = try first.train(isCancelled: {
        asked += 1
        return asked > 20
      })
      #expect(outcome == .interrupted)
    }
    let second = try trainer(folder)
    #expect(second.run.completedSteps == 6)
    _ = try second.train()
    #expect(bits(second) == expected)
  }

  @Test func halfWrittenAndDamagedCheckpointsArePassedOver() throws {
    let folder = try DataFolder(), expected = try unbroken(folder)
    _ = try trainer(folder).train(until: 10)
    let checkpoints = RunCheckpoints(runFolder: folder.file("run")), manager = FileManager.default
    #expect(checkpoints.steps == [5, 10])
    // What a process leaves that is killed while it writes.
    let partial = checkpoints.folder + "/.step-00000015.abc.partial"
    try manager.copyItem(atPath: checkpoints.path(step: 10), toPath: partial)
    try manager.removeItem(atPath: partial + "/state.json")
    let weights = try FileHandle(forWritingTo: URL(fileURLWithPath: checkpoints.path(step: 10) + "/model.safetensors"))
    try weights.seek(toOffset: try weights.seekToEnd() - 2)
    try weights.write(contentsOf: [0x55])
    try weights.close()
    let second = try trainer(folder)
    #expect(!manager.fileExists(atPath: partial))
    #expect(second.run.completedSteps == 5)
    #expect(second.run.damagedCheckpoints.first?.field == "checksum")
    _ = try second.train()
    #expect(bits(second) == expected)
    #expect(second.records.map(\.step) == Array(1...20))
  }

  /// Nothing of a process that was killed while it wrote results takes room for ever; files of others stay.
  @Test func halfWrittenResultsAreRemoved() throws {
    let folder = try DataFolder(), manager = FileManager.default
    _ = try trainer(folder).train(until: 5)
    try manager.createDirectory(atPath: folder.file("run/.model.1abc.partial"), withIntermediateDirectories: true)
    for name in [".model.1abc.partial/model.safetensors", ".log.jsonl.2.partial", ".loss.svg.3.partial", ".notes.md.4.partial"] {
      _ = try folder.write("run/" + name, "half a file")
    }
    let second = try trainer(folder)
    #expect(second.run.completedSteps == 5 && second.records.count == 5)
    let left = try manager.contentsOfDirectory(atPath: folder.file("run")).filter { $0.hasSuffix(".partial") }
    #expect(left == [".notes.md.4.partial"])
  }

  /// The error says what helps, and it does.
  @Test(arguments: ["damaged", "cut", "empty", "missing", "manifest"]) func damagedDataCanBePackedAgain(_ how: String) throws {
    let folder = try DataFolder()
    _ = try trainer(folder).train(until: 7)
    let name = how == "manifest" ? "dataset.json" : "training-000000.tokens", path = folder.file("run/data/" + name)
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    switch how {
    case "damaged": bytes[bytes.count - 1] ^= 1
    case "cut", "manifest": bytes.removeLast(5)
    default: bytes = []
    }
    _ = try folder.write("run/data/" + name, bytes)
    if how == "missing" { try FileManager.default.removeItem(atPath: path) }
    let error = try #require(throws: RecipeError.self) { _ = try trainer(folder) }
    #expect(error.key == "data.text" && error.reason.contains(name), "\(error)")
    #expect(error.reason.hasSuffix("(remove the folder \(folder.file("run"))/data, and the run packs it again)"), "\(error)")
    try FileManager.default.removeItem(atPath: folder.file("run/data"))
    let second = try trainer(folder)
    #expect(second.run.completedSteps == 7)
    #expect(try second.train(until: 8) == .interrupted && second.records.count == 8)
  }

  @Test func otherRecipesDoNotGoOn() throws {
    let folder = try DataFolder()
    _ = try trainer(folder).train(until: 5)
    let error = try #require(throws: RecipeError.self) {
      _ = try trainer(folder, ["learning_rate": "  learning_rate: 2e-3"])
    }
    #expect(error.key == "optimizer.learning_rate")
    // The run's own tokenizer was trained, not read.
    let tokenizer = try #require(throws: RecipeError.self) {
      _ = try trainer(folder, ["size": "  file: run/tokenizer.json"])
    }
    #expect(tokenizer.key == "tokenizer.file")
    #expect(try trainer(folder, ["checkpoint_interval": "checkpoint_interval: 3"]).train() == .finished)
  }

  @Test func oneRunAFolder() throws {
    let folder = try DataFolder(), first = try trainer(folder)
    #expect(throws: TrainingError.self) { _ = try trainer(folder) }
    _ = first.records
  }

  @Test func weightsThatAreNotFiniteAreNamed() throws {
    let folder = try DataFolder(), trainer = try trainer(folder, ["nan": "  nan: skip"])
    _ = try trainer.train(until: 5)
    let name = "model.layers.1.mlp.experts.2.down_proj.weight", parameter = try #require(trainer.model.parameters[name])
    parameter.value.floats[3] = .nan
    parameter.valueChanged()
    let error = try #require(throws: TrainingError.self) { _ = try trainer.train() }
    #expect(error.step == 6)
    #expect(error.reason.contains(name) && error.reason.contains("step 5"), "\(error)")
  }

  /// A weight so large that a product overflows.
  @Test func layersThatOverflowAreNamedOrSkipped() throws {
    for action in ["stop", "skip"] {
      let changes = ["nan": "  nan: \(action)\n  limit: 3", "checkpoint_interval": "checkpoint_interval: 1"]
      let folder = try DataFolder(), trainer = try trainer(folder, changes)
      for (name, value) in [("o_proj", Float(3e38)), ("kv_a_layernorm", 1e30)] {
        let parameter = try #require(trainer.model.parameters["model.layers.1.self_attn.\(name).weight"])
        parameter.value.floats.update(repeating: value, count: parameter.shape.count)
        parameter.valueChanged()
      }
      let error = try #require(throws: TrainingError.self) { _ = try trainer.train() }
      #expect(error.reason.contains("the output of model.layers.1"), "\(error)")
      #expect(error.step == (action == "stop" ? 1 : 4))
      #expect(trainer.records.count { $0.skipped != nil } == (action == "stop" ? 0 : 3))
      // The search for the place is no part of the step.
      for record in trainer.records { #expect(record.expertLoads?.allSatisfy { $0.reduce(0, +) == 128 } == true) }
    }
  }

  /// With weights that stay, some batch's loss is above the mean.
  @Test func spikesAreNamed() throws {
    let folder = try DataFolder()
    let changes = ["learning_rate": "  learning_rate: 1e-12", "nan": "  spike: stop\n  spike_height: 1e-9"]
    let error = try #require(throws: TrainingError.self) { _ = try trainer(folder, changes).train() }
    #expect(error.reason.contains("a loss spike") && error.reason.contains("the last checkpoint is that of step"), "\(error)")
    #expect(try #require(error.step) > 8)
  }

  /// What a run needs at least, by its parts, is no more than what it has then; a limit below it is named before the first step.
  @Test func modelsThatMemoryDoesNotHoldAreRefused() throws {
    let folder = try DataFolder(), trainer = try trainer(folder), recipe = trainer.run.recipe
    let memory = RunMemory(recipe, trainer.run.configuration), bytes = Int(memory.total)
    let weights = try #require(memory.parts.first { $0.name == "weights" }).bytes
    // All but the layer that predicts further tokens, which other runs may not have.
    #expect(weights > Double(2 * trainer.model.parameters.count) && weights < Double(4 * trainer.model.parameters.count))
    #expect(memory.parts.contains { $0.name == "moments" && abs($0.bytes - 2 * weights) < 0.01 * weights })
    #expect(memory.parts.contains { $0.name == "inputs of layers" && $0.bytes == 4 * 2 * 16 * 2 * 32 })
    try memory.check(recipe, MemoryLimits(resident: MemoryLimits.Limit(bytes: bytes, source: "the machine's memory")))
    let all = MemoryLimits.Limit(bytes: 1 << 50, source: "the machine's memory")
    let less = MemoryLimits.Limit(bytes: bytes - 1, source: "the limit of data (ulimit -d)")
    let error = try #require(throws: RecipeError.self) { try memory.check(recipe, MemoryLimits(resident: all, data: less)) }
    #expect(error.key == "model" && error.reason.contains("but the limit of data (ulimit -d) is "))
    let large = try #require(throws: RecipeError.self) {
      let changes = ["hidden_size": "    hidden_size: 1048576", "num_hidden_layers": "    num_hidden_layers: 400"]
      _ = try self.trainer(folder, changes, out: "large")
    }
    #expect(large.key == "model" && large.reason.contains("needs at least"), "\(large)")
  }

  @Test func reportAndModelAreWritten() throws {
    // All that is held out, so that no letter is cut between two sequences.
    let folder = try DataFolder(), trainer = try trainer(folder, ["sequences": "  sequences: 100000"])
    _ = try trainer.train()
    let report = RunReport(trainer), first = try #require(trainer.records.first?.loss), last = try #require(trainer.records.last)
    #expect(try #require(last.loss) < first)
    let held = try #require(last.heldOutLoss), bitsPerByte = try #require(last.heldOutBitsPerByte)
    // The text is ASCII, so that every token decodes alone.
    let tokenizer = try #require(trainer.run.data.tokenizer)
    let targets = trainer.run.evaluation.flatMap(\.targets).filter { $0 >= 0 }
    let bytes = tokenizer.decode(targets.map { Int32($0) }, skippingSpecialTokens: true).utf8.count
    #expect(abs(bitsPerByte - held * Double(targets.count) / (Double(bytes) * M_LN2)) < 1e-9)
    #expect(report.markdown.contains("bits a byte"))
    // Of the layer with experts and that which predicts: two experts for each of 64 tokens.
    let loads = trainer.records.filter { $0.expertLoads != nil }
    #expect(loads.map(\.step) == [5, 10, 15, 20])
    for record in loads {
      #expect(record.expertLoads?.map { $0.reduce(0, +) } == [128, 128] && record.expertLoads?.map(\.count) == [4, 4])
      let violations = RouterBiasRule.maximalViolations(record.expertLoads ?? []).map(\.value)
      #expect(abs(violations.reduce(0, +) / 2 - (record.maximalViolation ?? 0)) < 1e-12)
    }
    #expect(report.markdown.contains("of the mean of a layer, at step 20"))
    #expect(report.cost.tokens == 20 * 4 * 16)
    // 37.6B active parameters and attention at 4096 tokens, at 180K hours for a trillion tokens.
    #expect((2.0e17...6.0e18).contains(RunCost.publishedFLOPsPerHour))
    // The same tokens of DeepSeek-V3 itself, with its prediction layer as this run's operations have it, are those hours.
    let v3 = TokenFLOPs(try #require(ModelPreset.named("deepseek-v3")).configuration)
    let token = v3.training(sequenceLength: 4096) + v3.predictionTraining(sequenceLength: 4096)
    #expect(abs(token * 1e12 / RunCost.publishedFLOPsPerHour - 180e3) < 1)
    try report.write(to: folder.file("run"))
    #expect(report.markdown.contains("H800-hours"))
    #expect(report.plots.map(\.name) == ["loss.svg", "learning-rate.svg", "balance.svg"])
    try trainer.export(to: folder.file("run") + "/model")
    let model = try SafetensorsFolder(path: folder.file("run") + "/model")
    #expect(model.tensors.count == trainer.model.parameters.parameters.count)
    // And as the beginning of another run.
    let lines = RecipeSample.text().components(separatedBy: "\n")
    let start = try #require(lines.firstIndex(of: "  config:")), end = try #require(lines.firstIndex(of: "optimizer:"))
    let text = (lines[..<start] + ["  from: run/model"] + lines[end...]).joined(separator: "\n")
      .replacing("  size: 300", with: "  file: run/model/tokenizer.json")
    var recipe = try Recipe(path: folder.write("next.yaml", text))
    recipe.folder = folder.file("next")
    let next = try Trainer(PreparedRun(recipe, threadCount: 1), compute: Compute(threadCount: 1))
    #expect(bits(next) == bits(trainer))
  }
}
