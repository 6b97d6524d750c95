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

  var budget: ThinkingBudget {
    var budget = think ?? ThinkingBudget()
    budget.minimum = thinkMin ?? 0
    return budget
  }

  func validate() throws {
    guard let thinkMin else { return }
    guard thinkMin >= 0 else { throw ValidationError("--think-min: found \(thinkMin), expected a number from 0.") }
    if let most = think?.maximum, thinkMin > most {
      throw ValidationError(
        "--think-min: found \(thinkMin), but a thought has at most \(most) tokens; raise --think or lower the minimum.")
    }
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
}
