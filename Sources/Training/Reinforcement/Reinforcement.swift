internal import SwiftletCheckpoints
internal import SwiftletGeneration
internal import SwiftletTensors

/// What a run of reinforcement has beside its model and optimizer: problems, a sampler with the weights in training, rewards, and the
/// reference.
final class Reinforcement {
  let settings: Recipe.Reinforcement
  let reference: ReferencePolicy?
  private let problems: ProblemSource
  private let rewards: Rewards
  private let engine: RolloutEngine
  private let seed: UInt64
  /// Whether the weights are no longer the sampler's.
  var weightsChanged = false

  /// - Throws: `RolloutError` for a precision without generation.
  init(
    _ recipe: Recipe, _ settings: Recipe.Reinforcement, _ problems: ProblemSource, model: TrainableModel, tape: Tape
  ) throws {
    (self.settings, self.problems, seed) = (settings, problems, recipe.seed)
    rewards = Rewards(
      settings: settings.rewards, isStrict: settings.isStrict, maximumTokens: settings.maximumTokens,
      folder: recipe.resolved("."), pool: tape.compute.pool)
    let sampler = settings.rolloutPrecision.map { Tape(compute: tape.compute, precision: $0) } ?? tape
    engine = try RolloutEngine(
      model, tape: sampler, endTokens: problems.endTokens,
      maximumSequences: RolloutEngine.sequences(model.configuration, length: recipe.sequenceLength))
    reference = settings.clipping.beta > 0 ? ReferencePolicy(model.parameters) : nil
  }

  /// The answers to one problem.
  struct Group {
    var rollouts: [Rollout]
    /// Of every answer the parts of its reward.
    var parts: [[Double]]
    /// Of every answer.
    var rewards: [Double]

    /// Rewards that are all alike make no advantage.
    var hasVariance: Bool { (rewards.max() ?? 0) - (rewards.min() ?? 0) > 1e-9 }
  }

  /// What a step's sampling brought.
  struct Collection {
    /// By the rollouts' `prompt`.
    var prompts: [[Int32]] = []
    var groups: [Group] = []
    /// Problems that were asked.
    var draws = 0
    var failures: [String] = []
    /// Answers that a reward command gave no number.
    var failedAnswers = 0
    var rolloutSeconds = 0.0
    var rewardSeconds = 0.0
  }

  /// Samples answers to the problems from a draw on, and rewards them.
  /// - Parameter step: counted from 0.
  /// - Returns: nil when it was given up.
  /// - Throws: `RewardError`, `GenerationError`, `TrainingError`.
  func collect(step: Int, firstDraw: Int, isCancelled: () -> Bool) throws -> Collection? {
    var result = Collection(), missing = settings.prompts, round = 0
    let start = ContinuousClock.now
    if weightsChanged { try engine.update() }
    weightsChanged = false
    result.rolloutSeconds += seconds(since: start)
    do {
      repeat {
        try collect(missing, step: step, firstDraw: firstDraw + result.draws, round: round, into: &result, isCancelled)
        round += 1
        missing = settings.prompts - result.groups.count { $0.hasVariance }
      } while settings.zeroVariance == .resample && missing > 0 && round <= settings.resampleLimit
    } catch is CancellationError {
      return nil
    }
    return isCancelled() ? nil : result
  }

  private func collect(
    _ count: Int, step: Int, firstDraw: Int, round: Int, into result: inout Collection, _ isCancelled: () -> Bool
  ) throws {
    let start = ContinuousClock.now, questions = try (0..<count).map { try problems.question(firstDraw + $0) }
    // The engine serves one caller at a time, and this one waits until it has.
    nonisolated(unsafe) let engine = engine
    let prompts = questions.map(\.prompt), samples = settings.samples
    let options = RolloutOptions(
      maximumTokens: settings.maximumTokens, seed: round == 0 ? seed : SeededGenerator.mix(seed ^ UInt64(round) << 32))
    var rollouts = try Blocking.wait(isCancelled: isCancelled) {
      try await engine.generate(prompts: prompts, samples: samples, step: step, options)
    }
    if isCancelled() { throw CancellationError() }
    result.rolloutSeconds += seconds(since: start)
    let rewarding = ContinuousClock.now
    let scores = try rewards.scores(
      rollouts.map { rollout in
        RewardedAnswer(
          problem: questions[rollout.prompt].problem, text: problems.text(rollout.tokens), tokenCount: rollout.tokens.count,
          isTruncated: rollout.finishReason == .length)
      }, isCancelled: isCancelled)
    for index in rollouts.indices { rollouts[index].prompt += result.prompts.count }
    result.prompts += prompts
    for first in stride(from: 0, to: rollouts.count, by: samples) {
      let range = first..<first + samples, parts = Array(scores.parts[range])
      result.groups.append(Group(rollouts: Array(rollouts[range]), parts: parts, rewards: parts.map(rewards.total)))
    }
    result.draws += count
    result.failures += scores.failures
    result.failedAnswers += scores.failedAnswers
    result.rewardSeconds += seconds(since: rewarding)
  }

  private func seconds(since start: ContinuousClock.Instant) -> Double { start.duration(to: .now) / .seconds(1) }

  /// The groups of a step that are learned from, with the advantages of their answers: those that were dropped count in the step's
  /// statistics.
  func learned(_ collection: Collection) -> [(group: Group, advantages: [Float])] {
    let advantages = settings.advantage.advantages(collection.groups.map(\.rewards))
    let groups = zip(collection.groups, advantages).map { (group: $0, advantages: $1) }
    return switch settings.zeroVariance {
    case .keep: groups
    case .drop: groups.filter(\.group.hasVariance)
    case .resample: Array(groups.filter(\.group.hasVariance).prefix(settings.prompts))
    }
  }

  /// What the log tells of all answers of a step.
  func record(_ collection: Collection) -> ReinforcementRecord {
    let groups = collection.groups, rollouts = groups.flatMap(\.rollouts), count = Double(max(1, rollouts.count))
    var parts: [String: Double] = [:]
    for (index, setting) in settings.rewards.enumerated() {
      parts[setting.kind.name] = groups.reduce(0) { $0 + $1.parts.reduce(0) { $0 + $1[index] } } / count
    }
    let failures = collection.failures
    return ReinforcementRecord(
      reward: groups.reduce(0) { $0 + $1.rewards.reduce(0, +) } / count, rewards: parts,
      rewardDeviation: groups.reduce(0) { $0 + AdvantageRule.deviation($1.rewards) } / Double(max(1, groups.count)),
      answers: rollouts.count, responseTokens: Double(rollouts.reduce(0) { $0 + $1.tokens.count }) / count,
      truncatedShare: Double(rollouts.count { $0.finishReason == .length }) / count,
      zeroVarianceGroups: groups.count { !$0.hasVariance }, groups: groups.count, learnedAnswers: 0, clippedLow: 0,
      clippedHigh: 0,
      updates: 0, rewardFailures: collection.failedAnswers, rewardFailure: failures.last,
      rolloutSeconds: collection.rolloutSeconds,
      rewardSeconds: collection.rewardSeconds, updateSeconds: 0)
  }
}
