internal import SwiftletCheckpoints

/// What is wrong with a recipe: which key, what was found there and what was expected.
public struct RecipeError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The path of the recipe.
  public let file: String
  /// Counted from 1; nil where the error is of no line.
  public let line: Int?
  /// With the keys it is under, such as `optimizer.learning_rate`; empty for the file as a whole.
  public let key: String
  public let reason: String

  public init(file: String, line: Int? = nil, key: String, reason: String) {
    self.file = file
    self.line = line
    self.key = key
    self.reason = reason
  }

  public var description: String {
    let place = line.map { ":\($0)" } ?? "", name = key.isEmpty ? "" : "\(CheckpointError.excerpt(key, 200)): "
    return "\(CheckpointError.excerpt(file, 4096))\(place): \(name)\(CheckpointError.excerpt(reason, 1000))"
  }
}
