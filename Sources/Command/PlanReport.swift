import SwiftletJSON
import SwiftletModels
import SwiftletTraining

/// Parts that both reports of `plan` have.
enum PlanReport {
  /// A titled table.
  /// - Parameters:
  ///   - leftAligned: columns that are flush left.
  ///   - endsInText: the last one is too.
  static func section(
    _ title: String, _ rows: [[String]], leftAligned: Int = 1, endsInText: Bool = false, note: String? = nil
  ) -> String {
    var rows = rows
    if endsInText {
      let width = rows.compactMap { $0.last?.count }.max() ?? 0
      rows = rows.map { row in
        let text = row.last ?? ""
        return row.dropLast() + [text + String(repeating: " ", count: width - text.count)]
      }
    }
    let indented = Output.table(rows, leftAligned: leftAligned).split(separator: "\n").map { "  \($0)\n" }.joined()
    return Output.bold(title) + "\n" + indented + (note.map { Output.dim("  \($0)") + "\n" } ?? "") + "\n"
  }

  static func header(_ subject: PlanSubject) -> String { Output.bold(subject.name) + "  " + subject.description + "\n\n" }

  static func parameters(_ subject: PlanSubject) -> String {
    let configuration = subject.configuration, parts = configuration.parameterParts, count = configuration.parameterCount
    func row(_ name: String, _ value: Int, active: Int? = nil) -> [String] {
      [
        name, PlanText.count(Double(value)), PlanText.percent(Double(value) / Double(count.total)),
        PlanText.count(Double(active ?? value)),
      ]
    }
    var rows = [
      ["", "parameters", "of all", "active"], row("all", count.total, active: count.active),
      row("embedding", parts.embedding, active: configuration.tiesEmbeddings ? nil : 0),
    ]
    if parts.head > 0 { rows.append(row("output head", parts.head)) }
    rows += [row("attention", parts.attention), row("norms", parts.norms)]
    if parts.denseFeedForward > 0 { rows.append(row("dense feed-forward", parts.denseFeedForward)) }
    if parts.routedExperts > 0 {
      rows += [
        row("router", parts.router), row("shared experts", parts.sharedExperts),
        row("routed experts", parts.routedExperts, active: parts.chosenExperts),
      ]
    }
    let extra = configuration.predictionParts
    if extra.total > 0 {
      rows.append(["multi-token prediction, beside", PlanText.count(Double(extra.total)), "", ""])
    }
    if let recipe = subject.recipe { rows.append(["trained by the recipe", PlanText.count(recipe.trainedCount), "", ""]) }
    if let files = subject.files { rows.append(["values in the files", PlanText.count(Double(files.values)), "", ""]) }
    return section("Parameters", rows)
  }

  static func weightMemory(_ subject: PlanSubject) -> [[String]] {
    let total = Double(subject.configuration.parameterCount.total)
    let cached = Double(subject.configuration.cachedValuesPerPosition)
    let formats = NumberFormat.allCases.map { [$0.rawValue, PlanText.bytes(total * $0.bytesPerValue)] }
    let files = subject.files.map { [["as the files have them", PlanText.bytes(Double($0.bytes))]] } ?? []
    let caches = [NumberFormat.f32, .bf16, .fp8].map {
      ["cache of a token, \($0.rawValue)", grouped(cached * $0.bytesPerValue) + " B"]
    }
    return formats.map { ["weights, \($0[0])", $0[1]] } + files + caches
  }

  static func published(_ figures: [PublishedFigure]) -> String {
    if figures.isEmpty { return "" }
    let rows = figures.map { figure in
      [
        figure.name, value(figure.published, figure.unit), value(figure.computed, figure.unit),
        figure.isInput ? "given" : (figure.difference < 0 ? "" : "+") + PlanText.percent(figure.difference), figure.source,
      ]
    }
    return section(
      "Beside the published figures", [["", "published", "computed", "apart", "source"]] + rows, endsInText: true,
      note: figures.contains(where: \.isInput) ? "given: the published figure went in" : nil)
  }

  static func assumptions(_ list: [Assumption]) -> String {
    section("Assumptions", list.map { [$0.name, value($0.value, $0.unit), $0.source.description] }, endsInText: true)
  }

  static func sensitivity(_ sensitivity: Sensitivity) -> String {
    let hasSlopes = sensitivity.rows.contains { $0.elasticity != nil }
    let rows = sensitivity.rows.map { row in
      [row.name, row.value, row.low, row.high, PlanText.dollars(row.dollarsAtLow), PlanText.dollars(row.dollarsAtHigh)]
        + (hasSlopes ? [row.elasticity.map { ($0 < 0 ? "" : "+") + PlanText.short($0) + " %" } ?? ""] : []) + [row.reason]
    }
    let heads = ["", "now", "low", "high", "cost at low", "at high"] + (hasSlopes ? ["for +1 %"] : []) + ["why"]
    return section(
      "Cost when one assumption moves: \(PlanText.dollars(sensitivity.dollars)) as planned", [heads] + rows, endsInText: true)
  }

  /// A number in the unit of a plan.
  static func value(_ value: Double, _ unit: String) -> String {
    switch unit {
    case "USD": PlanText.dollars(value)
    case "USD/h": "$\(PlanText.short(value))/h"
    case "USD/kWh": "$\(PlanText.short(value))/kWh"
    case "tokens", "parameters": PlanText.count(value)
    case "h": hours(value) + " h"
    case "bytes": value < 1e7 ? grouped(value) + " B" : PlanText.bytes(value)
    case "bytes/s": PlanText.bytes(value) + "/s"
    case "FLOP": PlanText.prefixed(value) + "FLOP"
    case "FLOP/s": PlanText.prefixed(value) + "FLOP/s"
    case "": value > 1 ? PlanText.count(value) : PlanText.short(value)
    default: PlanText.count(value) + " " + unit
    }
  }

  /// `2,664,000`, `4.57`.
  static func hours(_ value: Double) -> String { value < 1000 ? PlanText.short(value) : grouped(value) }

  /// `70,272`.
  static func grouped(_ value: Double) -> String {
    // More digits say nothing, and an integer cannot hold them all.
    guard abs(value) < 1e15 else { return PlanText.count(value) }
    let digits = Array("\(Int(value.rounded()))")
    return digits.enumerated().map { index, digit in
      index > 0 && (digits.count - index) % 3 == 0 ? ",\(digit)" : "\(digit)"
    }.joined()
  }

  static func json(_ subject: PlanSubject) -> [JSONMember] {
    let configuration = subject.configuration, parts = configuration.parameterParts, count = configuration.parameterCount
    let parameters: JSONValue = [
      "total": .integer(count.total), "active": .integer(count.active), "embedding": .integer(parts.embedding),
      "head": .integer(parts.head), "attention": .integer(parts.attention), "norms": .integer(parts.norms),
      "dense_feed_forward": .integer(parts.denseFeedForward), "router": .integer(parts.router),
      "shared_experts": .integer(parts.sharedExperts), "routed_experts": .integer(parts.routedExperts),
      "chosen_experts": .integer(parts.chosenExperts),
      "multi_token_prediction": .integer(configuration.predictionParts.total),
    ]
    let cached = Double(configuration.cachedValuesPerPosition)
    var members = [
      JSONMember(key: "model", value: .string(subject.name)), JSONMember(key: "parameters", value: parameters),
      JSONMember(
        key: "weight_bytes",
        value: .object(
          NumberFormat.allCases.map {
            JSONMember(key: $0.rawValue, value: .number(Double(count.total) * $0.bytesPerValue))
          })),
      JSONMember(key: "cache_bytes_per_token_bf16", value: .number(cached * NumberFormat.bf16.bytesPerValue)),
    ]
    if let recipe = subject.recipe {
      members.append(JSONMember(key: "trained_parameters", value: .number(recipe.trainedCount)))
    }
    if let files = subject.files {
      members += [
        JSONMember(key: "values_in_files", value: .integer(files.values)),
        JSONMember(key: "bytes_in_files", value: .integer(files.bytes)),
      ]
    }
    return members
  }

  static func json(_ figures: [PublishedFigure]) -> JSONValue {
    .array(
      figures.map {
        [
          "name": .string($0.name), "unit": .string($0.unit), "published": .number($0.published),
          "computed": .number($0.computed), "is_input": .bool($0.isInput), "source": .string($0.source),
        ]
      })
  }

  static func json(_ sensitivity: Sensitivity) -> JSONValue {
    .array(
      sensitivity.rows.map { row in
        [
          "name": .string(row.name), "value": .string(row.value), "low": .string(row.low), "high": .string(row.high),
          "dollars_at_low": .number(row.dollarsAtLow), "dollars_at_high": .number(row.dollarsAtHigh),
          "elasticity": row.elasticity.map { .number($0) } ?? .null, "reason": .string(row.reason),
        ]
      })
  }

  static func json(_ list: [Assumption]) -> JSONValue {
    .array(
      list.map {
        [
          "name": .string($0.name), "value": .number($0.value), "unit": .string($0.unit), "kind": .string($0.source.kind),
          "source": .string($0.source.text),
        ]
      })
  }
}
