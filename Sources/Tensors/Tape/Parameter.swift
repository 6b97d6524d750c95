/// A weight of a model on a tape: its value, and the gradient that was gathered for it.
public final class Parameter {
  /// As in Hugging Face's files.
  public let name: String
  /// F32, the master copy; of a frozen weight in the type that it is stored in.
  public let value: Tensor
  /// Of the value's shape, F32; of a frozen weight empty.
  public let gradient: Tensor
  /// Whether gradients are gathered for it.
  public var isTrainable = true
  /// Whether it never changes: then products make what they read of it anew every time, and nothing of it is kept beside the value.
  public let isFrozen: Bool
  /// Goes up with every change of the value, so that forms made from it are made again.
  public private(set) var version = 0

  /// - Parameter value: F32.
  public init(name: String, value: Tensor) {
    self.name = name
    self.value = value
    gradient = Tensor(zeros: value.shape)
    isFrozen = false
  }

  /// A weight that never changes.
  /// - Parameter value: a matrix of any type that can be expanded, or a vector of F32.
  public init(name: String, frozen value: Tensor) {
    self.name = name
    self.value = value
    gradient = Tensor(zeros: [0])
    isFrozen = true
    isTrainable = false
  }

  public var shape: Shape { value.shape }

  /// To be called after the value was written.
  public func valueChanged() { version += 1 }
}
