import ArgumentParser
import SwiftletTasks

/// Which problems are made.
struct TaskArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Families, separated by commas (default: all; `swiftlet tasks` lists them).", valueName: "names"))
  var tasks = ""
  @Option(help: ArgumentHelp("How hard, from 1 to 10.", valueName: "n"))
  var difficulty = 1
  @Option(
    help: ArgumentHelp(
      "train, held-out, or harder: two steps harder, and never among the others. No problem is in two of them (default: held-out; with --worked, and for distill, train).",
      valueName: "split"), transform: named)
  var split: TaskSplit?
  @Option(help: ArgumentHelp("Another seed gives other problems.", valueName: "n"))
  var taskSeed: UInt64 = 0

  func validate() throws { try Self.check("difficulty", difficulty, in: TaskSet.difficulties) }

  func families() throws -> [any TaskFamily] {
    try TaskFamilies.named(tasks.split(separator: ",").map { String($0).trimmingSpaces() })
  }

  /// So many problems of each family.
  /// - Parameter other: the split where none is named.
  func problems(_ count: Int, split other: TaskSplit = .heldOut) throws -> [EvaluationProblem] {
    try families().flatMap { family in
      try TaskSet(family, difficulty: difficulty, split: split ?? other, seed: taskSeed).problems(count)
    }
  }
}

extension String {
  fileprivate func trimmingSpaces() -> String { String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
}
