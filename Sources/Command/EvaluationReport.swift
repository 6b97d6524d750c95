import Foundation
import SwiftletJSON
import SwiftletTasks

/// The figures of an evaluation, for people and for programs.
struct EvaluationReport {
  let model: String
  let samples: Int
  let overall: EvaluationSummary
  let groups: [(name: String, summary: EvaluationSummary)]
  /// Of all problems; nil where no answer is chosen, or the grader failed for every one.
  let curve: SampleCurve?

  var json: JSONValue {
    [
      "model": .string(model), "overall": .object((overall.json.members ?? []) + (curve?.members ?? [])),
      "families": .object(groups.map { JSONMember(key: $0.name, value: $0.summary.json) }),
    ]
  }

  static func rate(_ estimate: Statistics.Estimate) -> String {
    String(
      format: "%.1f [%.1f, %.1f]", estimate.value * 100, estimate.interval.lowerBound * 100, estimate.interval.upperBound * 100)
  }

  /// A row a group, per cent with their intervals of 95 %.
  var table: String {
    let rate = Self.rate
    func count(_ estimate: Statistics.Estimate) -> String {
      String(format: "%.0f [%.0f, %.0f]", estimate.value, estimate.interval.lowerBound, estimate.interval.upperBound)
    }
    let further = samples > 1 ? ["pass@\(samples) %", "cons@\(samples) %"] : []
    var rows = [["task", "problems", "pass@1 %"] + further + ["tokens", "truncated %", "form %"]]
    for (name, summary) in groups + (groups.count > 1 ? [("all", overall)] : []) {
      rows.append(
        [name, "\(summary.problems)", rate(summary.passAt1)]
          + (samples > 1 ? [rate(summary.passAtK), rate(summary.consensus)] : [])
          + [count(summary.tokens), rate(summary.truncated), rate(summary.wellFormed)])
    }
    guard let curve else { return Output.table(rows) }
    let choices = [["choice", "right %"]] + curve.points.map { [curve.name(of: $0), rate($0.accuracy)] }
    return Output.table(rows) + "\n" + Output.table(choices)
  }
}
