import ArgumentParser
import Foundation
import Swiftlet
import SwiftletGeneration
import SwiftletJSON
import SwiftletTasks
import Synchronization

struct EvalCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Measures how many problems a model solves.",
    discussion: """
      Asks problems of `swiftlet tasks`, or of a file, several at once, and grades
      the answers. pass@1 is the share of right answers, pass@k the chance that one
      of k is right, cons@k the share of problems whose most frequent answer is
      right. In brackets: intervals of 95 %, by bootstrap over problems; by Wilson's
      formula where all problems came out alike. `form` is the share of answers that
      are a thought between <think> tags and an answer between <answer> tags.

      The same model, options and seeds give the same answers. An evaluation with
      --out that was interrupted goes on where it stopped.

      With --vote, --best-by or --grader one of k answers is chosen: maj@k and best@k
      are the shares of problems whose chosen answer is right, for k = 1, 2, 4 up to
      --samples, as means over the subsets of k answers. With --budgets everything is
      asked once for each budget of thought, and there is a row for each; --plots
      draws accuracy against tokens of thought, seconds and samples.

      EXAMPLES
        swiftlet eval smollm2 --tasks arithmetic,parity --problems 20 --samples 4
        swiftlet eval deepseek-r1:1.5b --difficulty 3 --max-tokens 4096 --out a.jsonl
        swiftlet eval smollm2 --data test.jsonl --format gsm8k --json
        swiftlet eval smollm2 --tasks parity --budgets 0,64,256 --samples 8 --vote
        swiftlet eval reasoner --tasks arithmetic,sorting --instruction ""
        swiftlet eval --api https://api.deepseek.com --api-key-env DEEPSEEK_API_KEY

      ENVIRONMENT
      \(HelpText.generation)
      """)

  @Argument(help: ArgumentHelp(HelpText.model))
  var model: String?
  @OptionGroup var selection: TaskArguments
  @Option(help: ArgumentHelp("Problems of each family, or the most of --data (default: 100, or all).", valueName: "n"))
  var problems: Int?
  @Option(help: ArgumentHelp("Answers to each problem.", valueName: "k"))
  var samples = 1
  @Option(help: ArgumentHelp("A file of problems instead of --tasks.", valueName: "file"))
  var data: String?
  @Option(
    help: ArgumentHelp("How --data is written: jsonl (our own), gsm8k, math, aime, mmlu, humaneval.", valueName: "form"),
    transform: named)
  var format = ProblemFileFormat.jsonl
  @Flag(help: "Only what stands between <answer> tags counts; else also what is boxed, or stands at the end.")
  var strict = false
  @Option(help: ArgumentHelp("Follows each question instead of the usual request; empty for none.", valueName: "text"))
  var instruction: String?
  @OptionGroup var python: PythonArguments
  @Option(help: ArgumentHelp("Answers in progress at once.", valueName: "n"))
  var parallel = 8
  @OptionGroup var choosing: ChoiceArguments
  @Option(
    help: ArgumentHelp("Budgets of thought as --think has them, separated by commas, each asked in turn.", valueName: "list"))
  var budgets: String?
  @Option(help: ArgumentHelp("With --budgets: the folder for plots, as SVG.", valueName: "folder"))
  var plots: String?
  @Option(
    help: ArgumentHelp(
      "Where every answer goes, a JSON object a line; with --budgets a file for each, its budget before the ending.",
      valueName: "file"))
  var out: String?
  @Flag(help: "Prints one JSON object.")
  var json = false
  @OptionGroup var server: APIArguments
  @OptionGroup var sampling: SamplingArguments
  @OptionGroup var engine: EngineArguments
  @OptionGroup var context: ContextArguments
  @OptionGroup var template: TemplateArguments

  func validate() throws {
    guard (model == nil) != (server.api == nil) else {
      throw ValidationError("Name a model, or a server with --api; one of them.")
    }
    try server.check(context, template)
    try Self.check("problems", problems, in: 1...1_000_000)
    try Self.check("samples", samples, in: 1...10_000)
    try Self.check("parallel", parallel, in: 1...256)
    if data != nil, selection.isGiven {
      throw ValidationError("--data excludes --tasks, and their --difficulty, --split and --task-seed.")
    }
    if choosing.choice != nil, samples == 1 {
      throw ValidationError("--vote, --best-by and --grader choose one of several answers: give --samples.")
    }
    if choosing.bestBy != nil, server.api != nil {
      throw ValidationError(
        "--best-by likelihood needs log-probabilities, which are not asked of servers; name a model instead of --api.")
    }
    if budgets == nil, plots != nil { throw ValidationError("--plots goes with --budgets.") }
    if budgets != nil, sampling.thinking.think != nil { throw ValidationError("--budgets and --think exclude each other.") }
    _ = try chosenBudgets()
    if data == nil, format != .jsonl { throw ValidationError("--format goes with --data.") }
  }

  func run() async throws {
    var evaluation = try Evaluation(
      problems: try chosenProblems(), samples: samples, seed: sampling.seed, extraction: strict ? .tagged : .lenient,
      instruction: instruction, python: python.runner(), concurrency: parallel)
    evaluation.scorer = choosing.graderCommand
    let told = Mutex<Set<String>>([])
    evaluation.onFailure = { failure in
      let text = failure.description.withoutControls
      if told.withLock({ $0.insert(text).inserted }) { Output.note(text) }
    }
    let list = try chosenBudgets()
    if let plots { try TestTimeReport.makeFolder(plots) }
    let (name, runs) =
      if let api = server.api { try await ask(api, evaluation, list) } else { try await askModel(evaluation, list) }
    if budgets != nil {
      let rows = runs.map { run in
        TestTimeReport.Row(
          budget: run.budget, summary: evaluation.summaries(run.answers).overall, curve: curve(run.answers),
          secondsPerAnswer: run.seconds)
      }
      let report = TestTimeReport(model: name, samples: samples, rows: rows)
      if json { Output.line(report.json) } else { Output.write(report.table) }
      if let plots { try report.writePlots(to: plots) }
      return
    }
    let answers = runs[0].answers, (overall, groups) = evaluation.summaries(answers)
    let report = EvaluationReport(
      model: name, samples: samples, overall: overall, groups: groups, curve: curve(answers))
    if json { Output.line(report.json) } else { Output.write(report.table) }
  }

  /// The answers of one budget.
  private struct Run {
    var budget: ThinkingBudget
    var answers: [GradedAnswer]
    /// An answer; nil where some were there already.
    var seconds: Double?
  }

  private func curve(_ answers: [GradedAnswer]) -> SampleCurve? {
    switch choosing.choice {
    case nil: nil
    case .vote: SampleCurve(answers, choice: .vote)
    case .likelihood: SampleCurve(answers, choice: .likelihood)
    case .grader: isScored(answers) ? SampleCurve(answers, choice: .score) : nil
    }
  }

  /// Says how many answers have no score.
  /// - Returns: whether one has: without any there is nothing to choose by.
  private func isScored(_ answers: [GradedAnswer]) -> Bool {
    let failed = answers.count(where: { $0.score == nil })
    if failed == 0 { return true }
    let rest = failed == answers.count ? "there is no best@k" : "those are chosen only where no answer to the problem has a score"
    Output.note("the grader gave no score for \(failed) of \(answers.count) answers: \(rest)")
    return failed < answers.count
  }

  /// The budgets that are asked for, or the one that --think gives.
  private func chosenBudgets() throws -> [ThinkingBudget] {
    guard let budgets else { return [sampling.thinking.budget] }
    var names: [String: String] = [:]
    return try budgets.split(separator: ",", omittingEmptySubsequences: false).map { part in
      guard var budget = ThinkingBudget(part.trimmingCharacters(in: .whitespaces)) else {
        throw ValidationError("--budgets: found '\(part)', expected off, low, high, max or a number of tokens.")
      }
      // Each has a file of answers by its name.
      if let other = names.updateValue(String(part), forKey: Self.name(of: budget)) {
        throw ValidationError("--budgets: '\(other)' and '\(part)' are the same budget; name each one once.")
      }
      // A minimum holds as far as the budget reaches.
      budget.minimum = min(sampling.thinking.thinkMin ?? 0, budget.maximum ?? .max)
      return budget
    }
  }

  /// Asks once for each budget.
  private func run(
    _ evaluation: Evaluation, _ budgets: [ThinkingBudget], settings: (ThinkingBudget) -> JSONValue,
    ask: @escaping @Sendable (_ prompt: String, _ seed: UInt64, _ budget: ThinkingBudget) async throws -> ModelAnswer
  ) async throws -> [Run] {
    var runs: [Run] = []
    // A file that cannot be used should not come to light hours later.
    for budget in budgets { if let file = file(of: budget) { try evaluation.check(file: file, settings: settings(budget)) } }
    for budget in budgets {
      let asked = Atomic<Int>(0), start = ContinuousClock.now
      if self.budgets != nil { Output.note("budget \(budget)") }
      let file = file(of: budget), settings = settings(budget)
      let answers = try await Interrupt.cancellingPrograms {
        try await evaluation.run(file: file, settings: settings, progress: Self.progress()) { prompt, seed in
          asked.add(1, ordering: .relaxed)
          return try await ask(prompt, seed, budget)
        }
      }
      let isWhole = asked.load(ordering: .relaxed) == answers.count && !answers.isEmpty
      let seconds = start.duration(to: .now) / .seconds(1)
      runs.append(Run(budget: budget, answers: answers, seconds: isWhole ? seconds / Double(answers.count) : nil))
    }
    return runs
  }

  /// `answers.64.jsonl` for a budget of 64 and `answers.jsonl`.
  private func file(of budget: ThinkingBudget) -> String? {
    guard let out, budgets != nil else { return out }
    let name = Self.name(of: budget), path = out as NSString
    return path.pathExtension.isEmpty ? "\(out).\(name)" : "\(path.deletingPathExtension).\(name).\(path.pathExtension)"
  }

  private static func name(of budget: ThinkingBudget) -> String { budget.maximum.map { "\($0)" } ?? "max" }

  private func chosenProblems() throws -> [EvaluationProblem] {
    guard let data else { return try selection.problems(problems ?? 100) }
    let all = try ProblemFile.problems(InputFile.bytes(data), name: data, format: format)
    return Array(all.prefix(problems ?? .max))
  }

  private func askModel(_ evaluation: Evaluation, _ budgets: [ThinkingBudget]) async throws -> (String, [Run]) {
    let model = try await ModelFinder.load(model, engine, context, template)
    var options = try sampling.options(advised: model.loaded.advisedOptions)
    if choosing.bestBy != nil { options.topLogProbabilities = 0 }
    let shared = options
    func with(_ budget: ThinkingBudget) -> GenerationOptions {
      var options = shared
      options.thinking = budget
      return options
    }
    // Answers that have none are no part of such an evaluation.
    let asked = choosing.bestBy == nil ? [] : [JSONMember(key: "log_probabilities", value: true)]
    func settings(_ budget: ThinkingBudget) -> JSONValue { .object((model.settings(of: with(budget)).members ?? []) + asked) }
    let runs = try await run(evaluation, budgets, settings: settings) { prompt, seed, budget in
      var options = shared
      options.thinking = budget
      options.seed = seed
      let completion = try await model.complete(.text(prompt), options: options)
      return ModelAnswer(
        reasoning: completion.reasoning, content: completion.content, tokens: completion.tokens.count,
        isTruncated: completion.summary?.finishReason == .length,
        reasoningTokens: completion.summary?.reasoningTokens ?? 0, logProbability: completion.logProbability)
    }
    return (model.loaded.path, runs)
  }

  private func ask(_ api: String, _ evaluation: Evaluation, _ budgets: [ThinkingBudget]) async throws -> (String, [Run]) {
    let fields = try server.fields(sampling), key = try server.key
    return try await RemoteModel.with(
      api, key: key, model: server.apiModel, fields: fields, parallel: parallel, requestsPerMinute: server.requestsPerMinute
    ) { remote in
      let named = [JSONMember(key: "api", value: .string(api)), JSONMember(key: "model", value: .string(remote.model))]
      let runs = try await run(evaluation, budgets, settings: { .object(named + fields + $0.serverFields) }) {
        prompt, seed, budget in
        try await remote.answer(prompt, seed: seed, budget: budget.serverFields)
      }
      return (remote.model, runs)
    }
  }

  /// A line on standard error at the start, every few seconds, and at the end.
  private static func progress() -> @Sendable (Int, Int) -> Void {
    let last = Mutex<ContinuousClock.Instant?>(nil)
    return { done, all in
      let isDue = last.withLock { last in
        let now = ContinuousClock.now
        guard last.map({ $0.duration(to: now) >= .seconds(5) || done == all }) ?? true else { return false }
        last = now
        return true
      }
      if isDue { Output.note("\(done) of \(all) answers") }
    }
  }
}
