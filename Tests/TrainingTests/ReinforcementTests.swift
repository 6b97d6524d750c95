import Foundation
import SwiftletCheckpoints
import SwiftletTasks
import SwiftletTensors
import SwiftletTokenization
import Testing

@testable import SwiftletTraining

/// Training on a model's own answers, as recipes say it.
@Suite struct ReinforcementTests {
  /// A tiny checkpoint with a vocabulary. It answers noise.
  private func folder(_ checkpoint: String = "llama-gqa-tied") throws -> DataFolder {
    let folder = try DataFolder(), manager = FileManager.default
    let source = Fixture.folder.deletingLastPathComponent().appendingPathComponent(
      "ModelsTests/Fixtures/checkpoints/\(checkpoint)")
    try manager.createDirectory(atPath: folder.file("base"), withIntermediateDirectories: true)
    for name in ["config.json", "model.safetensors"] {
      try manager.copyItem(atPath: source.appendingPathComponent(name).path, toPath: folder.file("base/" + name))
    }
    var counts = WordCounts(.deepSeekV3)
    for seed in 0..<20 { counts.add(Sample.text(UInt64(seed))) }
    let json = try BytePairTraining(vocabularySize: 268).vocabulary(of: counts).tokenizerJSON().serialized()
    _ = try folder.write("base/tokenizer.json", json)
    // An "e" in the answer is worth something.
    let script = "#!/bin/sh\nwhile read -r line; do printf %s \"$line\" | tr -cd e | wc -c; done\n"
    try manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.write("count.sh", script))
    _ = try folder.write(
      "problems.jsonl", (0..<6).map { #"{"id": "\#($0)", "question": "\#($0) + 1", "answer": "\#($0 + 1)"}"# + "\n" }.joined())
    return folder
  }

  private static let lines = [
    "model:", "  from: base", "reinforce:", "  problems: problems.jsonl", "  prompt: \"{question} =\"", "  instruction: \"\"",
    "  prompts: 3", "  samples: 4", "  max_new_tokens: 12", "  rewards: {command: {run: ./count.sh}}", "  minibatches: 1",
    "optimizer:", "  learning_rate: 1e-2", "  weight_decay: 0", "sequence_length: 64", "micro_batch: 5", "steps: 6",
    "precision: float32", "seed: 5", "checkpoint_interval: 2", "cost: {peak_flops: 1e11}", "folder: run",
  ]

  private func run(
    _ folder: DataFolder, _ changes: [String: String?] = [:], out: String = "run", threads: Int = 2,
    note: (String) -> Void = { _ in }
  ) throws -> PreparedRun {
    let text = Self.lines.compactMap { line -> String? in
      let key = line.trimmingCharacters(in: .whitespaces).prefix { $0 != ":" }
      return changes.keys.contains(String(key)) ? changes[String(key)] ?? nil : line
    }.joined(separator: "\n")
    var recipe = try Recipe(path: folder.write("recipe.yaml", text + "\n"))
    recipe.folder = folder.file(out)
    return try PreparedRun(recipe, threadCount: threads, note: note)
  }

  private func trainer(
    _ folder: DataFolder, _ changes: [String: String?] = [:], out: String = "run", threads: Int = 2
  ) throws -> Trainer {
    try Trainer(run(folder, changes, out: out, threads: threads), compute: Compute(threadCount: threads))
  }

  private func bits(_ trainer: Trainer) -> [[UInt32]] {
    trainer.model.parameters.saved.map { $0.value.floatArray().map(\.bitPattern) }
  }

  private func records(_ trainer: Trainer) throws -> [ReinforcementRecord] {
    try trainer.records.map { try #require($0.reinforcement) }
  }

  /// Random weights of a mixture, with a layer that predicts further tokens.
  private static let deepSeek = [
    "model": "tokenizer: {file: base/tokenizer.json}\nmodel:",
    "from": "  config: {model_type: deepseek_v3, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, "
      + "num_key_value_heads: 2, q_lora_rank: 16, kv_lora_rank: 16, qk_nope_head_dim: 8, qk_rope_head_dim: 8, v_head_dim: 8, "
      + "intermediate_size: 64, moe_intermediate_size: 32, n_routed_experts: 4, num_experts_per_tok: 2, n_shared_experts: 1, "
      + "first_k_dense_replace: 1, n_group: 1, topk_group: 1, norm_topk_prob: true, routed_scaling_factor: 1.0, "
      + "num_nextn_predict_layers: 1, max_position_embeddings: 64, initializer_range: 0.02}",
  ]

  /// Other prompts are other training: a template that changed is named.
  @Test func templatesThatChangedAreNamed() throws {
    let folder = try folder(), changes = ["prompt": "  template: asked.jinja"], template = "{{ messages[0]['content'] }} ="
    _ = try folder.write("asked.jinja", template)
    #expect(try trainer(folder, changes).train(until: 2) == .interrupted)
    _ = try folder.write("asked.jinja", template + ">")
    let error = #expect(throws: RecipeError.self) { try run(folder, changes) }
    #expect(error?.key == "reinforce.template (its content)")
    _ = try folder.write("asked.jinja", template)
    #expect(try run(folder, changes).completedSteps == 2)
  }

  /// The sampler's log-probabilities are the trainer's, after every update; going on gives the same bits, with any number of threads.
  @Test(
    arguments: [
      ("llama-gqa-tied", "float32", [:]),
      ("llama-gqa-tied", "bfloat16", ["minibatches": "  minibatches: 2\n  epochs: 2", "learning_rate": "  learning_rate: 1e-3"]),
      (
        "llama-gqa-tied", "bfloat16",
        deepSeek.merging(["minibatches": "  beta: 0.05\n  reference_interval: 2\n  loss: answers"]) { $1 }
      ),
      (
        "llama-gqa-tied", "float32",
        ["model": "lora: {rank: 4}\nmodel:", "minibatches": "  beta: 0.05\n  zero_variance: resample\n  loss: constant"]
      ),
    ] as [(String, String, [String: String])])
  func runsGoOnWithTheSameBits(_ checkpoint: String, _ precision: String, _ changes: [String: String]) throws {
    let folder = try folder(checkpoint), changes = changes.merging(["precision": "precision: \(precision)"]) { $1 }
    let whole = try trainer(folder, changes, out: "whole", threads: 1)
    #expect(try whole.train() == .finished)
    for (index, record) in try records(whole).enumerated() {
      #expect(record.firstRatioDeviation == 0, "step \(index + 1)")
      #expect(record.answers >= 12 && record.learnedAnswers > 0)
      let shares = [record.truncatedShare, record.overheadShare, record.clippedLow, record.clippedHigh]
      #expect(shares.allSatisfy { (0...1).contains($0) })
      #expect(try #require(record.entropy) > 0)
    }
    if changes["minibatches"]?.contains("epochs") == true {
      // The second minibatch is no longer the sampler's.
      #expect(try records(whole).allSatisfy { $0.updates == 4 && ($0.largestRatioDeviation ?? 0) > 0 })
    }
    if changes["minibatches"]?.contains("beta") == true {
      let divergences = try records(whole).compactMap(\.divergence)
      #expect(divergences.count == 6 && divergences[0] < 1e-9 && divergences[1] > 0)
      if changes["minibatches"]?.contains("interval") == true { #expect(divergences[2] < 1e-9 && divergences[3] > 0) }
    }
    #expect(try trainer(folder, changes).train(until: 3) == .interrupted)
    try stopInTheMiddle(folder, changes)
    let last = try trainer(folder, changes)
    #expect(last.run.completedSteps == 3)
    #expect(try last.train() == .finished)
    #expect(bits(last) == bits(whole))
    #expect(try records(last).map(\.reward) == records(whole).map(\.reward))
  }

  /// Of answers that are all learned from, the way forward is computed once by the sampler and three times by learning, and once
  /// more by the reference.
  @Test func operationsOfTheReferenceCount() throws {
    let folder = try folder(), keep = "  zero_variance: keep"
    defer { withExtendedLifetime(folder) {} }
    let counts = try ["", "\n  beta: 0.05"].enumerated().map { index, beta -> Double in
      // One answer a pass: none shares the rows of its prompt, as short ones do not in generation.
      let changes = ["minibatches": keep + beta, "steps": "steps: 1", "micro_batch": "micro_batch: 1"]
      let trainer = try trainer(folder, changes, out: "run-\(index)")
      _ = try trainer.train()
      return try #require(trainer.records.first).flops
    }
    #expect(counts[0] > 0 && abs(counts[1] / counts[0] - 1.25) < 1e-9, "\(counts)")
  }

  /// Answers of another precision are those of another model.
  @Test func answersInAnotherPrecisionAreNotTheTrainers() throws {
    let folder = try folder()
    let changes = ["minibatches": "  rollout_precision: bfloat16", "learning_rate": "  learning_rate: 1e-4"]
    let trainer = try trainer(folder, changes)
    // Its program is there until the end.
    defer { withExtendedLifetime(folder) {} }
    #expect(try trainer.train() == .finished)
    let deviations = try records(trainer).compactMap(\.firstRatioDeviation)
    #expect(!deviations.isEmpty && deviations.allSatisfy { 1e-7...1 ~= $0 })
  }

  /// While answers are drawn.
  private func stopInTheMiddle(_ folder: DataFolder, _ changes: [String: String]) throws {
    var asked = 0
    let outcome = try trainer(folder, changes, threads: 1).train(isCancelled: {
      asked += 1
      return asked > 1
    })
    #expect(outcome == .interrupted)
  }

  @Test func interruptedRunsGoOn() throws {
    let folder = try folder(), whole = try trainer(folder, out: "whole", threads: 1)
    _ = try whole.train()
    var outcome = Trainer.Outcome.interrupted, runs = 0
    while outcome == .interrupted, runs < 20 {
      runs += 1
      var asked = 0
      outcome = try trainer(folder, threads: 1 + runs % 2).train(isCancelled: {
        asked += 1
        return asked > 4 * runs
      })
    }
    #expect(outcome == .finished && runs > 1)
    let last = try trainer(folder)
    #expect(bits(last) == bits(whole))
    #expect(try records(last).map(\.reward) == records(whole).map(\.reward))
    let report = RunReport(last)
    #expect(report.markdown.contains("exactly 1 in all 6 steps"), "\(report.markdown)")
    #expect(report.plots.map(\.name) == ["reward.svg", "response-length.svg", "entropy.svg", "learning-rate.svg"])
  }

  /// Drawing answers takes the way forward, beside adapters too, whose frozen weights have no gradient.
  @Test func operationsAreCounted() throws {
    for (changes, products) in [([:], 3.0), (["model": "lora: {rank: 4}\nmodel:"], 2.0)] as [([String: String?], Double)] {
      let folder = try folder(), trainer = try trainer(folder, changes)
      let batch = TrainingBatch(tokens: [1, 2, 3, 4], targets: [-1, 3, 4, 5], documents: [0..<4])
      let token = TokenFLOPs(trainer.run.configuration)
      // The mean position sees two and a half.
      let weights = 4 * (token.products - token.head) + 3 * token.head, attention = 4 * 2.5 * token.attentionPerPosition
      #expect(trainer.flops([batch], predicts: false) == products * weights + 3 * attention)
      #expect(trainer.flops([batch], predicts: false, learns: false) == weights + attention)
    }
  }

  /// What a reward wants comes about: here an "e" in the answer.
  @Test func rewardsRise() throws {
    let folder = try folder()
    let changes = [
      "steps": "steps: 40",
      "checkpoint_interval": "checkpoint_interval: 100",
    ]
    let trainer = try trainer(folder, changes)
    _ = try trainer.train()
    let rewards = try records(trainer).map(\.reward)
    let (first, last) = (rewards.prefix(5).reduce(0, +) / 5, rewards.suffix(5).reduce(0, +) / 5)
    #expect(last > first + 1, "\(first), then \(last)")
  }

  @Test func groupsThatAreAlikeTeachNothing() throws {
    let folder = try folder(), changes = ["rewards": "  rewards: {format: 1}", "steps": "steps: 2"]
    let before = try bits(trainer(folder, changes, out: "before")), dropped = try trainer(folder, changes)
    #expect(try dropped.train() == .finished)
    #expect(bits(dropped) == before)
    #expect(try records(dropped).allSatisfy { $0.zeroVarianceGroups == 3 && $0.learnedAnswers == 0 && $0.updates == 0 })
    #expect(dropped.records[0].skipped == "no problem had answers of different rewards")
    let more = ["minibatches": "  zero_variance: resample\n  resample_limit: 2"].merging(changes) { $1 }
    let resampled = try trainer(folder, more, out: "resampled")
    _ = try resampled.train()
    #expect(try records(resampled).allSatisfy { $0.groups == 9 })
    let kept = try trainer(folder, ["minibatches": "  zero_variance: keep"].merging(changes) { $1 }, out: "kept")
    _ = try kept.train()
    #expect(try records(kept).allSatisfy { $0.learnedAnswers == 12 && $0.updates == 1 })
  }

  @Test func cutAnswersMayCountNothing() throws {
    let folder = try folder()
    let trainer = try trainer(folder, ["minibatches": "  truncated: mask", "steps": "steps: 2"])
    _ = try trainer.train()
    for record in try records(trainer) { #expect(Double(record.learnedAnswers) <= 12 * (1 - record.truncatedShare) + 1e-9) }
  }

  /// A reward that fails stops the run without a loss: the steps before it are there.
  @Test func rewardsThatFailStopWithACheckpoint() throws {
    let folder = try folder()
    let script =
      "#!/bin/sh\nn=$(cat count 2>/dev/null || echo 0); echo $((n + 1)) > count\n"
      + "[ $n = 3 ] && exit 7\nwhile read -r line; do echo ${#line}; done\n"
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755], ofItemAtPath: folder.write("reward.sh", script))
    let changes = [
      "rewards": "  rewards:\n    command: {run: [./reward.sh], weight: 0.01}", "checkpoint_interval": "checkpoint_interval: 100",
    ]
    let error = try #require(throws: TrainingError.self) { _ = try trainer(folder, changes).train() }
    #expect(error.step == 4 && error.reason.contains("ended with status 7"), "\(error)")
    #expect(error.reason.contains("the last checkpoint is that of step 3"), "\(error)")
    let second = try trainer(folder, changes)
    #expect(second.run.completedSteps == 3)
    #expect(try second.train() == .finished)
    // Or counts as zero.
    _ = try folder.write("count", "0")
    let zero = ["rewards": changes["rewards"]?.replacing("weight: 0.01", with: "weight: 0.01, on_error: zero")]
    let third = try trainer(folder, zero, out: "zero")
    #expect(try third.train() == .finished)
    // Asked one by one, all answers got their number.
    #expect(try records(third).map(\.rewardFailures) == [0, 0, 0, 0, 0, 0])
    #expect(try records(third)[3].rewardFailure?.contains("status 7") == true)
  }

  @Test func brokenProblemsAreNamedOrLeftOut() throws {
    let folder = try folder()
    let mixed = [
      #"{"question": "1 + 1", "answer": "2"}"#, #"{"prompt": "1 + 1", "completion": "2"}"#, "no JSON", "",
      #"{"question": "write it", "answer": "x", "grader": "python", "prompt": "p", "test": "t", "entry_point": "e"}"#,
      #"{"question": "\#(String(repeating: "long ", count: 100))", "answer": "2"}"#, #"{"question": "3", "answer": "3"}"#,
    ]
    _ = try folder.write("problems.jsonl", mixed.joined(separator: "\n"))
    let error = try #require(throws: RecipeError.self) { _ = try self.run(folder) }
    #expect(error.key == "reinforce.problems" && error.reason.contains("line 3: is no JSON"), "\(error)")
    var notes: [String] = []
    let run = try self.run(
      folder, ["instruction": "  instruction: \"\"\n  skip_broken: true", "rewards": "  rewards: {accuracy: 1}"]
    ) { notes.append($0) }
    #expect(run.problemCount == 2)
    #expect(notes.contains("left out 4 problems that cannot be asked"), "\(notes)")
    for reason in ["line 2", "line 3", "Python", "tokens long"] { #expect(notes.contains { $0.contains(reason) }, "\(notes)") }
  }

  private static let wrongKeys: [(String, String, String)] = [
    ("prompts", "  prompt_count: 3", "reinforce.prompt_count: there is no such key"),
    ("samples", "  samples: 1", "reinforce.samples: found '1'"),
    ("rewards", "  rewards: {accurate: 1}", "expected one of accuracy, format, language, length, command"),
    ("rewards", "  rewards: {}", "reinforce.rewards: found a group of keys, expected at least one of accuracy"),
    ("rewards", "  rewards: {length: {weight: 1}}", "reinforce.rewards.length.buffer: is missing"),
    (
      "rewards", "  rewards: {length: {buffer: 13}}",
      "reinforce.rewards.length.buffer: found '13', expected a whole number from 1 to 12"
    ),
    ("rewards", "  rewards: {command: {run: [./none]}}", "reinforce.rewards.command.run"),
    ("rewards", "  rewards: {command: {run: [sh], on_error: ignore}}", "expected one of stop, zero"),
    ("minibatches", "  advantage: std", "reinforce.advantage: found 'std', expected one of group, batch, mean"),
    ("minibatches", "  loss: grpo", "expected one of tokens, answers, constant"),
    ("minibatches", "  clip_low: 2", "reinforce.clip_low: found '2'"),
    ("minibatches", "  reference_interval: 4", "reinforce.reference_interval: needs beta above 0"),
    ("minibatches", "  minibatches: 13", "expected at most prompts times samples, which is 12"),
    ("minibatches", "  temperature: 0.7", "reinforce.temperature: found '0.7', expected 1"),
    ("minibatches", "  resample_limit: 3", "is for zero_variance: resample alone"),
    ("minibatches", "  zero_variance: none", "expected one of drop, resample, keep"),
    ("minibatches", "  rollout_precision: fp8", "reinforce.rollout_precision: answers cannot be drawn from fp8"),
    ("problems", "  tasks: [{family: sums}]", "reinforce.tasks[0].family: found 'sums', expected one of arithmetic"),
    ("problems", "  tasks: [{family: parity, difficulty: 11}]", "reinforce.tasks[0].difficulty"),
    ("problems", "  problems: none.jsonl", "reinforce.problems"),
    ("problems", "  tasks: [{family: parity}]\n  format: gsm8k", "reinforce.format: is for problems (a file) alone"),
    ("prompt", "  prompt: ask", "expected a text with {question} in it"),
    ("prompt", "  template: none.jinja", "reinforce.template"),
    ("prompt", "  strict: true", "the model has no chat template"),
    ("max_new_tokens", "  max_new_tokens: 64", "reinforce.max_new_tokens: found 64, expected less than sequence_length"),
    ("precision", "precision: fp8", "precision: fp8 is for training on data"),
    ("seed", "batch: 4", "batch: is for training on data, not for reinforce"),
    ("seed", "evaluation: {interval: 2}", "evaluation: is for training on data"),
  ]

  @Test(arguments: wrongKeys) func wrongKeysAreNamed(_ key: String, _ line: String, _ reason: String) throws {
    let folder = try folder()
    let error = "\(try #require(throws: (any Error).self) { _ = try run(folder, [key: line]) })"
    #expect(error.contains(reason), "\(error)")
  }

  @Test func tasksAreAskedByWeight() throws {
    let folder = try folder()
    let tasks = "  tasks: [{family: parity, weight: 3}, {family: counting, difficulty: 2}]"
    let run = try run(
      folder, ["problems": tasks, "sequence_length": "sequence_length: 256", "max_new_tokens": "  max_new_tokens: 8"])
    let problems = try #require(run.problems), questions = try (0..<400).map { try problems.question($0).problem }
    let share = Double(questions.count { $0.group == "parity" }) / 400
    #expect((0.68...0.82).contains(share), "\(share)")
    #expect(try problems.question(7).problem == questions[7])
    #expect(Set(questions.map(\.problem.question)).count > 380)
  }

  /// All problems of a file once an epoch.
  @Test func filesAreGoneThroughInRandomOrder() throws {
    let folder = try folder(), problems = try #require(try run(folder).problems)
    let ids = try (0..<12).map { try problems.question($0).problem.id }
    #expect(Set(ids.prefix(6)).count == 6 && Set(ids.suffix(6)).count == 6)
    #expect(Array(ids.prefix(6)) != Array(ids.suffix(6)))
  }
}
