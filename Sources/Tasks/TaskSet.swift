/// Which part of a family's problems: no problem is in two of them, whatever the seeds and difficulties.
///
/// The part is chosen by a hash of what a problem is about (`Problem.key`): a tenth is held out, another tenth is kept for problems
/// that are harder than those seen, the rest is for training.
public enum TaskSplit: String, Sendable, CaseIterable {
  case train
  case heldOut = "held-out"
  /// Two steps harder than asked for.
  case harder

  /// The split that a problem belongs to.
  public init(of problem: Problem, family: String) {
    switch StableHash.of(family + "\u{0}" + problem.key) % 10 {
    case 0: self = .heldOut
    case 1: self = .harder
    default: self = .train
    }
  }

  /// What is added to the difficulty.
  var furtherDifficulty: Int { self == .harder ? 2 : 0 }
}

/// An endless list of a family's problems: each is decided by family, difficulty, split, seed and index alone.
public struct TaskSet: Sendable {
  public static let difficulties = 1...10
  /// How many problems are made and dropped before one of the split is found. One in ten belongs to the rarest.
  private static let attempts = 2000

  public let family: any TaskFamily
  public let difficulty: Int
  public let split: TaskSplit
  public let seed: UInt64

  public init(
    _ family: any TaskFamily, difficulty: Int, split: TaskSplit = .train, seed: UInt64 = 0
  ) throws(TaskError) {
    guard Self.difficulties.contains(difficulty) else { throw .difficultyOutOfRange(difficulty, allowed: Self.difficulties) }
    self.family = family
    self.difficulty = difficulty
    self.split = split
    self.seed = seed
  }

  /// The problem at an index from 0. Two indices may have the same one.
  /// - Throws: `TaskError.tooFewProblems` when the family has none in this split.
  public func problem(at index: Int) throws(TaskError) -> Problem {
    guard index >= 0 else { throw .indexOutOfRange(index) }
    var random = TaskRandom(family.name, UInt64(difficulty), seed, UInt64(index))
    for _ in 0..<Self.attempts {
      let problem = family.problem(difficulty: difficulty + split.furtherDifficulty, random: &random)
      if TaskSplit(of: problem, family: family.name) == split { return problem }
    }
    throw .tooFewProblems(family: family.name, difficulty: difficulty, split: split, found: 0, wanted: 1)
  }

  /// The first problems that differ from each other.
  /// - Parameter orFewer: takes as many as are within reach.
  /// - Throws: `TaskError.tooFewProblems` when there are not as many.
  public func problems(_ count: Int, orFewer: Bool = false) throws(TaskError) -> [EvaluationProblem] {
    var problems: [EvaluationProblem] = [], keys = Set<String>(), index = 0, repeats = 0
    while problems.count < count {
      let problem = try problem(at: index)
      if keys.insert(problem.key).inserted {
        let id = "\(family.name)/\(difficulty)/\(split.rawValue)/\(seed)/\(index)"
        problems.append(EvaluationProblem(id: id, group: family.name, problem: problem))
        repeats = 0
      } else {
        repeats += 1
      }
      guard repeats < Self.attempts else {
        if orFewer, !problems.isEmpty { break }
        throw .tooFewProblems(
          family: family.name, difficulty: difficulty, split: split, found: problems.count, wanted: count)
      }
      index += 1
    }
    return problems
  }
}

/// A problem with a name of its own.
public struct EvaluationProblem: Sendable, Equatable {
  /// Different for every problem of an evaluation.
  public var id: String
  /// The family, or the data set, that it is counted with.
  public var group: String
  public var problem: Problem

  public init(id: String, group: String, problem: Problem) {
    self.id = id
    self.group = group
    self.problem = problem
  }
}
