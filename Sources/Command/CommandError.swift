import ArgumentParser
import SwiftletGeneration

/// What keeps a command from its work although its arguments are well-formed. Printed in one line, without the usage.
struct CommandError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

extension ParsableArguments {
  /// Refuses an option whose value is out of its range.
  /// - Parameter option: its name without dashes.
  static func check<Value: Comparable>(_ option: String, _ value: Value?, in range: ClosedRange<Value>) throws {
    guard let value, !range.contains(value) else { return }
    throw ValidationError("--\(option): found \(value), expected \(range.lowerBound) to \(range.upperBound).")
  }
}

extension GenerationError {
  /// The same error, naming an option as it is typed: `--top-p` for `top_p`.
  var asTyped: GenerationError {
    guard case .invalidOption(let name, let reason) = self else { return self }
    return .invalidOption(name: "--" + name.replacing("_", with: "-"), reason: reason)
  }
}
