import ArgumentParser
import Foundation
import Swiftlet
import SwiftletCheckpoints
import SwiftletGeneration
import SwiftletJSON
import SwiftletTasks

struct DistillCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "distill",
    abstract: "Makes training data of a model's answers.",
    discussion: """
      Asks a teacher, here or behind an API, problems of `swiftlet tasks` or of a
      file, and keeps what its grader accepts: distillation, and with a model's
      own answers rejection sampling. The output is a conversation a line, for
      `data.chats` of a recipe; beside DATA.jsonl lie all answers
      (DATA.answers.jsonl) and a data card (DATA.card.md, DATA.card.json).

      An interrupted run goes on where it stopped: the same command asks nothing
      twice. Other ways to choose (--keep, --per-problem, --against, ...) ask
      nothing at all, and choose anew.

      EXAMPLES
        swiftlet distill deepseek-r1:1.5b --tasks countdown --count 500 --samples 4 \\
          --max-tokens 4096 --per-problem 1 --choose shortest --output data.jsonl
        swiftlet distill runs/rl/model --tasks arithmetic --samples 8 \\
          --output own.jsonl
        swiftlet distill --api https://api.deepseek.com --problems train.jsonl \\
          --api-key-env DEEPSEEK_API_KEY --api-model deepseek-reasoner \\
          --format gsm8k --against test.jsonl --requests-per-minute 60 \\
          --output data.jsonl
        swiftlet distill smollm2 --prompts prompts.txt --output data.jsonl

      ENVIRONMENT
      \(HelpText.generation)
      """)

  @Argument(help: ArgumentHelp("The teacher. " + HelpText.model))
  var model: String?
  @OptionGroup var source: DistillationSource
  @Option(help: ArgumentHelp("Answers to each problem.", valueName: "n"))
  var samples = 1
  @Option(help: ArgumentHelp("Where the conversations go: NAME.jsonl.", valueName: "file"))
  var output: String
  @OptionGroup var choice: SelectionArguments
  @Flag(help: "Only what stands between <answer> tags counts; else also what is boxed, or stands at the end.")
  var strict = false
  @Option(help: ArgumentHelp("Follows each question instead of the usual request; empty for none.", valueName: "text"))
  var instruction: String?
  @OptionGroup var python: PythonArguments
  @Option(
    name: [.long, .customLong("parallel")],
    help: ArgumentHelp("Answers in progress at once (default: 64 here, 8 behind an API).", valueName: "n"))
  var concurrency: Int?
  @Option(
    help: ArgumentHelp(
      "What an answer that cannot be had does, after seven attempts: stop, or skip. Twenty in a row stop in any case; the same command asks again.",
      valueName: "action"), transform: named)
  var onError = ErrorAction.stop
  @Option(help: ArgumentHelp("The licence of the teacher's answers, for the data card.", valueName: "text"))
  var teacherLicence: String?
  @Flag(help: "Prints the data card as one JSON object.")
  var json = false
  @OptionGroup var server: APIArguments
  @OptionGroup var sampling: SamplingArguments
  @OptionGroup var engine: EngineArguments
  @OptionGroup var context: ContextArguments
  @OptionGroup var template: TemplateArguments

  enum ErrorAction: String, CaseIterable {
    case stop
    case skip
  }

  func validate() throws {
    guard (model == nil) != (server.api == nil) else {
      throw ValidationError("Name a model, or a server with --api; one of them.")
    }
    try server.check(context, template)
    try Self.check("samples", samples, in: 1...10_000)
    try Self.check("concurrency", concurrency, in: 1...1024)
    guard output.hasSuffix(".jsonl"), output.split(separator: "/").last != ".jsonl" else {
      throw ValidationError("--output: found '\(output)', expected a name that ends in .jsonl.")
    }
    if choice.keep == .right, !source.isGraded {
      throw ValidationError("--keep right: prompts have no answer to compare with; give --problems instead of --prompts.")
    }
  }

  private var stem: String { String(output.dropLast(".jsonl".count)) }

  /// What is written would take the place of what is read.
  private func checkFiles() throws {
    let read = [source.problems, source.prompts].compactMap { $0 } + choice.against
    for written in [output, stem + ".answers.jsonl", stem + ".card.json", stem + ".card.md"] {
      let places = InputFile.places(written)
      if let file = read.first(where: { file in InputFile.places(file).contains { places.contains($0) } }) {
        throw CommandError("--output: \(written) would be written over \(file), which is read; choose another name.")
      }
    }
  }

  func run() async throws {
    try checkFiles()
    let questions = try source.questions()
    for line in questions.broken.prefix(20) { Output.note("left out line \(line.line): \(line.reason)") }
    if questions.broken.count > 0 { Output.note("left out \(questions.broken.count) broken lines") }
    var evaluation = try Evaluation(
      problems: questions.problems, samples: samples, seed: sampling.seed, extraction: strict ? .tagged : .lenient,
      instruction: instruction, python: python.runner(), concurrency: concurrency ?? (server.api == nil ? 64 : 8))
    evaluation.grades = source.isGraded
    // What can be wrong with the choice is known before anything is asked.
    let selection = try choice.selection(isGraded: source.isGraded, areMade: source.areMade, seed: sampling.seed)
    let asked = try await ask(evaluation, questions)
    let result = selection.choose(asked.answers, of: questions.problems)
    try write(result, asked, questions)
  }

  private struct Asked {
    var teacher: [DataCard.Fact]
    var sampling: [DataCard.Fact]
    var answers: [GradedAnswer]
    var failures: [FailedAnswer]
  }

  private func ask(_ evaluation: Evaluation, _ questions: DistillationSource.Questions) async throws -> Asked {
    let progress = DistillationProgress(isGraded: source.isGraded), instruction = instruction
    defer { progress.finish() }
    let file = stem + ".answers.jsonl", failuresInARow = onError == .stop ? 1 : 20
    if let api = server.api {
      let fields = try server.fields(sampling) + sampling.thinking.budget.serverFields, key = try server.key
      return try await RemoteModel.with(
        api, key: key, model: server.apiModel, fields: fields, parallel: evaluation.concurrency,
        requestsPerMinute: server.requestsPerMinute
      ) { remote in
        let settings = [
          JSONMember(key: "api", value: .string(api)), JSONMember(key: "model", value: .string(remote.model)),
          JSONMember(key: "messages_hash", value: .string(questions.checksum)),
        ]
        let (answers, failures) = try await Interrupt.cancellingPrograms {
          try await evaluation.collect(
            file: file, settings: .object(settings + fields), failuresInARow: failuresInARow, progress: { progress.print($0) }
          ) { problem, seed in
            try await remote.answer(messages: questions.messages(of: problem, instruction: instruction), seed: seed)
          }
        }
        return Asked(
          teacher: [("model", remote.model), ("behind", String(api.prefix { $0 != "?" }))] + licence(nil),
          sampling: facts(fields), answers: answers,
          failures: failures)
      }
    }
    let model = try await ModelFinder.load(model, engine, context, template)
    let options = try sampling.options(advised: model.loaded.advisedOptions), settings = model.settings(of: options)
    let (answers, failures) = try await Interrupt.cancellingPrograms {
      try await evaluation.collect(
        file: file,
        settings: .object((settings.members ?? []) + [JSONMember(key: "messages_hash", value: .string(questions.checksum))]),
        failuresInARow: failuresInARow, progress: { progress.print($0) }
      ) { problem, seed in
        var options = options
        options.seed = seed
        do {
          let completion = try await model.complete(questions.prompt(of: problem, instruction: instruction), options: options)
          return ModelAnswer(
            reasoning: completion.reasoning, content: completion.content, tokens: completion.tokens.count,
            isTruncated: completion.summary?.finishReason == .length,
            reasoningTokens: completion.summary?.reasoningTokens ?? 0)
        } catch let error as GenerationError {
          throw AnswerFailure("\(error)")
        }
      }
    }
    let path = model.loaded.path, description = try? ModelDescription(path: path)
    let hidden = ["model", "template", "seed", "logit_bias", "stop"]
    let sampled = (settings.members ?? []).filter { !hidden.contains($0.key) && !$0.value.isNull }
    return Asked(
      teacher: [("model", path)] + DistilledFiles.facts(path) + licence(description?.license), sampling: facts(sampled),
      answers: answers, failures: failures)
  }

  private func licence(_ found: ModelLicense?) -> [DataCard.Fact] {
    if let teacherLicence { return [("licence", teacherLicence + " (as given)")] }
    return [("licence", found.map { "\($0.name) (\($0.source))" } ?? "not known")]
  }

  private func facts(_ members: [JSONMember]) -> [DataCard.Fact] {
    [("samples", "\(samples)"), ("seed", "\(sampling.seed)")] + members.map { ($0.key, $0.value.string ?? $0.value.serialized()) }
  }

  private func write(
    _ result: AnswerSelection.Result, _ asked: Asked, _ questions: DistillationSource.Questions
  ) throws {
    let problems = Dictionary(questions.problems.map { ($0.id, $0) }) { first, _ in first }
    let rows = result.kept.compactMap { answer -> JSONValue? in
      guard let problem = problems[answer.problem] else { return nil }
      let messages = questions.messages(of: problem, instruction: instruction).elements ?? []
      return [
        "messages": .array(messages + [["role": "assistant", "content": .string(answer.answer.text)]]),
        "id": .string(answer.problem),
        "family": .string(answer.group), "sample": .integer(answer.sample), "tokens": .integer(answer.answer.tokens),
      ]
    }
    try OutputFile.write(rows.map { $0.serialized() + "\n" }.joined(), to: output)
    var card = DataCard(
      title: URL(fileURLWithPath: output).lastPathComponent, date: Date().ISO8601Format(), problems: questions.problems,
      samples: samples, isGraded: source.isGraded, result: result, failures: asked.failures)
    card.teacher = asked.teacher
    card.prompts = source.facts(questions, instruction: instruction)
    card.sampling = asked.sampling
    card.selection = choice.facts(isGraded: source.isGraded, extraction: strict ? "between <answer> tags" : "lenient")
    card.files = try [output, stem + ".answers.jsonl"].map {
      (URL(fileURLWithPath: $0).lastPathComponent, try DistilledFiles.sha256($0))
    }
    try OutputFile.write(card.json.serialized() + "\n", to: stem + ".card.json")
    try OutputFile.write(card.markdown, to: stem + ".card.md")
    if json { return Output.line(card.json) }
    let dropped = card.json["dropped"]?.members ?? []
    let reasons = dropped.map { "\($0.value.integer ?? 0) \($0.key)" }.joined(separator: ", ")
    Output.write(
      "\(rows.count) of \(questions.problems.count * samples) answers kept" + (reasons.isEmpty ? "" : "; dropped: \(reasons)"))
    Output.write("\n\(output)  \(stem).card.md\n")
    if rows.isEmpty { throw CommandError("No answer is left to learn from; \(stem).answers.jsonl has all of them.") }
    if !asked.failures.isEmpty {
      Output.note("\(asked.failures.count) answers failed, such as: \(asked.failures[0].failure.reason)")
      Output.note("The same command asks for them again.")
    }
  }
}
