import Foundation
import SwiftletTraining
import Testing

/// A recipe of a tiny model on texts that the test makes.
enum RecipeSample {
  static let lines = [
    "data:", "  text: texts.jsonl", "  held_out: 0.2", "tokenizer:", "  size: 300", "model:", "  config:",
    "    model_type: deepseek_v3", "    hidden_size: 32", "    num_hidden_layers: 2", "    num_attention_heads: 2",
    "    num_key_value_heads: 2", "    q_lora_rank: 16", "    kv_lora_rank: 16", "    qk_nope_head_dim: 8",
    "    qk_rope_head_dim: 8", "    v_head_dim: 8", "    intermediate_size: 64", "    moe_intermediate_size: 32",
    "    n_routed_experts: 4", "    num_experts_per_tok: 2", "    n_shared_experts: 1", "    first_k_dense_replace: 1",
    "    n_group: 1", "    topk_group: 1", "    norm_topk_prob: true", "    routed_scaling_factor: 1.0",
    "    num_nextn_predict_layers: 1", "    max_position_embeddings: 64", "    initializer_range: 0.02", "optimizer:",
    "  name: adamw", "  learning_rate: 1e-3", "  warm_up: 3", "  schedule: cosine", "prediction: 0.3", "sequence_length: 16",
    "batch: 4", "micro_batch: 2", "steps: 20", "precision: float32", "seed: 3", "checkpoint_interval: 5", "evaluation:",
    "  interval: 10", "  sequences: 4", "on_failure:", "  nan: stop", "cost:", "  peak_flops: 1e11", "folder: run",
  ]

  /// - Parameter changes: lines by the beginnings of those they stand for; nil removes one.
  static func text(_ changes: [String: String?] = [:]) -> String {
    lines.compactMap { line in
      guard let change = changes.first(where: { line.trimmingCharacters(in: .whitespaces).hasPrefix($0.key + ":") }) else {
        return line
      }
      return change.value
    }.joined(separator: "\n") + "\n"
  }

  /// A recipe beside texts of some hundred documents.
  static func recipe(_ folder: DataFolder, _ changes: [String: String?] = [:], out: String = "run") throws -> Recipe {
    if !FileManager.default.fileExists(atPath: folder.file("texts.jsonl")) {
      _ = try folder.write("texts.jsonl", Sample.jsonLines((0..<120).map { Sample.text(UInt64($0)) }))
    }
    var recipe = try Recipe(path: folder.write("recipe.yaml", text(changes)))
    recipe.folder = folder.file(out)
    return recipe
  }
}

@Suite struct RecipeTests {
  private func error(_ changes: [String: String?]) throws -> RecipeError {
    try #require(throws: RecipeError.self) { try Recipe(yaml: RecipeSample.text(changes), file: "recipe.yaml") }
  }

  @Test func valuesAreRead() throws {
    let recipe = try Recipe(yaml: RecipeSample.text(), file: "folder/recipe.yaml")
    #expect(recipe.steps == 20)
    #expect(recipe.optimizer.schedule.peak == 1e-3)
    #expect(recipe.optimizer.schedule.decay == .cosine(from: 3, to: 20, final: 1e-4))
    #expect(recipe.prediction.weight(step: 5) == 0.3)
    #expect(recipe.folder == "folder/run")
    #expect(recipe.passes(step: 0) == 2)
    let ramped = try Recipe(
      yaml: RecipeSample.text(["micro_batch": "micro_batch: 1\nbatch_ramp: {from: 1, steps: 10}"]), file: "r")
    #expect((0..<12).map { ramped.passes(step: $0) } == [1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4])
  }

  /// Learning rate, gamma and lambda of DeepSeek-V3 (report, section 4.2), with a step for 10B of its 14.8T tokens.
  @Test func theScheduleOfDeepSeekV3() throws {
    let schedule = [
      "  schedule: cosine", "  final_learning_rate: 2.2e-5", "  cosine_from: 1000", "  cosine_to: 1430", "  later_step: 1463",
      "  later_learning_rate: 7.3e-6",
    ]
    let changes = [
      "learning_rate": "  learning_rate: 2.2e-4", "warm_up": "  warm_up: 20", "schedule": schedule.joined(separator: "\n"),
      "prediction": "prediction: {weight: 0.3, later_step: 1000, later_weight: 0.1}\nbalance: {until_step: 1430}",
      "steps": "steps: 1480",
    ]
    let recipe = try Recipe(yaml: RecipeSample.text(changes), file: "r")
    // The cosine is half way down at 1215.
    let rates: [(step: Int, rate: Double)] = [
      (0, 1.1e-5), (9, 1.1e-4), (19, 2.2e-4), (20, 2.2e-4), (1000, 2.2e-4), (1215, 1.21e-4), (1430, 2.2e-5), (1462, 2.2e-5),
      (1463, 7.3e-6), (1479, 7.3e-6),
    ]
    for (step, expected) in rates {
      let rate = Double(recipe.optimizer.schedule.rate(step: step))
      #expect(abs(rate - expected) < 1e-6 * expected, "step \(step): \(rate), expected \(expected)")
    }
    let falling = (1000...1430).map(recipe.optimizer.schedule.rate(step:))
    #expect(zip(falling, falling.dropFirst()).allSatisfy { $0 > $1 })
    #expect([0, 1429, 1430, 1479].map(recipe.balance.gamma(step:)) == [0.001, 0.001, 0, 0])
    #expect([999, 1000].map(recipe.prediction.weight(step:)) == [0.3, 0.1])
  }

  @Test(arguments: [
    ("learning_rate", "  learning_rat: 1e-3", "optimizer.learning_rat", "expected one of name, learning_rate"),
    ("learning_rate", "  learning_rate: fast", "optimizer.learning_rate", "found 'fast', expected a number from"),
    ("learning_rate", "  learning_rate: -1", "optimizer.learning_rate", "found '-1'"),
    ("name", "  name: sgd", "optimizer.name", "found 'sgd', expected one of adamw, muon"),
    ("schedule", "  schedule: linear", "optimizer.schedule", "expected one of constant, cosine, multi_step"),
    ("schedule", "  schedule: constant\n  cosine_from: 5", "optimizer.cosine_from", "is for the schedule cosine alone"),
    ("schedule", "  later_step: 25\n  later_learning_rate: 1e-5", "optimizer.later_step", "is for the schedule cosine alone"),
    ("name", "  cosine_from: 2", "optimizer.cosine_from", "found '2', expected at least warm_up, which is 3"),
    ("name", "  cosine_from: 20", "optimizer.cosine_from", "expected a step before 20, where the cosine ends"),
    ("name", "  cosine_from: 9\n  cosine_to: 9", "optimizer.cosine_to", "expected a step after 9, where the cosine begins"),
    ("name", "  cosine_to: 0.5", "optimizer.cosine_to", "found '0.5', expected a whole number"),
    ("name", "  later_step: 20\n  later_learning_rate: 0", "optimizer.later_step", "needs cosine_to, the step at which"),
    (
      "name", "  cosine_to: 16\n  later_step: 15\n  later_learning_rate: 0", "optimizer.later_step",
      "at least 16, where the cosine ends"
    ),
    ("name", "  later_learning_rate: 1e-5", "optimizer.later_learning_rate", "needs later_step, the step from which it holds"),
    (
      "name", "  cosine_to: 20\n  later_step: 20\n  later_learning_rate: 2e-3", "optimizer.later_learning_rate",
      "found '2e-3', expected a number from 0.0 to 0.001"
    ),
    ("seed", "balance: {until_step: -1}", "balance.until_step", "found '-1', expected a whole number"),
    ("seed", "balance: {until: 5}", "balance.until", "expected one of gamma, alpha, until_step"),
    ("seed", "position_skips: {most: 2}", "position_skips.below", "is missing"),
    ("seed", "position_skips: {most: 0, below: 9}", "position_skips.most", "found '0'"),
    ("steps", "steps: 1.5", "steps", "found '1.5', expected a whole number"),
    ("micro_batch", "micro_batch: 3", "micro_batch", "expected a divisor of batch, which is 4"),
    ("precision", "precision: int8", "precision", "expected one of float32, bfloat16, fp8"),
    ("name", "  state: fp8", "optimizer.state", "found 'fp8', expected one of float32, bfloat16, int8"),
    ("nan", "  nan: ignore", "on_failure.nan", "expected one of stop, skip"),
    ("text", "  txt: a", "data.txt", "expected one of text, datasets"),
    ("size", "  size: 10", "tokenizer.size", "found '10'"),
    ("held_out", "  held_out: [1]", "data.held_out", "found a list, expected a number"),
    ("seed", "sed: 3", "sed", "there is no such key"),
  ])
  func wrongKeysAndValuesAreNamed(key: String, line: String, name: String, reason: String) throws {
    let error = try error([key: line])
    #expect(error.key == name)
    #expect(error.reason.contains(reason), "\(error)")
    #expect(error.line != nil)
  }

  @Test func missingAndBrokenAreNamed() throws {
    #expect(try error(["steps": nil]).description == "recipe.yaml: steps: is missing")
    #expect(try error(["name": "  cosine_to: 20\n  later_step: 20"]).key == "optimizer.later_learning_rate")
    #expect(try error(["steps": "steps: 20\nsteps: 30"]).reason.contains("more than once"))
    #expect(try error(["data": "data: ["]).reason.contains("is no YAML"))
  }

  /// On a pipe reading may never end.
  @Test func whatIsNoFileIsNotWaitedFor() throws {
    let folder = try DataFolder(), pipe = folder.file("pipe")
    defer { withExtendedLifetime(folder) {} }
    try #require(mkfifo(pipe, 0o600) == 0)
    let missing = folder.file("none")
    for (path, reason) in [(pipe, "is a pipe"), (folder.path, "is a folder"), (missing, "give the path of a recipe")] {
      let error = try #require(throws: RecipeError.self) { _ = try Recipe(path: path) }
      #expect(error.file == path && error.reason.contains(reason), "\(error)")
    }
    #expect("\(try preparation(["size": "  file: \(pipe)"]))".contains("tokenizer.file: \(pipe) is a pipe"))
  }

  private func preparation(_ changes: [String: String?]) throws -> any Error {
    let folder = try DataFolder()
    return try #require(throws: (any Error).self) {
      _ = try PreparedRun(RecipeSample.recipe(folder, changes), threadCount: 1)
    }
  }

  /// Before anything is computed.
  @Test func modelsAndDataThatDoNotFitAreNamed() throws {
    let folder = try DataFolder()
    #expect("\(try preparation(["hidden_size": "    hidden_size: -1"]))".contains("model.config.hidden_size"))
    #expect("\(try preparation(["model_type": "    model_type: gpt2"]))".contains("model.config.model_type"))
    #expect(
      "\(try preparation(["initializer_range": "    initializer_range: 0"]))".contains("model.config.initializer_range: found 0"))
    #expect("\(try preparation(["sequence_length": "sequence_length: 100"]))".contains("max_position_embeddings"))
    #expect(
      "\(try preparation(["hidden_size": "    hidden_size: 32\n    vocab_size: 200"]))".contains(
        "model.config.vocab_size: found 200"))
    #expect("\(try preparation(["text": "  text: none/*.txt"]))".contains("data.text: found no file"))
    #expect("\(try preparation(["held_out": "  held_out: 0"]))".contains("evaluation"))
    _ = try folder.write("empty.txt", "")
    #expect("\(try preparation(["text": "  text: \(folder.file("empty.txt"))"]))".contains("empty"))
    _ = try folder.write("binary.txt", [0, 1, 2, 0] as [UInt8])
    #expect("\(try preparation(["text": "  text: \(folder.file("binary.txt"))"]))".contains("binary.txt"))
  }
}
