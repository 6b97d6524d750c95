import Foundation
import SwiftletHub
import SwiftletJSON
import Synchronization

/// Writing to the terminal or to whatever stands in its place.
enum Output {
  static let isTerminal = isatty(STDOUT_FILENO) == 1
  static let errorIsTerminal = isatty(STDERR_FILENO) == 1
  static let usesColor = isTerminal && ProcessInfo.processInfo.environment["NO_COLOR"].map(\.isEmpty) ?? true

  /// Writes at once and without a line end. A reader that went away ends the process as it ends other tools.
  static func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }

  static func line(_ json: JSONValue) { write(json.serialized() + "\n") }

  static func note(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

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
  fileprivate func trimmingTrailingSpaces() -> String {
    String(self[..<(lastIndex { $0 != " " }.map { index(after: $0) } ?? startIndex)])
  }
}

/// Prints the progress of downloads to standard error.
final class ProgressPrinter: Sendable {
  private let lastPrint = Mutex<(time: ContinuousClock.Instant, isOpen: Bool)?>(nil)

  func print(_ progress: DownloadProgress) {
    lastPrint.withLock { last in
      let now = ContinuousClock.now
      if Output.errorIsTerminal {
        FileHandle.standardError.write(Data("\r\u{1B}[K\(progress.line(width: Terminal.width(STDERR_FILENO) - 1))".utf8))
        last = (now, true)
      } else if last.map({ $0.time.duration(to: now) >= .seconds(5) }) ?? true || progress.completedBytes == progress.totalBytes {
        Output.note(progress.description)
        last = (now, false)
      }
    }
  }

  func finish() {
    lastPrint.withLock { last in
      if last?.isOpen == true { FileHandle.standardError.write(Data("\n".utf8)) }
      last = nil
    }
  }
}
