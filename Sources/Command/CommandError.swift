import ArgumentParser
import SwiftletGeneration

/// What keeps a command from its work although its arguments are well-formed. Printed in one line, without the usage.
struct CommandError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

extension GenerationError {
  /// The same error, naming an option as it is typed: `--top-p` for `top_p`.
  var asTyped: GenerationError {
    guard case .invalidOption(let name, let reason) = self else { return self }
    return .invalidOption(name: "--" + name.replacing("_", with: "-"), reason: reason)
  }
}
