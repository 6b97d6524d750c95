internal import Foundation

extension RunReport {
  /// Steps at either end that means are taken over.
  private static let edge = 10

  /// How rewards went: means of the first and the last steps.
  static func reinforcementRows(_ records: [StepRecord]) -> [(String, String)] {
    let all = records.compactMap(\.reinforcement), count = min(edge, max(1, all.count / 2))
    guard !all.isEmpty else { return [] }
    func mean(_ records: some Collection<ReinforcementRecord>, _ value: (ReinforcementRecord) -> Double?) -> Double {
      let values = records.compactMap(value)
      return values.reduce(0, +) / Double(max(1, values.count))
    }
    func row(_ name: String, _ value: (ReinforcementRecord) -> Double?) -> (String, String) {
      (name, "\(loss(mean(all.prefix(count), value))), at the end \(loss(mean(all.suffix(count), value)))")
    }
    var rows = [row("reward, mean of \(count) \(count == 1 ? "step" : "steps")") { $0.reward }]
    for name in all[0].rewards.keys.sorted() { rows.append(row("reward: \(name)") { $0.rewards[name] }) }
    rows.append(row("tokens of an answer") { $0.responseTokens })
    rows.append(row("share of answers that were cut") { $0.truncatedShare })
    rows.append(row("entropy, nats a token") { $0.entropy })
    if all.contains(where: { $0.divergence != nil }) {
      rows.append(row("divergence from the reference, nats a token") { $0.divergence })
    }
    rows.append(
      row("share of problems whose answers had the same reward") { Double($0.zeroVarianceGroups) / Double(max(1, $0.groups)) })
    rows.append(row("share of tokens that were clipped") { $0.clippedLow + $0.clippedHigh })
    let deviations = all.compactMap(\.firstRatioDeviation)
    rows.append(
      (
        "ratio at a step's first update",
        deviations.allSatisfy { $0 == 0 }
          ? "exactly 1 in all \(deviations.count) steps" : "off by up to \(PlanText.short(deviations.max() ?? 0))"
      ))
    func total(_ value: (ReinforcementRecord) -> Double) -> Double { all.reduce(0) { $0 + value($1) } }
    let (rollout, reward) = (total(\.rolloutSeconds), total(\.rewardSeconds))
    let (update, other) = (total(\.updateSeconds), total(\.otherSeconds)), seconds = max(1e-9, rollout + reward + update + other)
    rows.append(
      (
        "time",
        "rollouts \(PlanText.percent(rollout / seconds)), updates \(PlanText.percent(update / seconds)), rewards "
          + "\(PlanText.percent(reward / seconds)), other \(PlanText.percent(other / seconds))"
      ))
    rows.append(("failures of rewards", "\(all.reduce(0) { $0 + $1.rewardFailures })"))
    return rows
  }

  static func reinforcementPlots(_ records: [StepRecord]) -> [(name: String, plot: LinePlot)] {
    guard records.contains(where: { $0.reinforcement != nil }) else { return [] }
    func points(_ value: (ReinforcementRecord) -> Double?) -> [(x: Double, y: Double)] {
      records.compactMap { record in record.reinforcement.flatMap(value).map { (Double(record.step), $0) } }
    }
    let colors = [LinePlot.orange, "#5aa469", "#a05195", "#8c8c8c", "#c44e52"]
    var rewards = [LinePlot.Series(name: "reward", color: LinePlot.blue, points: points(\.reward))]
    let names = (records.lazy.compactMap(\.reinforcement).first?.rewards.keys.sorted() ?? []).prefix(colors.count)
    if names.count > 1 {
      for (name, color) in zip(names, colors) {
        rewards.append(.init(name: name, color: color, points: points { $0.rewards[name] }))
      }
    }
    func plot(_ title: String, _ subtitle: String, _ value: (ReinforcementRecord) -> Double?) -> LinePlot {
      LinePlot(
        title: title, subtitle: subtitle, series: [.init(name: title.lowercased(), color: LinePlot.blue, points: points(value))])
    }
    var result = [
      ("reward.svg", LinePlot(title: "Reward", subtitle: "Mean of a step's answers; its parts without weights", series: rewards)),
      ("response-length.svg", plot("Length of answers", "Mean of a step, in tokens", { $0.responseTokens })),
      ("entropy.svg", plot("Entropy", "Of the next token's distribution, in nats", { $0.entropy })),
    ]
    if !points(\.divergence).isEmpty {
      result.append(("divergence.svg", plot("Divergence", "From the reference (k3), in nats a token", { $0.divergence })))
    }
    return result
  }
}
