import ArgumentParser
import Foundation
import Swiftlet
import SwiftletConstraints
import SwiftletGeneration

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Answers one prompt, or a file of them.",
    discussion: """
      What comes on standard input is added to the prompt. On a terminal the
      thought of a reasoning model is shown dim; elsewhere only the answer is
      printed.

      EXAMPLES
        swiftlet run smollm2 "What is the capital of France?"
        swiftlet run deepseek-r1:1.5b "Summarise:" < notes.txt
        swiftlet run model.gguf "Name a prime." --temperature 0 --json
        swiftlet run coder.gguf "def add(a, b):" --suffix "    return c"
        swiftlet run smollm2 "A city as JSON:" --json-schema city.json
        swiftlet run smollm2 --batch in.jsonl --output out.jsonl
        swiftlet run deepseek-r1:1.5b "17 * 23?" --think 512 --samples 8 --vote
        swiftlet run smollm2 "A haiku." --samples 4 --grader ./score.py

      A row of a batch is {"prompt": "…"} or {"messages": […]} and may have
      temperature, top_k, top_p, min_p, repetition_penalty, frequency_penalty,
      presence_penalty, logit_bias, seed, stop and max_tokens. An interrupted
      batch goes on where it stopped.

      ENVIRONMENT
      \(HelpText.generation)
      """)

  @Argument(help: ArgumentHelp(HelpText.model))
  var model: String
  @Argument(help: "What to answer.")
  var prompt: String?
  @Flag(help: "Continues the prompt as it is, without the model's chat format.")
  var raw = false
  @Option(help: ArgumentHelp("What the model is told before all else.", valueName: "text"))
  var system: String?
  @Option(
    help: ArgumentHelp("Fills in what stands between the prompt and this text, with models trained for that.", valueName: "text"))
  var suffix: String?
  @Flag(help: "Prints one JSON object.")
  var json = false
  @Flag(help: "Prints counts and speeds to standard error.")
  var verbose = false
  @Option(help: ArgumentHelp("A JSON Lines file with a prompt a row.", valueName: "file"))
  var batch: String?
  @Option(help: ArgumentHelp("Where the answers of a batch go, a JSON object a row.", valueName: "file"))
  var output: String?
  @Option(help: ArgumentHelp("Rows of a batch in progress at once (default: 8).", valueName: "n"))
  var parallel: Int?
  @Option(help: ArgumentHelp("Answers to the prompt, of which one is chosen.", valueName: "n"))
  var samples = 1
  @OptionGroup var choosing: ChoiceArguments
  @OptionGroup var constraint: ConstraintArguments
  @OptionGroup var sampling: SamplingArguments
  @OptionGroup var engine: EngineArguments
  @OptionGroup var context: ContextArguments
  @OptionGroup var template: TemplateArguments

  func validate() throws {
    guard (batch == nil) == (output == nil) else { throw ValidationError("--batch and --output go together.") }
    if batch != nil, prompt != nil { throw ValidationError("With --batch, prompts come from the file; leave the prompt out.") }
    if batch != nil, raw || system != nil {
      throw ValidationError(
        "--batch asks every row in the model's chat format: it excludes --raw and --system; a row may have a system message.")
    }
    try Self.check("parallel", parallel, in: 1...256)
    if parallel != nil, batch == nil { throw ValidationError("--parallel goes with --batch.") }
    if suffix != nil, raw || system != nil || batch != nil || template.template != nil {
      throw ValidationError("--suffix fills in a text, without a chat: it excludes --raw, --system, --batch and --template.")
    }
    if suffix != nil, constraint.isGiven {
      throw ValidationError("--suffix fills in a text: it excludes --json-schema and --json-object.")
    }
    try Self.check("samples", samples, in: 1...256)
    if samples > 1, choosing.choice == nil {
      throw ValidationError("--samples goes with what chooses one of the answers: --vote, --best-by or --grader.")
    }
    if samples == 1, choosing.choice != nil {
      throw ValidationError("--vote, --best-by and --grader choose one of several answers: give --samples.")
    }
    if samples > 1, batch != nil || suffix != nil { throw ValidationError("--samples excludes --batch and --suffix.") }
    if sampling.thinking.isGiven, raw || suffix != nil {
      throw ValidationError("--think and --think-min are for chats: they exclude --raw and --suffix.")
    }
    if raw, system != nil { throw ValidationError("--raw has no place for --system.") }
  }

  func run() async throws {
    let grammar = try constraint.grammar()
    if let batch, let output {
      let model = try await ModelFinder.load(model, engine, context, template, isVerbose: verbose)
      let options = try options(model, grammar)
      let run = BatchRun(model: model, defaults: options, concurrency: parallel ?? 8)
      let answered = try await run.run(input: batch, output: output) { done, all in Output.note("\(done) of \(all) rows") }
      if answered == 0 { Output.note("\(output) has them all already; name another file to answer them anew.") }
      let failed = try BatchRun.failedRows(output)
      if failed > 0 { Output.note("rows that failed: \(failed); in \(output) they are the lines with \"error\"") }
      return
    }
    let text = try [prompt, StandardInput.text(isExpected: prompt == nil)].compactMap { $0 }.joined(separator: "\n")
    guard !text.isEmpty || suffix != nil else {
      throw CommandError(
        "The prompt is empty. Give one as an argument or on standard input"
          + (isatty(STDIN_FILENO) == 1 ? ", or talk with the model: swiftlet chat \(model)" : "."))
    }
    let model = try await ModelFinder.load(model, engine, context, template, isVerbose: verbose)
    let options = try options(model, grammar)
    let prompt: LanguageModel.Prompt =
      if let suffix {
        .fillInMiddle(prefix: text, suffix: suffix)
      } else if raw {
        .raw(text)
      } else if let system {
        .messages([["role": "system", "content": .string(system)], ["role": "user", "content": .string(text)]])
      } else {
        .text(text)
      }
    if let choice = choosing.choice {
      try await choose(choice, model, prompt, options)
    } else if json {
      let completion = try await model.complete(prompt, options: options)
      Output.line(completion.json)
      noteThought(completion.summary?.reasoningTokens == 0, options)
    } else {
      try await stream(model, prompt, options)
    }
  }

  /// Answers several times, and prints the answer that was chosen.
  private func choose(
    _ choice: AnswerChoice, _ model: LanguageModel, _ prompt: LanguageModel.Prompt, _ options: GenerationOptions
  ) async throws {
    let samples = samples
    // Graders are ended with it.
    let answers = try await Interrupt.cancelling(onTermination: true) {
      try await model.sample(prompt, count: samples, choosing: choice, options: options)
    }
    for line in answers.failureLines { Output.note(line) }
    let isThoughtMissing = answers.completions.allSatisfy { $0.summary?.reasoningTokens == 0 }
    if json {
      Output.line(answers.json)
      return noteThought(isThoughtMissing, options)
    }
    var printer = AnswerPrinter(showsReasoning: Output.isTerminal)
    printer.print(answers.best.newParts(since: Completion()))
    printer.finish()
    Output.note(answers.line)
    noteThought(isThoughtMissing, options)
    if verbose { for completion in answers.completions { if let summary = completion.summary { Output.note(summary.line) } } }
  }

  /// A budget does not make a model think that was not taught to.
  private func noteThought(_ isMissing: Bool, _ options: GenerationOptions) {
    guard isMissing, options.thinking.asksForThought == true else { return }
    Output.note("--think had no effect: neither the model's chat format nor its answer opens a thought with <think>.")
  }

  private func options(_ model: LanguageModel, _ grammar: Grammar?) throws -> GenerationOptions {
    var options = try sampling.options(advised: model.loaded.advisedOptions)
    options.constraint = grammar
    return options
  }

  private func stream(_ model: LanguageModel, _ prompt: LanguageModel.Prompt, _ options: GenerationOptions) async throws {
    var completion = Completion()
    var printer = AnswerPrinter(showsReasoning: Output.isTerminal)
    for try await event in try await model.generate(model.request(prompt, options: options)) {
      printer.print(completion.add(event))
    }
    printer.finish()
    noteThought(completion.summary?.reasoningTokens == 0, options)
    if verbose, let summary = completion.summary { Output.note(summary.line) }
  }
}
