import ArgumentParser
import Foundation
import SwiftletJSON
import SwiftletTasks

struct TasksCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tasks",
    abstract: "Lists tasks whose answers can be checked, or writes problems of them.",
    discussion: """
      Problems are made by procedures; family, difficulty, split, seed and place
      decide each of them, on every machine. --export writes so many of every
      family as JSON Lines, for `swiftlet eval --data`; with --worked as chats with
      the thought of a right answer, to fine-tune on.

      EXAMPLES
        swiftlet tasks --difficulty 3
        swiftlet tasks --tasks countdown --export 1000 --output problems.jsonl
        swiftlet tasks --export 500 --worked --split train --output chats.jsonl

      ENVIRONMENT
        none
      """)

  @OptionGroup var selection: TaskArguments
  @Option(help: ArgumentHelp("Writes so many problems of every family.", valueName: "n"))
  var export: Int?
  @Flag(help: "With --export: chats with worked reasoning instead of problems.")
  var worked = false
  @Option(help: ArgumentHelp("With --export: where they go (default: standard output).", valueName: "file"))
  var output: String?
  @Flag(help: "Prints one JSON object a family.")
  var json = false

  func validate() throws {
    try Self.check("export", export, in: 1...1_000_000)
    if export == nil, worked || output != nil { throw ValidationError("--worked and --output go with --export.") }
    if export != nil, json { throw ValidationError("--export writes JSON Lines already; leave --json out.") }
  }

  func run() throws {
    guard let export else { return try list() }
    let lines = try selection.problems(export, split: worked ? .train : .heldOut).map {
      (worked ? $0.worked() : $0.json).serialized() + "\n"
    }.joined()
    guard let output else { return Output.write(lines) }
    do {
      try Data(lines.utf8).write(to: URL(fileURLWithPath: output), options: .atomic)
    } catch {
      throw CommandError("\(output) cannot be written: \(error.localizedDescription)")
    }
  }

  private func list() throws {
    for family in try selection.families() {
      let set = try TaskSet(
        family, difficulty: selection.difficulty, split: selection.split ?? .heldOut, seed: selection.taskSeed)
      let problem = try set.problem(at: 0)
      if json {
        Output.line([
          "family": .string(family.name), "summary": .string(family.summary),
          "dials": .string(family.dials(difficulty: selection.difficulty)), "grader": .string(problem.grader.name),
          "question": .string(problem.question), "answer": .string(problem.answer), "reasoning": .string(problem.reasoning),
        ])
      } else {
        func indented(_ text: String) -> String {
          text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map { "    \($0)\n" }.joined()
        }
        Output.write("\(Output.bold(family.name))  \(family.summary) \(family.dials(difficulty: selection.difficulty)).\n")
        Output.write(indented(problem.question) + Output.dim(indented("→ " + problem.answer.drop(while: \.isNewline))) + "\n")
      }
    }
  }
}
