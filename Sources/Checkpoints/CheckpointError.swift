/// What is wrong with a checkpoint file: which file, which field, what was found and what was expected.
public struct CheckpointError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file's path.
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

  public var description: String { "\(file): \(field): \(reason)" }
}
