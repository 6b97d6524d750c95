import Foundation
import SwiftletCheckpoints
import SwiftletModels
import SwiftletTensors
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

  @Test func otherRecipesDoNotGoOn() throws {
    let folder = try DataFolder()
    _ = try trainer(folder).train(until: 5)
    let error = try #require(throws: RecipeError.self) {
      _ = try trainer(folder, ["learning_rate": "  learning_rate: 2e-3"])
    }
    #expect(error.key == "optimizer.learning_rate")
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
      let folder = try DataFolder(), trainer = try trainer(folder, ["nan": "  nan: \(action)\n  limit: 3"])
      for (name, value) in [("o_proj", Float(3e38)), ("kv_a_layernorm", 1e30)] {
        let parameter = try #require(trainer.model.parameters["model.layers.1.self_attn.\(name).weight"])
        parameter.value.floats.update(repeating: value, count: parameter.shape.count)
        parameter.valueChanged()
      }
      let error = try #require(throws: TrainingError.self) { _ = try trainer.train() }
      #expect(error.reason.contains("the output of model.layers.1"), "\(error)")
      #expect(error.step == (action == "stop" ? 1 : 4))
      #expect(trainer.records.count { $0.skipped != nil } == (action == "stop" ? 0 : 3))
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

  @Test func reportAndModelAreWritten() throws {
    let folder = try DataFolder(), trainer = try trainer(folder)
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
    #expect(report.cost.tokens == 20 * 4 * 16)
    // 37.6B active parameters and attention at 4096 tokens, at 180K hours for a trillion tokens.
    #expect((2.0e17...6.0e18).contains(RunCost.publishedFLOPsPerHour))
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
