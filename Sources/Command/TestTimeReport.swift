import Foundation
import SwiftletGeneration
import SwiftletJSON
import SwiftletTasks
import SwiftletTraining

/// What thinking longer, and answering more often, is worth: accuracy against tokens of thought, seconds and samples.
struct TestTimeReport {
  /// An evaluation with one budget.
  struct Row {
    var budget: ThinkingBudget
    var summary: EvaluationSummary
    /// nil where nothing is chosen, or the grader failed for every answer.
    var curve: SampleCurve?
    /// Of the clock, an answer; nil where answers of an earlier run were taken.
    var secondsPerAnswer: Double?
  }

  let model: String
  let samples: Int
  let rows: [Row]

  private var firstCurve: SampleCurve? { rows.compactMap(\.curve).first }

  var json: JSONValue {
    let values = rows.map { row in
      JSONValue.object(
        [
          JSONMember(key: "budget", value: .string(row.budget.description)),
          JSONMember(key: "max_thinking_tokens", value: row.budget.maximum.map { .integer($0) } ?? .null),
          JSONMember(key: "seconds_per_answer", value: row.secondsPerAnswer.map { .number($0) } ?? .null),
        ] + (row.summary.json.members ?? []) + (row.curve?.members ?? []))
    }
    return ["model": .string(model), "samples": .integer(samples), "budgets": .array(values)]
  }

  /// A row a budget, per cent with their intervals of 95 %.
  var table: String {
    let names = firstCurve.map { curve in curve.points.map { curve.name(of: $0) + " %" } } ?? []
    var lines = [["budget", "thought", "tokens", "s/answer", "pass@1 %"] + names + ["truncated %"]]
    for row in rows {
      lines.append(
        [
          row.budget.description, String(format: "%.1f", row.summary.reasoningTokens.value),
          String(format: "%.1f", row.summary.tokens.value), row.secondsPerAnswer.map { String(format: "%.3g", $0) } ?? "-",
          EvaluationReport.rate(row.summary.passAt1),
        ] + (row.curve?.points.map { EvaluationReport.rate($0.accuracy) } ?? names.map { _ in "-" })
          + [EvaluationReport.rate(row.summary.truncated)])
    }
    return Output.table(lines)
  }

  /// Plots by the name of their file.
  var plots: [(name: String, plot: LinePlot)] {
    func percent(_ estimate: Statistics.Estimate) -> Double { estimate.value * 100 }
    func series(_ x: (Row) -> Double?) -> [LinePlot.Series] {
      var all = [
        LinePlot.Series(
          name: "pass@1", color: LinePlot.blue,
          points: rows.compactMap { row in x(row).map { ($0, percent(row.summary.passAt1)) } },
          isMarked: true)
      ]
      if let curve = firstCurve, let last = curve.points.last, last.samples > 1 {
        all.append(
          LinePlot.Series(
            name: curve.name(of: last), color: LinePlot.orange,
            points: rows.compactMap { row in
              guard let x = x(row), let point = row.curve?.points.last else { return nil }
              return (x, percent(point.accuracy))
            }, isMarked: true))
      }
      return all
    }
    let subtitle = "Right answers, in per cent"
    var plots = [
      (
        "thought.svg",
        LinePlot(
          title: "Accuracy against thinking tokens", subtitle: subtitle, series: series { $0.summary.reasoningTokens.value },
          axis: "mean tokens of thought", countsWhole: false)
      )
    ]
    if rows.allSatisfy({ $0.secondsPerAnswer != nil }) {
      plots.append(
        (
          "seconds.svg",
          LinePlot(
            title: "Accuracy against seconds", subtitle: subtitle, series: series { $0.secondsPerAnswer },
            axis: "seconds an answer", countsWhole: false)
        ))
    }
    let chosen = [rows.first, rows.count > 1 ? rows.last : nil].compactMap { $0 }.filter { ($0.curve?.points.count ?? 0) > 1 }
    if !chosen.isEmpty {
      plots.append(
        (
          "samples.svg",
          LinePlot(
            title: "Accuracy against samples", subtitle: subtitle,
            series: zip(chosen, [LinePlot.orange, LinePlot.blue]).map { row, color in
              LinePlot.Series(
                name: "budget \(row.budget)", color: color,
                points: row.curve?.points.map { (Double($0.samples), percent($0.accuracy)) } ?? [], isMarked: true)
            }, axis: "samples")
        ))
    }
    return plots
  }

  /// Writes the plots into a folder, which is made where there is none.
  func writePlots(to folder: String) throws {
    try Self.makeFolder(folder)
    for (name, plot) in plots { try OutputFile.write(plot.svg, to: folder + "/" + name) }
  }

  /// Makes the folder for plots where there is none, before there is anything to draw.
  static func makeFolder(_ folder: String) throws {
    do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
      throw CommandError("--plots: the folder \(folder) cannot be made: \(error.localizedDescription)")
    }
    guard FileManager.default.isWritableFile(atPath: folder) else {
      throw CommandError("--plots: the folder \(folder) cannot be written to.")
    }
  }
}
