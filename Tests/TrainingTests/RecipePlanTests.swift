import Foundation
import SwiftletJSON
import SwiftletModels
import SwiftletTensors
import Testing

@testable import SwiftletTraining

/// What recipes' runs take, said before.
@Suite struct RecipePlanTests {
  private func isNear(_ value: Double, _ expected: Double) -> Bool { abs(value / expected - 1) < 1e-6 }

  /// A Llama of three layers: width 40, four heads of 10, two of keys; feed-forward 44; 269 tokens, tied; F32.
  private static let base = Fixture.folder.deletingLastPathComponent()
    .appendingPathComponent("ModelsTests/Fixtures/checkpoints/llama-gqa-tied").path
  private static let parameters = 269 * 40 + 40 + 3 * (2 * 40 * 40 + 2 * 20 * 40 + 2 * 40 + 3 * 44 * 40)
  private static let tail = [
    "optimizer:", "  learning_rate: 1e-3", "sequence_length: 64", "micro_batch: 2", "steps: 10", "cost:", "  peak_flops: 1e11",
    "  watts: 33", "folder: /no/such/folder/run",
  ]

  private func plan(_ lines: [String]) throws -> RecipePlan {
    try RecipePlan(Recipe(yaml: (lines + Self.tail).joined(separator: "\n") + "\n", file: "/no/such/folder/recipe.yaml"))
  }

  private func stage(_ plan: RecipePlan) throws -> TrainingStage {
    let run = try plan.run(hardware: .machine(plan.recipe.cost, threadCount: 2))
    #expect(run.deviceCount.value == 1 && run.hardware.bf16FLOPsPerSecond.value == 1e11 && run.stages.count == 1)
    return try #require(run.stages.first)
  }

  /// Tokens, operations, parameters and the optimizer's bytes are those of the run that follows; nothing is there before.
  @Test(arguments: [("adamw", "float32"), ("adamw", "int8"), ("muon", "bfloat16"), ("muon", "int8")])
  func aRunTakesWhatWasPlanned(optimizer: String, state: String) throws {
    let folder = try DataFolder()
    // Wide enough for int8.
    let recipe = try RecipeSample.recipe(
      folder,
      [
        "name": "  name: \(optimizer)\n  state: \(state)", "intermediate_size": "    intermediate_size: 160",
        "initializer_range": "    initializer_range: 0.02\n    vocab_size: 320",
        "micro_batch": "micro_batch: 1\nbatch_ramp: {from: 2, steps: 10}",
        "prediction": "prediction: {weight: 0, later_step: 5, later_weight: 0.3}",
      ])
    let plan = try RecipePlan(recipe), stage = try stage(plan)
    #expect(!FileManager.default.fileExists(atPath: recipe.folder))
    let memory = try TrainingMemory(
      plan.trainedConfiguration, formats: plan.formats, trained: plan.trained(), tokensInFlight: 16)
    let trainer = try Trainer(PreparedRun(recipe, threadCount: 2), compute: Compute(threadCount: 2))
    #expect(try trainer.train() == .finished)
    #expect(stage.tokens == Double(trainer.records.reduce(0) { $0 + $1.tokens }))
    #expect(isNear(stage.flops(TokenFLOPs(plan.trainedConfiguration)), trainer.records.reduce(0) { $0 + $1.flops }))
    #expect(plan.trainedCount == Double(trainer.model.parameters.count))
    #expect(memory.masterWeights == 4 * plan.trainedCount && memory.gradients == memory.masterWeights)
    #expect(isNear(memory.optimizerState, Double(trainer.optimizerStateBytes)))
    // Flags go before the recipe.
    #expect(isNear(plan.trained(moments: 1, format: .bf16).momentBytes, 2 * plan.trainedCount))
  }

  @Test func rampsAreSummed() throws {
    for micro in [1, 2, 4] {
      for from in 1...4 {
        for steps in [1, 3, 7, 10] {
          let recipe = try Recipe(
            yaml: RecipeSample.text(["micro_batch": "micro_batch: \(micro)\nbatch_ramp: {from: \(from), steps: \(steps)}"]),
            file: "r")
          for end in 0..<15 {
            #expect(recipe.passes(before: end) == (0..<end).reduce(0) { $0 + recipe.passes(step: $1) })
          }
        }
      }
    }
    let long = try Recipe(
      yaml: RecipeSample.text(["micro_batch": "micro_batch: 1\nbatch_ramp: {from: 1, steps: 1000000000000}"]), file: "r")
    // A third each has one, two and three passes.
    #expect(abs(long.passes(before: 1_000_000_000_000) - 2_000_000_000_000) <= 3)
  }

  /// The vocabulary is that of a tokenizer to come, of a file, or of datasets.
  @Test func vocabulariesAreFound() throws {
    let text = try Recipe(yaml: RecipeSample.text(), file: "/no/such/folder/r.yaml")
    #expect(try RecipePlan(text).configuration.vocabularySize == 300)
    let folder = try DataFolder(), dataset = try Sample.dataset(folder, "set", (0..<9).map { Sample.text(UInt64($0)) })
    let changes: [String: String?] = ["text": "  datasets: [set]", "held_out": nil, "tokenizer": nil, "size": nil]
    let packed = try Recipe(path: folder.write("recipe.yaml", RecipeSample.text(changes)))
    #expect(try RecipePlan(packed).configuration.vocabularySize == dataset.vocabulary.size)
  }

  static let wrong: [([String: String?], String, String)] = [
    (["size": "  file: none.json"], "tokenizer.file", "cannot be opened"),
    (["tokenizer": nil, "size": nil], "tokenizer", "model.config has no vocab_size"),
    (["num_hidden_layers": "    num_hidden_layers: 0"], "model.config.num_hidden_layers", "found 0"),
    (["sequence_length": "sequence_length: 65"], "sequence_length", "found 65, expected at most"),
    (["batch": "batch: 1048576", "micro_batch": nil, "steps": "steps: 1099511627776"], "steps", "expected at most 1e18"),
    (["text": "  datasets: [none]", "held_out": nil, "tokenizer": nil, "size": nil], "data.datasets[0]", "has no dataset.json"),
  ]

  @Test(arguments: RecipePlanTests.wrong) func wrongKeysAreNamed(changes: [String: String?], key: String, reason: String) throws {
    let error = try #require(throws: RecipeError.self) {
      _ = try RecipePlan(Recipe(yaml: RecipeSample.text(changes), file: "/no/such/folder/r.yaml"))
    }
    #expect(error.key == key && error.reason.contains(reason), "\(error)")
  }

  /// By hand: rank 4 for 2 · 80 of queries and outputs, 2 · 60 of keys and values, 3 · 84 of the feed-forward part, in three layers.
  @Test func adaptersLeaveWeightsFrozen() throws {
    let plan = try plan(["data:", "  chats: none.jsonl", "model:", "  from: \(Self.base)", "lora:", "  rank: 4", "batch: 4"])
    #expect(plan.trainedCount == 3 * 4 * 532)
    let trained = plan.trained(), stage = try stage(plan), token = TokenFLOPs(plan.configuration)
    #expect(trained.momentBytes == 8 * plan.trainedCount)
    #expect(trained.others.map(\.bytes) == [Double(4 * Self.parameters)])
    // Attention of 32.5 positions, and products without the gradients of weights.
    #expect(stage.tokens == 10 * 4 * 64)
    #expect(isNear(stage.flops(token), stage.tokens * (2 * token.products + 3 * token.attentionPerPosition * 32.5)))
    #expect(plan.notes.contains { $0.contains("without the data") })
  }

  @Test func answersAreBounded() throws {
    let plan = try plan([
      "model:", "  from: \(Self.base)", "reinforce:", "  tasks: [{family: parity}]", "  prompt: \"{question} =\"", "  prompts: 3",
      "  samples: 4", "  max_new_tokens: 16", "  epochs: 2", "  beta: 0.1", "  rewards: {accuracy: 1}",
    ])
    let stage = try stage(plan), token = TokenFLOPs(plan.configuration)
    #expect(stage.name.contains("at most") && stage.tokens == 10 * 12 * 64)
    // Twice forward and back, and forward for the answers and for the reference.
    #expect(isNear(stage.flops(token), stage.tokens * 8 * token.forward(positions: 32.5)))
    #expect(plan.notes.first?.contains("not known before the run") == true)
    // BF16 to draw from; keys and values of two heads of 10 in three layers; the reference in F32.
    #expect(
      plan.trained().others.map(\.bytes) == [
        Double(2 * Self.parameters), Double(2 * 12 * 64 * 120), Double(4 * Self.parameters),
      ])
  }

  @Test func teachersAreCounted() throws {
    let lines = [
      "data:", "  chats: none.jsonl", "model:", "  config:", "    model_type: llama", "    hidden_size: 32",
      "    num_hidden_layers: 1", "    num_attention_heads: 2", "    num_key_value_heads: 2", "    intermediate_size: 48",
      "    max_position_embeddings: 256", "    vocab_size: 269", "distill:", "  teacher: \(Self.base)", "batch: 4",
    ]
    let plan = try plan(lines), stage = try stage(plan), token = TokenFLOPs(plan.configuration)
    let teacher = try ModelConfiguration(
      json: JSONValue(parsing: Array(Data(contentsOf: URL(fileURLWithPath: Self.base + "/config.json")))), source: "config.json")
    let expected = 3 * token.forward(positions: 32.5) + TokenFLOPs(teacher).forward(positions: 32.5)
    #expect(isNear(stage.flops(token), stage.tokens * expected))
    #expect(plan.trained().others.map(\.bytes) == [Double(4 * Self.parameters)])
    #expect(plan.notes.contains { $0.contains("teacher") })
  }

  /// One of this machine; of others whole servers.
  @Test func devicesHoldTheRun() throws {
    let plan = try RecipePlan(Recipe(yaml: RecipeSample.text(), file: "/no/such/folder/r.yaml"))
    let run = try plan.run(hardware: .h800)
    #expect(run.deviceCount.value == 8 && run.sequencesPerDevice.value == 0.5)
    #expect(throws: PlanError.self) { try plan.run(hardware: .h800, sequenceLength: -1) }
    #expect(try plan.run(hardware: .h800, sequenceLength: 32).stages.first?.tokens == 20 * 4 * 32)
  }
}
