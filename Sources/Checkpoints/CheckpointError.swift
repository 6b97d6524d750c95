/// What is wrong with a checkpoint: which file, which field, what was found and what was expected.
public struct CheckpointError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The path of the file or folder.
  public let file: String
  /// The field, tensor or part of the file, as the format names it.
  public let field: String
  /// What was found there and what was expected, with the remedy where there is one.
  public let reason: String

  public init(file: String, field: String, reason: String) {
    self.file = file
    self.field = field
    self.reason = reason
  }

  /// Safe to print: names from the file are cut, and nothing in them reaches a terminal as a command.
  public var description: String {
    "\(Self.excerpt(file, 4096)): \(Self.excerpt(field)): \(Self.excerpt(reason, 1000))"
  }

  /// The first scalars of a text from a file, those that would steer a terminal or reorder the line written as `\u{1B}`.
  public static func excerpt(_ text: String, _ limit: Int = 80) -> String {
    var result = ""
    var count = 0
    for scalar in text.unicodeScalars {
      guard count < limit else { return result + "…" }
      count += 1
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator:
        result += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
