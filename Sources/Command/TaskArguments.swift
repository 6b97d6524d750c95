import ArgumentParser
import SwiftletTasks

/// Which problems are made.
struct TaskArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Families, separated by commas (default: all; `swiftlet tasks` lists them).", valueName: "names"))
  var tasks = ""
  @Option(help: ArgumentHelp("How hard, from 1 to 10, or a range such as 1-3, with as many problems of each.", valueName: "n"))
  var difficulty = Difficulties(1...1)
  @Option(
    help: ArgumentHelp(
      "train, held-out, or harder: two steps harder, and never among the others. No problem is in two of them (default: held-out; with --worked, and for distill, train).",
      valueName: "split"), transform: named)
  var split: TaskSplit?
  @Option(help: ArgumentHelp("Another seed gives other problems.", valueName: "n"))
  var taskSeed: UInt64 = 0

  /// Whether anything but the defaults was asked for.
  var isGiven: Bool { !tasks.isEmpty || difficulty.range != 1...1 || split != nil || taskSeed != 0 }

  func validate() throws {
    for bound in [difficulty.range.lowerBound, difficulty.range.upperBound] {
      try Self.check("difficulty", bound, in: TaskSet.difficulties)
    }
  }

  func families() throws -> [any TaskFamily] {
    try TaskFamilies.named(tasks.split(separator: ",").map { String($0).trimmingSpaces() })
  }

  /// So many problems of each family, evenly of each difficulty.
  /// - Parameters:
  ///   - other: the split where none is named.
  ///   - orFewer: takes as many as there are.
  func problems(_ count: Int, split other: TaskSplit = .heldOut, orFewer: Bool = false) throws -> [EvaluationProblem] {
    let range = difficulty.range
    return try families().flatMap { family in
      try range.flatMap { level in
        let share = count / range.count + (level - range.lowerBound < count % range.count ? 1 : 0)
        return try TaskSet(family, difficulty: level, split: split ?? other, seed: taskSeed).problems(share, orFewer: orFewer)
      }
    }
  }
}

/// A difficulty, or a range of them.
struct Difficulties: ExpressibleByArgument, CustomStringConvertible {
  let range: ClosedRange<Int>

  init(_ range: ClosedRange<Int>) { self.range = range }

  init?(argument: String) {
    let bounds = argument.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    guard (1...2).contains(bounds.count), let low = bounds[0], let high = bounds[bounds.count - 1], low <= high else {
      return nil
    }
    range = low...high
  }

  /// As it is typed.
  var description: String { range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)" }
}

extension String {
  fileprivate func trimmingSpaces() -> String { String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
}
