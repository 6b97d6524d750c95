/// A weight that is trained: its value in F32, the master copy, and the gradient that was gathered for it.
public final class Parameter {
  /// As in Hugging Face's files.
  public let name: String
  public let value: Tensor
  /// Of the value's shape, F32.
  public let gradient: Tensor
  /// Whether gradients are gathered for it.
  public var isTrainable = true
  /// Goes up with every change of the value, so that forms made from it are made again.
  public private(set) var version = 0

  /// - Parameter value: F32.
  public init(name: String, value: Tensor) {
    self.name = name
    self.value = value
    gradient = Tensor(zeros: value.shape)
  }

  public var shape: Shape { value.shape }

  /// To be called after the value was written.
  public func valueChanged() { version += 1 }
}
