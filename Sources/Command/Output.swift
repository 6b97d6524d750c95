import Foundation
import SwiftletHub
import SwiftletJSON
import Synchronization

/// Writing to the terminal or to whatever stands in its place.
enum Output {
  static let isTerminal = isatty(STDOUT_FILENO) == 1
  static let errorIsTerminal = isatty(STDERR_FILENO) == 1
  /// A terminal that shows lines and can do nothing else, such as an editor's shell: control sequences would stand in the text.
  static let isDumb = ProcessInfo.processInfo.environment["TERM"] == "dumb"
  static let usesColor = isTerminal && !isDumb && ProcessInfo.processInfo.environment["NO_COLOR"].map(\.isEmpty) ?? true
  /// Whether a line of standard error can be written anew, as progress likes it.
  static let rewritesErrorLine = errorIsTerminal && !isDumb

  static func write(_ text: String) { write(Array(text.utf8)) }

  /// Writes at once and without a line end. Output that cannot be written ends the process with status 1.
  static func write(_ bytes: [UInt8]) {
    do {
      try FileHandle.standardOutput.write(contentsOf: Data(bytes))
    } catch {
      // A reader that went away wants no more, not even an error.
      let reason = errno
      if reason != EPIPE { note("Error: standard output cannot be written: \(String(cString: strerror(reason)))") }
      exit(EXIT_FAILURE)
    }
  }

  /// Writes a text of a model, which may hold anything: a terminal gets no control characters but line ends and tabs.
  static func write(untrusted text: String, style: (String) -> String = { $0 }) {
    write(style(isTerminal ? text.withoutControls : text))
  }

  static func line(_ json: JSONValue) { write(json.serialized() + "\n") }

  static func note(_ text: String) { writeError(text + "\n") }

  /// Writes to standard error, where nobody may be listening.
  static func writeError(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }

  /// Writes the last line of standard error anew: as much of a text as a row of the terminal holds.
  static func rewriteErrorLine(_ text: (_ width: Int) -> String) {
    // A full row would leave the cursor on the next one in some terminals.
    let width = max(1, Terminal.width(STDERR_FILENO) - 1)
    writeError("\r\u{1B}[K" + text(width).prefix(width))
  }

  static func dim(_ text: String) -> String { usesColor ? "\u{1B}[2m\(text)\u{1B}[0m" : text }

  static func bold(_ text: String) -> String { usesColor ? "\u{1B}[1m\(text)\u{1B}[0m" : text }

  /// Columns of a table, the first `leftAligned` of them flush left.
  static func table(_ rows: [[String]], leftAligned: Int = 1) -> String {
    let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      row.enumerated().map { column, text in
        let padding = String(repeating: " ", count: widths[column] - text.count)
        return column < leftAligned ? text + padding : padding + text
      }.joined(separator: "  ").trimmingTrailingSpaces() + "\n"
    }.joined()
  }
}

extension String {
  /// The text without control characters (C0, DEL and C1) but line feeds and tabs.
  var withoutControls: String {
    func isControl(_ scalar: Unicode.Scalar) -> Bool {
      scalar.value < 0x20 && scalar != "\n" && scalar != "\t" || (0x7F...0x9F).contains(scalar.value)
    }
    guard unicodeScalars.contains(where: isControl) else { return self }
    return String(String.UnicodeScalarView(unicodeScalars.filter { !isControl($0) }))
  }

  fileprivate func trimmingTrailingSpaces() -> String {
    String(self[..<(lastIndex { $0 != " " }.map { index(after: $0) } ?? startIndex)])
  }
}

/// Prints the progress of downloads to standard error.
final class ProgressPrinter: Sendable {
  private let lastPrint = Mutex<(time: ContinuousClock.Instant, isOpen: Bool, isComplete: Bool)?>(nil)

  func print(_ progress: DownloadProgress) {
    lastPrint.withLock { last in
      let now = ContinuousClock.now
      if Output.rewritesErrorLine {
        Output.rewriteErrorLine { progress.line(width: $0) }
        last = (now, true, false)
        return
      }
      // Elsewhere a line now and then, and one for the end.
      let isComplete = progress.completedBytes == progress.totalBytes
      if last.map({ isComplete ? !$0.isComplete : $0.time.duration(to: now) >= .seconds(5) }) ?? true {
        Output.note(progress.description)
        last = (now, false, isComplete)
      }
    }
  }

  /// Prints a line of its own, such as what is waited for.
  func note(_ text: String) {
    lastPrint.withLock { last in
      if last?.isOpen == true { Output.writeError("\r\u{1B}[K") }
      last?.isOpen = false
      Output.note(text)
    }
  }

  func finish() {
    lastPrint.withLock { last in
      if last?.isOpen == true { Output.writeError("\n") }
      last = nil
    }
  }
}
