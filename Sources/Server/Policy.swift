internal import SwiftletConstraints
internal import SwiftletJSON

/// What prompts and answers may not contain: the rules of a file, in their order. Of the rules that are found in a text the first
/// decides; where none is found, all is allowed. There are no other rules than these.
public struct Policy: Sendable {
  struct Rule: Sendable {
    enum Target: String {
      case prompt, answer, both
    }

    let name: String
    let target: Target
    let isDenied: Bool
    let pattern: TextPattern
    /// What is told to who is refused.
    let message: String
    /// The rule as the file has it.
    let json: JSONValue

    /// What an answer tells that the rule ended.
    var member: JSONMember {
      JSONMember(key: "content_filter", value: ["rule": .string(name), "message": .string(message)])
    }
  }

  let rules: [Rule]

  private static let mostRules = 1000
  private static let longestPattern = 10_000

  /// No rules.
  public init() { rules = [] }

  /// - Throws: `SettingsError` naming the rule.
  public init(file: String) throws(SettingsError) {
    var settings = try Settings(file: file)
    var rules: [Rule] = []
    for entry in try settings.list("rules") ?? [] {
      let rule = try Self.rule(entry)
      guard !rules.contains(where: { $0.name == rule.name }) else {
        throw entry.failure("name", "'\(rule.name)' is the name of two rules; logs and answers tell them apart by it")
      }
      rules.append(rule)
    }
    try settings.end()
    guard rules.count <= Self.mostRules else {
      throw settings.failure("rules", "found \(rules.count), expected \(Self.mostRules) at most")
    }
    self.rules = rules
  }

  private static func rule(_ settings: Settings) throws(SettingsError) -> Rule {
    var settings = settings
    let json = settings.json
    guard let name = try settings.string("name"), !name.isEmpty else { throw settings.failure("name", "is missing") }
    let targetName = try settings.string("target") ?? "both"
    guard let target = Rule.Target(rawValue: targetName) else {
      throw settings.failure("target", "found '\(targetName)', expected prompt, answer or both")
    }
    let action = try settings.string("action") ?? "deny"
    guard ["deny", "allow"].contains(action) else {
      throw settings.failure("action", "found '\(action)', expected deny or allow")
    }
    let expression = try settings.string("pattern"), literal = try settings.string("literal")
    let ignoresCase = try settings.bool("ignore_case") ?? false
    let message = try settings.string("message") ?? "This is not answered here."
    try settings.end()
    guard (expression == nil) != (literal == nil) else {
      throw settings.failure("pattern", "expected either a pattern or a literal")
    }
    guard (expression ?? literal ?? "").utf8.count <= longestPattern else {
      throw settings.failure("pattern", "is longer than \(longestPattern) bytes")
    }
    let pattern: TextPattern
    do throws(TextPattern.Refusal) {
      pattern =
        if let expression {
          try TextPattern(regularExpression: expression, ignoringCase: ignoresCase)
        } else {
          try TextPattern(literal: literal ?? "", ignoringCase: ignoresCase)
        }
    } catch {
      throw settings.failure(expression == nil ? "literal" : "pattern", "\(error)")
    }
    return Rule(
      name: name, target: target, isDenied: action == "deny", pattern: pattern, message: message, json: json)
  }

  var json: JSONValue { ["default": "allow", "rules": .array(rules.map(\.json))] }

  var answerRules: [Rule] { rules.filter { $0.target != .prompt } }

  /// The rule by which a prompt is refused; nil when it is not.
  func refusal(ofPrompt text: String) -> Rule? {
    let first = rules.first { $0.target != .answer && $0.pattern.isFound(in: text.utf8) }
    return first.flatMap { $0.isDenied ? $0 : nil }
  }
}
