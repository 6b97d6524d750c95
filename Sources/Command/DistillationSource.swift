import ArgumentParser
import Foundation
import Swiftlet
import SwiftletCheckpoints
import SwiftletJSON
import SwiftletTasks

/// What a teacher is asked.
struct DistillationSource: ParsableArguments {
  @OptionGroup var selection: TaskArguments
  @Option(help: ArgumentHelp("A file of problems instead of --tasks.", valueName: "file"))
  var problems: String?
  @Option(
    help: ArgumentHelp(
      "How --problems is written: jsonl (our own), gsm8k, math, aime, mmlu, humaneval.", valueName: "form"), transform: named)
  var format = ProblemFileFormat.jsonl
  @Option(
    help: ArgumentHelp(
      "A file of prompts without answers: plain lines, or JSON with prompt, question, problem, text or messages. Nothing is graded.",
      valueName: "file"))
  var prompts: String?
  @Flag(help: "Counts broken lines of --problems or --prompts and leaves them out; else the first one ends the command.")
  var skipBroken = false
  @Option(help: ArgumentHelp("Problems of each family, or the most of a file (default: 100, or all).", valueName: "n"))
  var count: Int?
  @Option(help: ArgumentHelp("The licence of problems or prompts, for the data card.", valueName: "text"))
  var promptLicence: String?

  func validate() throws {
    try Self.check("count", count, in: 1...1_000_000)
    guard [selection.isGiven, problems != nil, prompts != nil].count(where: { $0 }) <= 1 else {
      throw ValidationError(
        "--tasks (with --difficulty, --split and --task-seed), --problems and --prompts exclude each other.")
    }
    if problems == nil, format != .jsonl { throw ValidationError("--format goes with --problems.") }
    if problems == nil, prompts == nil, skipBroken {
      throw ValidationError("--skip-broken goes with --problems and --prompts.")
    }
  }

  var isGraded: Bool { prompts == nil }
  var areMade: Bool { problems == nil && prompts == nil }

  struct Questions: Sendable {
    var problems: [EvaluationProblem]
    /// By id; of problems there are none.
    var conversations: [String: JSONValue] = [:]
    var broken: [(line: Int, reason: String)] = []

    func messages(of problem: EvaluationProblem, instruction: String?) -> JSONValue {
      conversations[problem.id] ?? [["role": "user", "content": .string(problem.problem.prompt(instruction: instruction))]]
    }

    func prompt(of problem: EvaluationProblem, instruction: String?) -> LanguageModel.Prompt {
      guard let messages = conversations[problem.id] else { return .text(problem.problem.prompt(instruction: instruction)) }
      // Models without a chat template continue a text.
      guard messages.elements?.count == 1, let text = messages.elements?.first?["content"]?.string else {
        return .messages(messages)
      }
      return .text(text)
    }

    /// Of all conversations.
    var checksum: String {
      let all = problems.map { conversations[$0.id]?.serialized() ?? "" }.joined(separator: "\n")
      return String(Checksum64.of(Array(all.utf8)), radix: 16)
    }
  }

  func questions() throws -> Questions {
    if let prompts {
      let (read, broken) = try PromptFile.prompts(InputFile.bytes(prompts), name: prompts, skipsBroken: skipBroken)
      let chosen = read.prefix(count ?? .max)
      return Questions(
        problems: chosen.map {
          EvaluationProblem(id: $0.id, group: $0.group, problem: Problem(question: $0.text, answer: "", grader: .exact))
        }, conversations: Dictionary(chosen.map { ($0.id, $0.messages) }) { first, _ in first }, broken: broken)
    }
    if let problems {
      var broken: [(line: Int, reason: String)] = []
      func leaveOut(_ error: TaskError) {
        if case .badFile(_, let line, let reason) = error { broken.append((line ?? 1, reason)) }
      }
      let all = try ProblemFile.problems(
        InputFile.bytes(problems), name: problems, format: format, onBroken: skipBroken ? leaveOut : nil)
      return Questions(problems: Array(all.prefix(count ?? .max)), broken: broken.sorted { $0.line < $1.line })
    }
    return Questions(problems: try selection.problems(count ?? 100, split: .train))
  }

  /// For the data card.
  func facts(_ questions: Questions, instruction: String?) -> [DataCard.Fact] {
    var facts: [DataCard.Fact]
    if let file = problems ?? prompts {
      facts = [("file", file), ("sha256", (try? DistilledFiles.sha256(file)) ?? "?")]
      if problems != nil { facts.append(("format", format.rawValue)) }
      if !questions.broken.isEmpty { facts.append(("broken lines left out", "\(questions.broken.count)")) }
    } else {
      facts = [
        ("made by", "swiftlet tasks"), ("difficulty", "\(selection.difficulty)"),
        ("split", (selection.split ?? .train).rawValue), ("seed", "\(selection.taskSeed)"),
      ]
    }
    facts.append(("problems", "\(questions.problems.count)"))
    if let instruction { facts.append(("instruction", instruction.isEmpty ? "none" : instruction)) }
    let licence = promptLicence.map { $0 + " (as given)" }
    facts.append(("licence", licence ?? (areMade ? "made by a procedure of this program" : "not given")))
    return facts
  }
}
