internal import SwiftletCheckpoints

/// What ended a run before its last step.
public struct TrainingError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The step it happened in, counted from 1; nil before the first.
  public let step: Int?
  public let reason: String

  public init(step: Int? = nil, reason: String) {
    self.step = step
    self.reason = reason
  }

  public var description: String { (step.map { "step \($0): " } ?? "") + CheckpointError.excerpt(reason, 1000) }
}
