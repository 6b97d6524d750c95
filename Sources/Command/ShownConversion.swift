import Foundation
import SwiftletConversion
import SwiftletHub

extension Conversion {
  /// Writes the model, and shows on standard error how far it has come.
  /// - Parameter output: what the model is called there: the last part of this path.
  func runShowingProgress(of output: String) throws -> Summary {
    let printer = ProgressPrinter(), name = URL(fileURLWithPath: output).lastPathComponent, start = ContinuousClock.now
    defer { printer.finish() }
    return try run { progress in
      let seconds = start.duration(to: .now) / .seconds(1)
      printer.print(
        DownloadProgress(
          file: name, completedBytes: progress.completedBytes, totalBytes: progress.totalBytes,
          bytesPerSecond: seconds > 0 ? Double(progress.completedBytes) / seconds : nil))
    }
  }
}
