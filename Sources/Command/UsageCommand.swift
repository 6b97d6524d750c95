import ArgumentParser
import Foundation
import SwiftletJSON
import SwiftletServer

struct UsageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "usage",
    abstract: "Shows what the server computed, and what it cost.",
    discussion: """
      Every request counts, also those whose client went away: what was computed is
      charged. Days are those of UTC, money is in dollars.

      EXAMPLES
        swiftlet usage
        swiftlet usage --by key --since 7d --format csv

      ENVIRONMENT
      \(HelpText.data)
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case table, json, csv
  }

  @Option(
    help: ArgumentHelp("What each line sums up: key, day or model (default: day).", valueName: "what"), transform: Self.grouping)
  var by = Store.UsageGrouping.day
  @Option(
    help: ArgumentHelp("Only what came since then: a date such as 2026-01-31, or the last 12h or 30d.", valueName: "when"))
  var since: String?
  @Option(help: ArgumentHelp("table, json or csv.", valueName: "format"))
  var format = Format.table
  @OptionGroup var data: DataArguments

  func validate() throws {
    if let since, Self.date(since) == nil {
      throw ValidationError("--since: found '\(since)', expected a date such as 2026-01-31, or 12h or 30d.")
    }
  }

  func run() throws {
    let sums = try data.store().usage(by: by, since: since.flatMap { Self.date($0) })
    let columns = [
      "requests", "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens", "charge",
    ]
    switch format {
    case .json:
      Output.line(
        .array(
          sums.map { sum in
            let values: [JSONValue] = Self.counts(sum).map { .integer($0) } + [.string(sum.charge.description)]
            return .object(
              [JSONMember(key: by.rawValue, value: sum.group.map { .string($0) } ?? .null)]
                + zip(columns, values).map { JSONMember(key: $0, value: $1) })
          }))
    case .csv:
      var text = ([by.rawValue] + columns).joined(separator: ",") + "\r\n"
      for sum in sums { text += Self.cells(sum, none: "").map(Self.quoted).joined(separator: ",") + "\r\n" }
      Output.write(text)
    case .table:
      let heads = [by.rawValue.uppercased(), "REQUESTS", "PROMPT", "CACHED", "COMPLETION", "REASONING", "CHARGE"]
      Output.write(Output.table([heads] + sums.map { Self.cells($0, none: "(no key)") }))
    }
  }

  private static func grouping(_ text: String) throws -> Store.UsageGrouping {
    guard let grouping = Store.UsageGrouping(rawValue: text) else {
      throw ValidationError("--by: found '\(text)', expected key, day or model.")
    }
    return grouping
  }

  private static func counts(_ sum: Store.UsageSum) -> [Int] {
    [sum.requests, sum.promptTokens, sum.cachedTokens, sum.completionTokens, sum.reasoningTokens]
  }

  private static func cells(_ sum: Store.UsageSum, none: String) -> [String] {
    [sum.group ?? none] + counts(sum).map(String.init) + [sum.charge.description]
  }

  /// A field as RFC 4180 has it. Spreadsheets would compute what begins like a formula.
  private static func quoted(_ text: String) -> String {
    let safe = text.first.map { "=+-@\t".contains($0) && Double(text) == nil } == true ? "'" + text : text
    return safe.contains { "\",\r\n".contains($0) } ? "\"" + safe.replacing("\"", with: "\"\"") + "\"" : safe
  }

  private static func date(_ text: String) -> Date? {
    if let unit = text.last, let count = Double(text.dropLast()), count >= 0, let hours = ["h": 1.0, "d": 24][unit] {
      return .now - count * hours * 3600
    }
    return try? Date(text, strategy: text.count == 10 ? .iso8601.year().month().day() : .iso8601)
  }
}
