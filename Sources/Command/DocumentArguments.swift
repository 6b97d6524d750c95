import ArgumentParser
import SwiftletHub
import SwiftletJSON
import SwiftletTraining

/// How files are read as documents; the same for every command that reads training data.
struct DocumentArguments: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "Text files, and JSON Lines (.jsonl, .ndjson, .json) with a text or the messages of a chat a line.", valueName: "file"))
  var files: [String]
  @Option(
    help: ArgumentHelp("How files are read: automatic (by their names), text or jsonl.", valueName: "form"), transform: named)
  var format = DocumentOptions.Format.automatic
  @Option(help: ArgumentHelp("The line between two documents of a text file, such as '<|endoftext|>'.", valueName: "line"))
  var separator: String?
  @Option(
    help: ArgumentHelp(
      "Longer texts of text files become several documents, each of whole lines (default: 1MiB).", valueName: "size"))
  var passage: ByteSize?
  @Option(help: ArgumentHelp("Longer lines are errors (default: 16MiB).", valueName: "size"))
  var maximumLine: ByteSize?
  @Option(help: ArgumentHelp("The member of a JSON line that is its text.", valueName: "key"))
  var textKey = "text"
  @Flag(help: "Counts broken documents and leaves them out; else the first one ends the command.")
  var skipBroken = false

  var options: DocumentOptions {
    var options = DocumentOptions(format: format, separator: separator, textKey: textKey, skipsBroken: skipBroken)
    if let passage { options.passageBytes = passage.bytes }
    if let maximumLine { options.maximumLineBytes = maximumLine.bytes }
    return options
  }

  /// What was left out, for a person.
  static func note(_ skipped: [DataError.Kind: Int]) {
    guard !skipped.isEmpty else { return }
    let counts = skipped.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.value) \($0.key.rawValue)" }
    Output.note("Left out, broken: \(counts.joined(separator: ", "))")
  }

  static func json(_ skipped: [DataError.Kind: Int]) -> JSONValue {
    let sorted = skipped.sorted { $0.key.rawValue < $1.key.rawValue }
    return .object(sorted.map { JSONMember(key: $0.key.rawValue, value: .integer($0.value)) })
  }
}

/// Reads one of the values of a setting by its name.
func named<Value: RawRepresentable<String> & CaseIterable>(_ name: String) throws -> Value {
  guard let value = Value(rawValue: name) else {
    throw ValidationError("found '\(name)', expected \(Value.allCases.map(\.rawValue).joined(separator: ", ")).")
  }
  return value
}

extension ProgressPrinter {
  /// Prints how much of some files is done.
  func print(_ name: String, completedBytes: Int, totalBytes: Int, since start: ContinuousClock.Instant) {
    let seconds = start.duration(to: .now) / .seconds(1)
    print(
      DownloadProgress(
        file: name, completedBytes: completedBytes, totalBytes: totalBytes,
        bytesPerSecond: seconds > 0 ? Double(completedBytes) / seconds : nil))
  }
}
