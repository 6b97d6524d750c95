/// What is wrong with problems that were asked for, or with a file of them.
public enum TaskError: Error, Sendable, Equatable, CustomStringConvertible {
  case unknownFamily(String, known: [String])
  case difficultyOutOfRange(Int, allowed: ClosedRange<Int>)
  case indexOutOfRange(Int)
  /// The family has fewer problems of this difficulty and split than were asked for.
  case tooFewProblems(family: String, difficulty: Int, split: TaskSplit, found: Int, wanted: Int)
  /// - Parameter line: from 1; nil for the file as a whole.
  case badFile(file: String, line: Int?, reason: String)
  /// Answers of this problem are Python programs, which run only where that was allowed.
  case pythonNotAllowed(problem: String)
  case pythonFailed(String)
  /// The file of answers belongs to another evaluation.
  case otherEvaluation(file: String, field: String)

  public var description: String {
    switch self {
    case .unknownFamily(let name, let known):
      "there is no task '\(name.prefix(60))'; there are: \(known.joined(separator: ", "))"
    case .difficultyOutOfRange(let found, let allowed):
      "difficulty: found \(found), expected \(allowed.lowerBound) to \(allowed.upperBound)"
    case .indexOutOfRange(let index): "found index \(index), expected 0 or more"
    case .tooFewProblems(let family, let difficulty, let split, let found, let wanted):
      "\(family) has only \(found) different problems of difficulty \(difficulty) in the split \(split.rawValue) within reach, but "
        + "\(wanted) were asked for; ask for fewer or raise the difficulty"
    case .badFile(let file, let line, let reason): file + (line.map { ", line \($0)" } ?? "") + ": " + reason
    case .pythonNotAllowed(let problem):
      "\(problem): its answers are Python programs; allow running what a model wrote (--run-python), best inside a container"
    case .pythonFailed(let reason): "python3 cannot be run: \(reason)"
    case .otherEvaluation(let file, let field):
      "\(file) has the answers of another evaluation (its \(field) differs); name another file, or remove it"
    }
  }
}
