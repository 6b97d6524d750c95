/// A tensor that a file has but that cannot be computed with: of a type that is not read, or of too many dimensions. Files
/// carry such tensors beside the weights; a weight of this kind is refused by name when a model asks for it.
public struct UnreadTensor: Sendable, Equatable {
  public let name: String
  /// As the format spells it: `I32`, `F8_E4M3`, `IQ4_NL (20)`.
  public let type: String
  /// Slowest first.
  public let shape: [Int]
}
