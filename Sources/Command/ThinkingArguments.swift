import ArgumentParser
import SwiftletGeneration
import SwiftletJSON

/// How long a model thinks before it answers.
struct ThinkingArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The most tokens of thought: off, low (\(ThinkingBudget.lowTokens)), high (\(ThinkingBudget.highTokens)), max (no limit), or a number (default: as the model has it).",
      valueName: "budget"),
    transform: Self.read)
  var think: ThinkingBudget?
  @Option(help: ArgumentHelp("The fewest tokens of thought: an end that comes sooner is replaced by 'Wait'.", valueName: "n"))
  var thinkMin: Int?

  var isGiven: Bool { think != nil || thinkMin != nil }

  /// - Throws: `GenerationError` at validation when the minimum is above the budget.
  var budget: ThinkingBudget {
    var budget = think ?? ThinkingBudget()
    if let thinkMin {
      budget.minimum = thinkMin
      if thinkMin > 0, budget.isEnabled == nil { budget.isEnabled = true }
    }
    return budget
  }

  @Sendable private static func read(_ text: String) throws -> ThinkingBudget {
    guard let budget = ThinkingBudget(text) else {
      throw ValidationError("found '\(text)', expected off, low, high, max or a number of tokens.")
    }
    return budget
  }
}

extension ThinkingBudget {
  /// As fields of a request to a server; none where the model is left to itself.
  var serverFields: [JSONMember] {
    if self == ThinkingBudget() { return [] }
    var members = [JSONMember(key: "type", value: isEnabled == false ? "disabled" : "enabled")]
    if let maximum, maximum > 0 { members.append(JSONMember(key: "budget_tokens", value: .integer(maximum))) }
    if minimum > 0 { members.append(JSONMember(key: "min_tokens", value: .integer(minimum))) }
    return [JSONMember(key: "thinking", value: .object(members))]
  }

  /// Whether the model is asked to think.
  var asksForThought: Bool { isEnabled == true || minimum > 0 }
}
