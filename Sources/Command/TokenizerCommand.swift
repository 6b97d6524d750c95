import ArgumentParser
import Foundation
import SwiftletCheckpoints
import SwiftletJSON
import SwiftletTokenization
import SwiftletTraining

struct TokenizerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenizer",
    abstract: "Trains tokenizers.",
    discussion: """
      EXAMPLES
        swiftlet tokenizer train corpus.txt --size 32000 --out tokenizer.json

      ENVIRONMENT
      \(HelpText.threads)
      """,
    subcommands: [TokenizerTrainCommand.self])
}

struct TokenizerTrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Learns a vocabulary of byte-level BPE from texts, and writes it as tokenizer.json.",
    discussion: """
      The vocabulary is the one that `BpeTrainer` of the package tokenizers learns
      from the same files, merge for merge, with the 256 bytes as initial alphabet.
      Like tokenizers, it reads text files line by line, unless --whole-texts is
      given; then pieces such as empty lines are learned too.

      EXAMPLES
        swiftlet tokenizer train corpus.txt --size 32000 --out tokenizer.json
        swiftlet tokenizer train *.jsonl --size 8000 --special '<s>' \\
          --special '</s>' --pre-tokenizer gpt-2 --out tokenizer.json

      ENVIRONMENT
      \(HelpText.threads)
      """)

  @OptionGroup var documents: DocumentArguments
  @Option(help: ArgumentHelp("Tokens in all, the special ones and 256 bytes among them.", valueName: "n"))
  var size: Int
  @Option(help: ArgumentHelp("The file to write.", valueName: "file"))
  var out: String
  @Option(
    help: ArgumentHelp(
      "How texts are cut into pieces: \(TrainablePreTokenizer.allCases.map(\.rawValue).joined(separator: ", ")).",
      valueName: "name"), transform: named)
  var preTokenizer = TrainablePreTokenizer.deepSeekV3
  @Option(help: ArgumentHelp("Rarer pairs are not merged.", valueName: "n"))
  var minimumFrequency = 0
  @Option(help: ArgumentHelp("A special token, as often as needed (default: DeepSeek-V3's, eight).", valueName: "token"))
  var special: [String] = []
  @Flag(help: "The first special token is put before every text.")
  var addBeginning = false
  @Flag(help: "Pieces may reach over the ends of lines, as they do in texts that are encoded.")
  var wholeTexts = false
  @Flag(help: "Replaces what is there.")
  var force = false
  @Flag(help: "Prints one JSON object.")
  var json = false
  @OptionGroup var threading: ThreadArguments

  private var training: BytePairTraining {
    BytePairTraining(
      vocabularySize: size, minimumFrequency: minimumFrequency,
      specialTokens: special.isEmpty ? BytePairTraining.deepSeekTokens : special, addsBeginningOfSequence: addBeginning)
  }

  func validate() throws {
    do throws(TokenizerError) {
      try training.check()
    } catch {
      let option = ["vocabularySize": "--size", "specialTokens": "--special", "addsBeginningOfSequence": "--add-beginning"]
      throw ValidationError("\(option[error.field] ?? error.field): \(error.reason).")
    }
  }

  func run() async throws {
    let threadCount = try threading.checkedThreadCount(), start = ContinuousClock.now
    let places = InputFile.places(out)
    if let file = self.documents.files.first(where: { file in InputFile.places(file).contains { places.contains($0) } }) {
      throw CommandError("--out: \(out) would be written over \(file), which is read; choose another name.")
    }
    if !force, FileManager.default.fileExists(atPath: out) {
      throw CommandError("\(CheckpointError.excerpt(out, 4096)) is there already; --force replaces it.")
    }
    let writer = try FileWriter(path: out)
    let printer = ProgressPrinter()
    defer { printer.finish() }
    let (documents, training, preTokenizer, byLine) = (self.documents, self.training, self.preTokenizer, !wholeTexts)
    let sizes = documents.files.map { (try? FileManager.default.attributesOfItem(atPath: $0)[.size] as? Int) ?? 0 }
    let total = sizes.reduce(0, +)
    let (vocabulary, skipped) = try await Interrupt.cancelling(onTermination: true) {
      let (words, skipped) = try WordCounts.counting(
        files: documents.files, options: documents.options, preTokenizer: preTokenizer, byLine: byLine, threadCount: threadCount
      ) { bytes in
        try Task.checkCancellation()
        printer.print("reading", completedBytes: bytes, totalBytes: total, since: start)
      }
      printer.finish()
      Output.note("\(words.totalCount) pieces, \(words.distinctCount) of them different")
      let vocabulary = try training.vocabulary(of: words) { tokens in if tokens % 256 == 0 { try Task.checkCancellation() } }
      return (vocabulary, skipped)
    }
    try writer.write(Array((vocabulary.tokenizerJSON().serialized() + "\n").utf8))
    try writer.commit()
    let seconds = start.duration(to: .now) / .seconds(1)
    if vocabulary.tokens.count < size {
      Output.note("The texts give \(vocabulary.tokens.count) tokens only: no pair is left that occurs often enough.")
    }
    if json {
      Output.line([
        "output": .string(out), "tokens": .integer(vocabulary.tokens.count), "merges": .integer(vocabulary.merges.count),
        "skipped": DocumentArguments.json(skipped), "seconds": .number(seconds),
      ])
    } else {
      DocumentArguments.note(skipped)
      Output.write("\(out)  \(vocabulary.tokens.count) tokens, \(vocabulary.merges.count) merges\n")
    }
  }
}
