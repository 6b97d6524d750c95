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

      EXAMPLES
        swiftlet eval smollm2 --tasks arithmetic,parity --problems 20 --samples 4
        swiftlet eval deepseek-r1:1.5b --difficulty 3 --max-tokens 4096 --out a.jsonl
        swiftlet eval smollm2 --data test.jsonl --format gsm8k --json
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
  @Option(help: ArgumentHelp("Where every answer goes, a JSON object a line.", valueName: "file"))
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
    try Self.check("problems", problems, in: 1...1_000_000)
    try Self.check("samples", samples, in: 1...10_000)
    try Self.check("parallel", parallel, in: 1...256)
    if data != nil, !selection.tasks.isEmpty { throw ValidationError("--data and --tasks exclude each other.") }
    if data == nil, format != .jsonl { throw ValidationError("--format goes with --data.") }
  }

  func run() async throws {
    let evaluation = try Evaluation(
      problems: try chosenProblems(), samples: samples, seed: sampling.seed, extraction: strict ? .tagged : .lenient,
      instruction: instruction, python: python.runner(), concurrency: parallel)
    let (name, answers) =
      if let api = server.api { try await ask(api, evaluation) } else { try await askModel(evaluation) }
    let (overall, groups) = evaluation.summaries(answers)
    let report = EvaluationReport(model: name, samples: samples, overall: overall, groups: groups)
    if json { Output.line(report.json) } else { Output.write(report.table) }
  }

  private func chosenProblems() throws -> [EvaluationProblem] {
    guard let data else { return try selection.problems(problems ?? 100) }
    let all = try ProblemFile.problems(InputFile.bytes(data), name: data, format: format)
    return Array(all.prefix(problems ?? .max))
  }

  private func askModel(_ evaluation: Evaluation) async throws -> (String, [GradedAnswer]) {
    let model = try await ModelFinder.load(model, engine, context, template)
    let options = try sampling.options(advised: model.loaded.advisedOptions)
    let answers = try await evaluation.run(
      file: out, settings: model.settings(of: options), progress: Self.progress()
    ) { prompt, seed in
      var options = options
      options.seed = seed
      let completion = try await model.complete(.text(prompt), options: options)
      return ModelAnswer(
        reasoning: completion.reasoning, content: completion.content, tokens: completion.tokens.count,
        isTruncated: completion.summary?.finishReason == .length)
    }
    return (model.loaded.path, answers)
  }

  private func ask(_ api: String, _ evaluation: Evaluation) async throws -> (String, [GradedAnswer]) {
    let fields = try server.fields(sampling), key = try server.key
    return try await RemoteModel.with(
      api, key: key, model: server.apiModel, fields: fields, parallel: parallel,
      requestsPerMinute: server.requestsPerMinute
    ) { remote in
      let settings = JSONValue.object(
        [JSONMember(key: "api", value: .string(api)), JSONMember(key: "model", value: .string(remote.model))] + fields)
      let answers = try await evaluation.run(file: out, settings: settings, progress: Self.progress()) { prompt, seed in
        try await remote.answer(prompt, seed: seed)
      }
      return (remote.model, answers)
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
