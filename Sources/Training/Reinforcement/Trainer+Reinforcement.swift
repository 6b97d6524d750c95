internal import SwiftletTensors

extension Trainer {
  /// One step of GRPO: answers to problems, their rewards, and optimizer steps that make the better ones of each problem likelier.
  /// - Returns: nil when it was given up; then everything is as before. Once an optimizer step is done the rest follows.
  func reinforcedStep(_ work: Reinforcement, _ isCancelled: () -> Bool) throws -> StepRecord? {
    let start = ContinuousClock.now, index = state.step, settings = work.settings
    let collection: Reinforcement.Collection?
    do {
      collection = try work.collect(step: index, firstDraw: state.draws ?? 0, isCancelled: isCancelled)
    } catch let error as RewardError {
      // The weights are those of the last whole step: nothing is lost.
      try save()
      throw TrainingError(step: index + 1, reason: "\(error); \(lastCheckpoint)")
    } catch {
      try save()
      throw TrainingError(step: index + 1, reason: "no answers: \(error); \(lastCheckpoint)")
    }
    guard let collection else { return nil }
    var record = work.record(collection)
    let updating = ContinuousClock.now
    let update = try learn(work, collection, into: &record, isCancelled)
    guard let update else { return nil }
    record.updateSeconds = updating.duration(to: .now) / .seconds(1)
    state.step += 1
    state.draws = (state.draws ?? 0) + collection.draws
    let tokens = collection.groups.reduce(0) { $0 + $1.rollouts.reduce(0) { $0 + $1.tokens.count } }
    state.tokens += tokens
    if let reference = work.reference, settings.referenceInterval > 0, state.step % settings.referenceInterval == 0 {
      reference.replace()
    }
    let seconds = start.duration(to: .now) / .seconds(1)
    // Generation computes what a forward pass does; of a prompt the whole blocks of the cache once for all answers.
    let batches = collection.groups.map { group in
      let isLong = group.rollouts.first.map { collection.prompts[$0.prompt].count > KeyValueBlocks.blockLength } ?? false
      return TrainingBatch(group.rollouts, prompts: collection.prompts, sharesPrompts: isLong)
    }
    let flops = update.flops + flops(batches, predicts: false, learns: false)
    func finite(_ value: Double?) -> Double? { value.flatMap { $0.isFinite ? $0 : nil } }
    var result = StepRecord(
      step: state.step, loss: finite(update.loss), balanceLoss: finite(update.balance), gradientNorm: finite(update.norm),
      learningRate: Double(run.recipe.optimizer.schedule.rate(step: index)), tokens: tokens, flops: flops, seconds: seconds,
      elapsedSeconds: 0, processorSeconds: 0, utilization: flops / max(seconds, 1e-9) / peak.value,
      maximalViolation: update.violation, memoryBytes: 0, skipped: update.skipped)
    result.expertLoads = update.loads
    result.reinforcement = record
    return result
  }

  /// What the optimizer steps of a rollout were like: means over them.
  private struct Update {
    var loss: Double?
    var balance: Double?
    var norm: Double?
    var flops = 0.0
    var violation: Double?
    var loads: [[Int]]?
    var skipped: String?
  }

  /// - Returns: nil when it was given up before the weights changed.
  private func learn(
    _ work: Reinforcement, _ collection: Reinforcement.Collection, into record: inout ReinforcementRecord,
    _ isCancelled: () -> Bool
  ) throws -> Update? {
    let settings = work.settings, groups = work.learned(collection), recipe = run.recipe
    var answers: [LearnedAnswer] = []
    for (group, values) in groups {
      for (rollout, advantage) in zip(group.rollouts, values) {
        answers.append(
          LearnedAnswer(
            rollout: rollout, advantage: advantage, isLearned: settings.truncated == .keep || rollout.finishReason != .length))
      }
    }
    record.learnedAnswers = answers.count(where: \.isLearned)
    guard record.learnedAnswers > 0 else {
      return Update(skipped: groups.isEmpty ? "no problem had answers of different rewards" : "all answers were cut")
    }
    guard let referenceFLOPs = try addReference(work, to: &answers, collection.prompts, isCancelled) else { return nil }
    var parts: [(loss: Double, balance: Double, norm: Double)] = [], update = Update(), sums = PolicyLoss(), first: PolicyLoss?
    var reason: String?
    update.flops = referenceFLOPs
    let parameters = model.parameters, rate = recipe.optimizer.schedule.rate(step: state.step)
    let alpha = run.configuration.mixture == nil ? 0 : recipe.balance.alpha
    model.resetLoads()
    for part in 0..<settings.epochs * settings.minibatches {
      let place = part % settings.minibatches, count = answers.count
      let minibatch = answers[place * count / settings.minibatches..<(place + 1) * count / settings.minibatches]
      let weights = settings.loss.weights(lengths: minibatch.map(\.length), maximumTokens: settings.maximumTokens)
      let pairs = zip(minibatch, weights).filter { $0.0.isLearned }
      guard !pairs.isEmpty else { continue }
      parameters.clearGradients(compute)
      var loss = PolicyLoss(), balance = 0.0, batches: [TrainingBatch] = []
      let starts = stride(from: 0, to: pairs.count, by: recipe.microBatch)
      for start in starts {
        if first == nil, isCancelled() { return nil }
        let pass = pairs[start..<min(pairs.count, start + recipe.microBatch)]
        let batch = TrainingBatch(pass.map(\.0.rollout), prompts: collection.prompts, sharesPrompts: tape.matchesGeneration)
        let rows = PolicyRows(pass.map(\.0), weights: pass.map(\.1), batch: batch)
        let coefficient = alpha / Float(starts.underestimatedCount)
        let result = model.policyLoss(batch, rows, settings.clipping, balanceCoefficient: coefficient, tape: tape)
        loss += result.policy
        balance += result.balance
        batches.append(batch)
      }
      let norm = optimizer.gradientNorm(compute)
      var losses = Losses()
      (losses.crossEntropy, losses.balance) = (loss.loss, balance)
      update.flops += flops(batches, predicts: false)
      reason = try reasonToSkip(losses, norm: norm, batches, LossOptions(scale: 1))
      if reason != nil {
        state.skippedInARow += 1
      } else {
        let scale = recipe.optimizer.clip.map { GradientNorm.scale(norm: norm, limit: $0) } ?? 1
        optimizer.step(rate: rate, gradientScale: scale, compute: compute)
        work.weightsChanged = true
        state.skippedInARow = 0
        parts.append((loss.loss, balance, norm))
      }
      if first == nil { first = loss }
      sums += loss
    }
    guard !parts.isEmpty else {
      model.resetLoads()
      update.skipped = reason ?? "no minibatch had an answer to learn from"
      return update
    }
    let violations = RouterBiasRule.maximalViolations(model.loads).map(\.value)
    if !violations.isEmpty { update.violation = violations.reduce(0, +) / Double(violations.count) }
    update.loads = model.chosenLoads
    let gamma = recipe.balance.gamma(step: state.step)
    if !settings.freezesRouterBias, gamma > 0, recipe.lora == nil {
      RouterBiasRule(speed: gamma).apply(to: model)
      work.weightsChanged = true
    }
    model.resetLoads()
    let count = Double(parts.count), tokens = Double(max(1, sums.tokenCount))
    update.loss = parts.reduce(0) { $0 + $1.loss } / count
    update.norm = parts.reduce(0) { $0 + $1.norm } / count
    if alpha > 0 { update.balance = parts.reduce(0) { $0 + $1.balance } / count }
    func finite(_ value: Double?) -> Double? { value.flatMap { $0.isFinite ? $0 : nil } }
    record.updates = parts.count
    record.entropy = finite(sums.entropySum / tokens)
    if work.reference != nil { record.divergence = finite(sums.divergenceSum / tokens) }
    record.clippedLow = Double(sums.clippedLowCount) / tokens
    record.clippedHigh = Double(sums.clippedHighCount) / tokens
    record.firstRatioDeviation = finite(first?.largestRatioDeviation)
    record.largestRatioDeviation = finite(sums.largestRatioDeviation)
    return update
  }

  /// Adds the reference's log-probabilities of the answers, where there is one.
  /// - Returns: the operations of that; nil when it was given up.
  private func addReference(
    _ work: Reinforcement, to answers: inout [LearnedAnswer], _ prompts: [[Int32]], _ isCancelled: () -> Bool
  ) throws -> Double? {
    guard let reference = work.reference else { return 0 }
    let micro = run.recipe.microBatch
    return reference.applied { () -> Double? in
      var operations = 0.0
      for start in stride(from: 0, to: answers.count, by: micro) {
        if isCancelled() { return nil }
        let range = start..<min(answers.count, start + micro)
        let batch = TrainingBatch(answers[range].map(\.rollout), prompts: prompts, sharesPrompts: tape.matchesGeneration)
        let values = model.logProbabilities(of: batch, tape: tape)
        tape.trimMemory()
        operations += flops([batch], predicts: false, learns: false)
        for (index, document) in zip(range, batch.answers) {
          answers[index].reference = Array(values[document].suffix(answers[index].rollout.tokens.count))
        }
      }
      return operations
    }
  }
}
