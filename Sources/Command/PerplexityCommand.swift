import ArgumentParser
import Foundation
import SwiftletGeneration
import SwiftletTensors

struct PerplexityCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "perplexity",
    abstract: "Measures how well a model predicts a text.",
    discussion: """
      Windows are cut and their second halves scored as llama-perplexity does,
      so the figures compare. `tokens` counts the scored ones.

      EXAMPLE
        swiftlet perplexity smollm2 book.txt --context 512 --json

      ENVIRONMENT
      \(HelpText.engine)
      """)

  @Argument(help: ArgumentHelp(HelpText.model))
  var model: String
  @Argument(help: "A text file in UTF-8.")
  var file: String
  @Option(help: ArgumentHelp("Tokens of a window.", valueName: "n"))
  var context = 512
  @Flag(help: "Prints one JSON object.")
  var json = false
  @OptionGroup var engine: EngineArguments

  func validate() throws {
    guard context >= 4 else { throw ValidationError("--context: found \(context), expected at least 4.") }
  }

  /// Tells how far it has come: on the same line in a terminal, elsewhere with every tenth of the way.
  private static func tell(_ done: Int, _ all: Int, _ value: Double) {
    let line = String(format: "window %d of %d: %.4f", done, all, value)
    if Output.rewritesErrorLine {
      Output.rewriteErrorLine { _ in line }
      if done == all { Output.writeError("\n") }
    } else if done * 10 / all > (done - 1) * 10 / all {
      Output.note(line)
    }
  }

  func run() async throws {
    let threadCount = try engine.checkedThreadCount(), experts = try engine.experts()
    let data = try InputFile.bytes(file)
    let path = try await ModelFinder.path(model)
    let loaded = try engine.packing.loading(path) { try LoadedModel(path: path, experts: experts, cache: $0) }
    guard let tokenizer = loaded.tokenizer else {
      throw CommandError("\(loaded.path) has no tokenizer; put tokenizer.json beside it.")
    }
    let addsBeginning = tokenizer.addsBeginningOfSequence
    let tokens = tokenizer.encode(utf8: data[...], addedTokens: .none, addingBeginningOfSequence: addsBeginning)
    let compute = Compute(threadCount: threadCount, kernels: try engine.kernels())
    let result: Perplexity
    do {
      result = try Perplexity(
        of: tokens, decoder: loaded.decoder, beginningOfSequence: addsBeginning ? tokenizer.beginningOfSequence : nil,
        context: context, compute: compute
      ) { done, all, value in
        if !json { Self.tell(done, all, value) }
      }
    } catch GenerationError.invalidOption("text", let reason) {
      throw CommandError("\(file): \(reason)")
    }
    if json {
      Output.line(["perplexity": .number(result.value), "tokens": .integer(result.scoredTokens)])
    } else {
      Output.write(String(format: "%.4f over %d tokens\n", result.value, result.scoredTokens))
    }
  }
}
