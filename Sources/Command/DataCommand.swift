import ArgumentParser
import Foundation
import SwiftletChatTemplates
import SwiftletCheckpoints
import SwiftletGeneration
import SwiftletJSON
import SwiftletTokenization
import SwiftletTraining

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data",
    abstract: "Makes training data.",
    discussion: """
      EXAMPLES
        swiftlet data pack corpus.txt --tokenizer tokenizer.json --out data

      ENVIRONMENT
      \(HelpText.threads)
      \(HelpText.hub)
      """,
    subcommands: [DataPackCommand.self])
}

struct DataPackCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack",
    abstract: "Turns texts and chats into a folder of token files to train with.",
    discussion: """
      A command that was stopped goes on where it was when it is given again. Of
      chats only the assistant's answers are learned. A share of the documents,
      chosen by their content, is held out for measuring.

      EXAMPLES
        swiftlet data pack corpus.txt --tokenizer tokenizer.json --out data
        swiftlet data pack *.jsonl --tokenizer smollm2 --held-out 0.005 \\
          --skip-broken --out data

      ENVIRONMENT
      \(HelpText.threads)
      \(HelpText.hub)
      """)

  @OptionGroup var documents: DocumentArguments
  @Option(help: ArgumentHelp("A tokenizer.json, or a model: an alias, org/repo[:quant], or a path.", valueName: "model"))
  var tokenizer: String
  @Option(help: ArgumentHelp("The folder to make.", valueName: "folder"))
  var out: String
  @Option(
    help: ArgumentHelp(
      "The token that stands behind every text (default: the tokenizer's end of sequence).", valueName: "token"))
  var end: String?
  @Option(help: ArgumentHelp("The share of documents held out, 0 to 1.", valueName: "share"))
  var heldOut = 0.01
  @Option(
    help: ArgumentHelp(
      "The share of texts that become exercises in filling in the middle; DeepSeek's is 0.1.", valueName: "share"))
  var fillInMiddle = 0.0
  @Option(help: ArgumentHelp("For the choice of these, and where they are cut.", valueName: "n"))
  var seed: UInt64 = 0
  @Option(help: ArgumentHelp("Tokens a file, which are in memory until it is written.", valueName: "n"))
  var shardTokens = 1 << 24
  @OptionGroup var template: TemplateArguments
  @Option(
    help: ArgumentHelp("What chat templates tell that print the date, so that every day packs alike.", valueName: "yyyy-mm-dd"))
  var date = ConversationFormat.defaultDate
  @Flag(help: "Replaces a dataset of other files or settings.")
  var force = false
  @Flag(help: "Prints one JSON object.")
  var json = false
  @OptionGroup var threading: ThreadArguments

  func validate() throws {
    for (name, share) in [("--held-out", heldOut), ("--fill-in-middle", fillInMiddle)] where !(0...1).contains(share) {
      throw ValidationError("\(name): found \(share), expected 0 to 1.")
    }
    if TemplateTime(date: date) == nil { throw ValidationError("--date: found '\(date)', expected a day such as 2024-07-26.") }
    if shardTokens < 1 { throw ValidationError("--shard-tokens: found \(shardTokens), expected at least 1.") }
  }

  func run() async throws {
    let threadCount = try threading.checkedThreadCount(), start = ContinuousClock.now
    let (tokenizer, source) = try await tokenizerAndTemplate()
    let end = try self.end.map { text in
      guard let id = tokenizer.id(of: text) else { throw CommandError("--end: \(text) is no token of \(self.tokenizer).") }
      return id
    }
    var transform: FillInMiddleTransform?
    if fillInMiddle > 0 {
      guard let tokens = tokenizer.fillInMiddle else {
        throw CommandError("\(self.tokenizer) has no tokens for filling in the middle; leave --fill-in-middle out.")
      }
      transform = FillInMiddleTransform(tokens: tokens, rate: fillInMiddle, seed: seed)
    }
    let packing = DataPacking(
      files: documents.files, documents: documents.options, tokenizer: tokenizer, endOfSequence: end, heldOutFraction: heldOut,
      fillInMiddle: transform, conversations: try source.map { try ConversationFormat($0, tokenizer: tokenizer, date: date) },
      shardTokens: shardTokens,
      threadCount: threadCount)
    let printer = ProgressPrinter(), (out, force) = (out, force)
    defer { printer.finish() }
    let summary = try await Interrupt.cancelling { () -> DataPacking.Summary in
      do {
        return try packing.run(to: out, isReplacing: force) { progress in
          try Task.checkCancellation()
          printer.print(
            "\(progress.tokens) tokens", completedBytes: progress.completedBytes, totalBytes: progress.totalBytes, since: start)
        }
      } catch let error as DataError where error.kind == .damaged || error.kind == .setting && error.file == out {
        throw CommandError("\(error) (--force)")
      }
    }
    printer.finish()
    func counts(_ split: DataSplit) -> JSONValue {
      ["documents": .integer(summary.documents[split] ?? 0), "tokens": .integer(summary.tokens[split] ?? 0)]
    }
    if json {
      Output.line([
        "output": .string(out), "training": counts(.training), "held_out": counts(.heldOut),
        "skipped": DocumentArguments.json(summary.skipped), "seconds": .number(start.duration(to: .now) / .seconds(1)),
      ])
    } else {
      DocumentArguments.note(summary.skipped)
      let rows = DataSplit.allCases.map { [$0.rawValue, "\(summary.documents[$0] ?? 0)", "\(summary.tokens[$0] ?? 0)"] }
      Output.write(Output.table([["", "DOCUMENTS", "TOKENS"]] + rows))
    }
  }

  /// The tokenizer, and the template for chats where there is one.
  private func tokenizerAndTemplate() async throws -> (Tokenizer, TemplateSource?) {
    let named = try template.source
    if tokenizer.hasSuffix(".json") {
      let url = URL(fileURLWithPath: tokenizer),
        settings = url.deletingLastPathComponent().appendingPathComponent("tokenizer_config.json")
      let configuration = FileManager.default.fileExists(atPath: settings.path) ? try InputFile.bytes(settings.path) : nil
      return (
        try Tokenizer(tokenizerJSON: InputFile.bytes(tokenizer), configuration: configuration, source: tokenizer), named
      )
    }
    let path = try await ModelFinder.path(tokenizer)
    return (try LoadedModel.tokenizer(path: path), try named ?? LoadedModel.template(path: path))
  }
}
