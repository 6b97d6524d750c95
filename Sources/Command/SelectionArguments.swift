import ArgumentParser
import SwiftletTasks

/// Which of a teacher's answers are kept.
struct SelectionArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp("right: what the grader accepts; all (default: right; with --prompts all).", valueName: "which"),
    transform: named)
  var keep: Keep?
  @Flag(help: "Drops answers that are not one thought between <think> tags and one answer between <answer> tags.")
  var wellFormed = false
  @Option(help: ArgumentHelp("The most answers to a problem (default: all).", valueName: "k"))
  var perProblem: Int?
  @Option(
    help: ArgumentHelp("Which come first where --per-problem has no room for all: first, shortest, random.", valueName: "order"),
    transform: named)
  var choose = AnswerSelection.Order.first
  @Option(
    help: ArgumentHelp(
      "Drops answers that mix languages (one), or are not in en or zh: more than a tenth of the letters are of another script.",
      valueName: "language"), transform: named)
  var language: AnswerSelection.Language?
  @Option(
    help: ArgumentHelp(
      "Drops answers nearly equal to one before: so large a share of the runs of five words is in both questions, and in both answers; 0 looks for equal ones alone.",
      valueName: "share"))
  var nearDuplicates = 0.8
  @Option(
    help: ArgumentHelp(
      "Held-out texts, of which nothing may be learned: a file, or tasks:held-out, tasks:harder. May be given several times.",
      valueName: "file"))
  var against: [String] = []

  enum Keep: String, CaseIterable {
    case right
    case all
  }

  func validate() throws {
    try Self.check("per-problem", perProblem, in: 1...10_000)
    try Self.check("near-duplicates", nearDuplicates, in: 0...1)
    for name in against where name.hasPrefix("tasks:") { _ = try Self.split(name) }
  }

  private static func split(_ name: String) throws -> TaskSplit {
    guard let split = TaskSplit(rawValue: String(name.dropFirst("tasks:".count))), split != .train else {
      throw ValidationError("--against: found '\(name)', expected tasks:held-out, tasks:harder or a file.")
    }
    return split
  }

  func selection(isGraded: Bool, areMade: Bool, seed: UInt64) throws -> AnswerSelection {
    var selection = AnswerSelection()
    selection.keepsRightOnly = isGraded && keep != .all
    selection.requiresForm = wellFormed
    selection.perProblem = perProblem
    selection.order = choose
    selection.seed = seed
    selection.language = language
    selection.nearDuplicates = nearDuplicates == 0 ? nil : nearDuplicates
    selection.areMade = areMade
    guard !against.isEmpty else { return selection }
    var decontamination = Decontamination()
    for name in against {
      if name.hasPrefix("tasks:") {
        try decontamination.add(Self.split(name))
      } else {
        try decontamination.add(file: InputFile.bytes(name), name: name)
      }
    }
    selection.decontamination = decontamination
    return selection
  }

  /// For the data card.
  func facts(isGraded: Bool, extraction: String) -> [DataCard.Fact] {
    var facts: [DataCard.Fact] = [("kept", isGraded && keep != .all ? "right answers" : "all answers")]
    if isGraded { facts.append(("the answer is looked for", extraction)) }
    if wellFormed { facts.append(("form", "<think> and <answer>")) }
    facts.append(("answers a problem", perProblem.map { "at most \($0), \(choose.rawValue)" } ?? "all"))
    if let language { facts.append(("language", language.rawValue)) }
    facts.append(("near duplicates", nearDuplicates == 0 ? "kept" : "a share of \(nearDuplicates) of runs of 5 words"))
    facts.append(("held out", against.isEmpty ? "nothing was compared" : against.joined(separator: ", ")))
    return facts
  }
}
