internal import SwiftletCheckpoints
internal import SwiftletGeneration
internal import SwiftletTasks
internal import SwiftletTokenization

/// The problems that a model is asked, in an order that the seed decides, and its prompts for them.
struct ProblemSource {
  private enum Kind {
    case tasks([(tasks: TaskSet, share: ClosedRange<Double>)])
    case file([EvaluationProblem])
  }

  /// Lines of the file that are no problems and were left out.
  let broken: [TaskError]
  /// Tokens that end an answer.
  let endTokens: Set<Int32>
  private let kind: Kind
  private let tokenizer: Tokenizer
  private let format: ConversationFormat?
  private let settings: Recipe.Reinforcement
  private let seed: UInt64
  private let longestPrompt: Int

  /// A problem as a model is asked it.
  struct Question: Sendable {
    var problem: EvaluationProblem
    var prompt: [Int32]
  }

  /// - Parameters:
  ///   - format: the chat template; nil where the recipe has a plain prompt.
  ///   - longestPrompt: in tokens.
  /// - Throws: `RecipeError` for problems that cannot be read, asked or graded.
  init(
    _ recipe: Recipe, _ settings: Recipe.Reinforcement, tokenizer: Tokenizer, format: ConversationFormat?, endTokens: Set<Int32>,
    longestPrompt: Int
  ) throws {
    (self.settings, self.tokenizer, self.format, self.endTokens) = (settings, tokenizer, format, endTokens)
    (self.longestPrompt, seed) = (longestPrompt, recipe.seed)
    switch settings.problems {
    case .tasks(let choices): (kind, broken) = (.tasks(try Self.sets(choices, recipe)), [])
    case .file(let path, let fileFormat, let skipsBroken):
      let file = recipe.resolved(path)
      let (problems, broken) = try Self.read(file, fileFormat, skipsBroken: skipsBroken, recipe) { problem in
        if case .python = problem.problem.grader, settings.rewards.contains(where: { $0.kind == .accuracy }) {
          return "its answers are Python, which is not run here; leave accuracy out and name a command that grades them"
        }
        let count = try Self.prompt(problem, settings, tokenizer, format).count
        return count > longestPrompt ? Self.tooLong(count, longestPrompt) : nil
      }
      (kind, self.broken) = (.file(problems), broken)
    }
    // Templates and prompts that cannot be made are found before anything is computed.
    do throws(TrainingError) {
      _ = try question(0)
    } catch {
      throw recipe.error("reinforce", error.reason)
    }
  }

  private static func sets(
    _ choices: [Recipe.Reinforcement.TaskChoice], _ recipe: Recipe
  ) throws -> [(tasks: TaskSet, share: ClosedRange<Double>)] {
    let total = choices.reduce(0) { $0 + $1.weight }
    var sets: [(tasks: TaskSet, share: ClosedRange<Double>)] = [], first = 0.0
    for (index, choice) in choices.enumerated() {
      let last = first + choice.weight / total
      do throws(TaskError) {
        for family in try TaskFamilies.named([choice.family]) {
          let set = try TaskSet(family, difficulty: choice.difficulty, seed: recipe.seed)
          _ = try set.problem(at: 0)
          sets.append((set, first...last))
        }
      } catch {
        throw recipe.error("reinforce.tasks[\(index)]", "\(error)")
      }
      first = last
    }
    return sets
  }

  /// - Parameter reason: why a problem cannot be asked; nil when it can.
  private static func read(
    _ file: String, _ format: ProblemFileFormat, skipsBroken: Bool, _ recipe: Recipe,
    reason: (EvaluationProblem) throws -> String?
  ) throws -> (kept: [EvaluationProblem], broken: [TaskError]) {
    let key = "reinforce.problems"
    var broken: [TaskError] = [], kept: [EvaluationProblem] = []
    let problems: [EvaluationProblem]
    do {
      let bytes = try RegularFile(path: file).bytes(maximumBytes: 1 << 30)
      problems = try ProblemFile.problems(
        bytes, name: file, format: format, onBroken: skipsBroken ? { broken.append($0) } : nil)
    } catch {
      throw recipe.error(key, "\(error)")
    }
    for problem in problems {
      guard let reason = try reason(problem) else {
        kept.append(problem)
        continue
      }
      let text = "the problem \(problem.id): \(reason)"
      guard skipsBroken else { throw recipe.error(key, "\(file): \(text)") }
      broken.append(.badFile(file: file, line: nil, reason: text))
    }
    if kept.isEmpty { throw recipe.error(key, "\(file): has no problem that can be asked") }
    return (kept, broken)
  }

  /// Different problems; nil for tasks, which are endless.
  var count: Int? {
    if case .file(let problems) = kind { problems.count } else { nil }
  }

  private static func tooLong(_ count: Int, _ longest: Int) -> String {
    "its prompt is \(count) tokens long, expected at most \(longest): sequence_length less max_new_tokens"
  }

  private static func prompt(
    _ problem: EvaluationProblem, _ settings: Recipe.Reinforcement, _ tokenizer: Tokenizer, _ format: ConversationFormat?
  ) throws -> [Int32] {
    let text = problem.problem.prompt(instruction: settings.instruction)
    switch settings.prompt {
    case .plain(let pattern):
      let begins = tokenizer.addsBeginningOfSequence
      return tokenizer.encode(
        pattern.replacing(Recipe.Reinforcement.questionMark, with: text), addedTokens: .text, addingBeginningOfSequence: begins)
    case .chat:
      guard let format else { return [] }
      return tokenizer.encode(try format.render([["role": "user", "content": .string(text)]], nil, true))
    }
  }

  /// The question of a draw, from 0: always the same one.
  /// - Throws: `TrainingError` for one that is too long or cannot be rendered.
  func question(_ draw: Int) throws(TrainingError) -> Question {
    let question: Question
    do {
      let problem = try problem(draw)
      question = Question(problem: problem, prompt: try Self.prompt(problem, settings, tokenizer, format))
    } catch {
      throw TrainingError(reason: "\(error)")
    }
    guard question.prompt.count <= longestPrompt else {
      throw TrainingError(reason: "\(question.problem.id): \(Self.tooLong(question.prompt.count, longestPrompt))")
    }
    return question
  }

  private func problem(_ draw: Int) throws(TaskError) -> EvaluationProblem {
    switch kind {
    case .tasks(let sets):
      var random = SeededGenerator(seed, UInt64(draw))
      let value = random.uniform()
      let choice = sets.firstIndex { value < $0.share.upperBound } ?? sets.count - 1, tasks = sets[choice].tasks
      return EvaluationProblem(
        id: "\(tasks.family.name)/\(tasks.difficulty)/\(tasks.split.rawValue)/\(seed)/\(draw)", group: tasks.family.name,
        problem: try tasks.problem(at: draw))
    case .file(let problems):
      let epoch = draw / problems.count
      return problems[IndexPermutation(count: problems.count, seed: seed, epoch: epoch, stream: 0)[draw % problems.count]]
    }
  }

  /// The text of an answer, without what ends it.
  func text(_ tokens: [Int32]) -> String {
    let ends = tokens.last.map(endTokens.contains) ?? false
    return tokenizer.decode(ends ? tokens.dropLast() : tokens)
  }
}
