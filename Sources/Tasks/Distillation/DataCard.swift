public import SwiftletJSON

/// What a file of distilled data is, where it is from and how it was made: for people as Markdown, for programs as JSON.
public struct DataCard: Sendable {
  public typealias Fact = (name: String, value: String)

  public var title: String
  /// ISO 8601.
  public var date: String
  /// The model that answered.
  public var teacher: [Fact]
  public var prompts: [Fact]
  public var sampling: [Fact]
  /// How answers were chosen.
  public var selection: [Fact]
  /// SHA-256 by file name.
  public var files: [Fact]
  private let counts: [(group: String, asked: Int, right: Int, kept: Int)]
  private let dropped: [(reason: AnswerSelection.Reason, count: Int)]
  private let tokens: [Int]
  private let bytes: [Int]
  private let isGraded: Bool
  private let answered: Int

  /// - Parameter failures: answers that did not come.
  public init(
    title: String, date: String, problems: [EvaluationProblem], samples: Int, isGraded: Bool, result: AnswerSelection.Result,
    failures: [FailedAnswer]
  ) {
    (self.title, self.date, self.isGraded) = (title, date, isGraded)
    (teacher, prompts, sampling, selection, files) = ([], [], [], [], [])
    var groups: [String] = [], asked: [String: Int] = [:], right: [String: Int] = [:], kept: [String: Int] = [:]
    for problem in problems {
      if asked[problem.group] == nil { groups.append(problem.group) }
      asked[problem.group, default: 0] += samples
    }
    for answer in result.kept {
      kept[answer.group, default: 0] += 1
      right[answer.group, default: 0] += answer.grade.isCorrect ? 1 : 0
    }
    var reasons: [AnswerSelection.Reason: Int] = failures.isEmpty ? [:] : [.failed: failures.count]
    for (answer, reason) in result.dropped {
      reasons[reason, default: 0] += 1
      right[answer.group, default: 0] += answer.grade.isCorrect ? 1 : 0
    }
    counts = groups.map { ($0, asked[$0] ?? 0, right[$0] ?? 0, kept[$0] ?? 0) }
    dropped = AnswerSelection.Reason.allCases.compactMap { reason in reasons[reason].map { (reason, $0) } }
    tokens = result.kept.map(\.answer.tokens).sorted()
    bytes = result.kept.map(\.answer.text.utf8.count).sorted()
    answered = result.kept.count + result.dropped.count
  }

  private var asked: Int { counts.reduce(0) { $0 + $1.asked } }
  private var kept: Int { counts.reduce(0) { $0 + $1.kept } }

  /// What the data does not promise.
  private var limits: [String] {
    var limits = [
      "What a model wrote may be wrong, biased or taken from its own training data; nobody read these answers.",
      "Near duplicates are found by shared runs of five words, held-out texts by shared runs of 13: both miss what is said in other words.",
      "Licences are those that were given or that the model's files name. Whether the teacher's terms allow training on its answers is for you to find out.",
    ]
    if isGraded {
      limits.insert("A grader looked at the final answer alone: a right one may stand behind a wrong thought.", at: 0)
    } else {
      limits.insert("There was no answer to compare with: nothing was graded.", at: 0)
    }
    return limits
  }

  private static func lengths(_ sorted: [Int]) -> [(name: String, value: Int)] {
    guard !sorted.isEmpty else { return [] }
    func quantile(_ share: Double) -> Int { sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))] }
    let mean = Int((Double(sorted.reduce(0, +)) / Double(sorted.count)).rounded())
    return [
      ("min", sorted[0]), ("median", quantile(0.5)), ("mean", mean), ("p95", quantile(0.95)), ("max", sorted[sorted.count - 1]),
    ]
  }

  public var json: JSONValue {
    func object(_ facts: [Fact]) -> JSONValue { .object(facts.map { JSONMember(key: $0.name, value: .string($0.value)) }) }
    func integers(_ facts: [(name: String, value: Int)]) -> JSONValue {
      .object(facts.map { JSONMember(key: $0.name, value: .integer($0.value)) })
    }
    return [
      "title": .string(title), "date": .string(date), "teacher": object(teacher), "prompts": object(prompts),
      "sampling": object(sampling), "selection": object(selection),
      "counts": ["asked": .integer(asked), "answered": .integer(answered), "kept": .integer(kept)],
      "dropped": integers(dropped.map { ($0.reason.rawValue, $0.count) }),
      "families": .object(
        counts.map { count in
          let right: [JSONMember] = isGraded ? [JSONMember(key: "right", value: .integer(count.right))] : []
          return JSONMember(
            key: count.group,
            value: .object(
              [JSONMember(key: "asked", value: .integer(count.asked))] + right + [
                JSONMember(key: "kept", value: .integer(count.kept))
              ]
            ))
        }),
      "tokens": integers(Self.lengths(tokens)), "bytes": integers(Self.lengths(bytes)), "sha256": object(files),
      "limits": .array(limits.map { .string($0) }),
    ]
  }

  public var markdown: String {
    func cell(_ text: String) -> String {
      text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).joined(separator: " ").replacing("|", with: "\\|")
    }
    func table(_ head: [String], _ rows: [[String]]) -> String {
      ([head, head.map { _ in "---" }] + rows).map { "| " + $0.map(cell).joined(separator: " | ") + " |\n" }.joined()
    }
    func facts(_ title: String, _ facts: [Fact]) -> String {
      facts.isEmpty ? "" : "\n## \(title)\n\n" + table(["", ""], facts.map { [$0.name, $0.value] })
    }
    var text =
      "# \(cell(title))\n\nAnswers of a model, to train another one with: a conversation a line, as `data.chats` of a recipe reads it. "
    text += "Made by `swiftlet distill` on \(date).\n"
    text += facts("Teacher", teacher) + facts("Prompts", prompts) + facts("Sampling", sampling) + facts("Selection", selection)
    text += "\n## Counts\n\n"
    text += table(
      ["", "answers"],
      [["asked for", "\(asked)"], ["came", "\(answered)"]] + dropped.map { ["dropped: \($0.reason.rawValue)", "\($0.count)"] }
        + [["kept", "\(kept)"]])
    text +=
      "\n"
      + table(
        ["family", "asked for"] + (isGraded ? ["right"] : []) + ["kept"],
        counts.map { [$0.group, "\($0.asked)"] + (isGraded ? ["\($0.right)"] : []) + ["\($0.kept)"] })
    let lengths = [("tokens", Self.lengths(tokens)), ("bytes", Self.lengths(bytes))].filter { !$0.1.isEmpty }
    if let first = lengths.first {
      text += "\n## Lengths of kept answers\n\n"
      text += table([""] + first.1.map(\.name), lengths.map { name, values in [name] + values.map { "\($0.value)" } })
    }
    text += facts("SHA-256", files)
    return text + "\n## Limits\n\n" + limits.map { "- \($0)\n" }.joined()
  }
}
