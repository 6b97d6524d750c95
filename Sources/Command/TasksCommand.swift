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
        swiftlet tasks --difficulty 1-3 --export 20000 --or-fewer --worked \\
          --instruction "" --shuffle --output chats.jsonl

      ENVIRONMENT
        none
      """)

  @OptionGroup var selection: TaskArguments
  @Option(help: ArgumentHelp("Writes so many problems of every family.", valueName: "n"))
  var export: Int?
  @Flag(help: "With --export: chats with worked reasoning instead of problems.")
  var worked = false
  @Flag(help: "With --export: as many as there are, where a family has fewer.")
  var orFewer = false
  @Flag(help: "With --export: in an order that --task-seed decides, instead of family by family.")
  var shuffle = false
  @Option(
    help: ArgumentHelp(
      "With --worked: follows each question instead of the usual request; empty for none.", valueName: "text"))
  var instruction: String?
  @Option(help: ArgumentHelp("With --export: where they go (default: standard output).", valueName: "file"))
  var output: String?
  @Flag(help: "Prints one JSON object a family.")
  var json = false

  func validate() throws {
    try Self.check("export", export, in: 1...1_000_000)
    if export == nil, worked || output != nil || orFewer || shuffle {
      throw ValidationError("--worked, --or-fewer, --shuffle and --output go with --export.")
    }
    if instruction != nil, !worked { throw ValidationError("--instruction goes with --worked.") }
    if export != nil, json { throw ValidationError("--export writes JSON Lines already; leave --json out.") }
  }

  func run() throws {
    guard let export else { return try list() }
    var problems = try selection.problems(export, split: worked ? .train : .heldOut, orFewer: orFewer)
    if shuffle {
      var random = TaskRandom("shuffle", selection.taskSeed)
      problems = random.shuffled(problems)
    }
    let lines = problems.map {
      (worked ? $0.worked(instruction: instruction) : $0.json).serialized() + "\n"
    }.joined()
    guard let output else { return Output.write(lines) }
    try OutputFile.write(lines, to: output)
  }

  private func list() throws {
    for family in try selection.families() {
      let difficulty = selection.difficulty.range.lowerBound
      let set = try TaskSet(
        family, difficulty: difficulty, split: selection.split ?? .heldOut, seed: selection.taskSeed)
      let problem = try set.problem(at: 0)
      if json {
        Output.line([
          "family": .string(family.name), "summary": .string(family.summary),
          "dials": .string(family.dials(difficulty: difficulty)), "grader": .string(problem.grader.name),
          "question": .string(problem.question), "answer": .string(problem.answer), "reasoning": .string(problem.reasoning),
        ])
      } else {
        func indented(_ text: String) -> String {
          text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map { "    \($0)\n" }.joined()
        }
        Output.write("\(Output.bold(family.name))  \(family.summary) \(family.dials(difficulty: difficulty)).\n")
        Output.write(indented(problem.question) + Output.dim(indented("→ " + problem.answer.drop(while: \.isNewline))) + "\n")
      }
    }
  }
}
