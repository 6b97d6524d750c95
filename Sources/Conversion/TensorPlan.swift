internal import SwiftletTensors

/// A tensor that is to be written: its name, shape and type, and which rows of which tensors it is made of.
struct TensorPlan: Sendable {
  var name: String
  /// Slowest first.
  var shape: [Int]
  var type: ElementType
  /// Their rows, one part after the other, are the tensor's.
  var parts: [Part]
  /// Added to the values before they get their type.
  var delta: TensorDelta?

  struct Part: Sendable {
    var tensor: Tensor
    var order = RowOrder.asStored
    /// Whether the tensor lies in a mapped file, whose pages can be given back once they are read.
    var isMapped = true
  }

  /// Where a part's rows stand in its tensor.
  enum RowOrder: Sendable, Equatable {
    case asStored
    /// The rows of each head's second half go between those of the first: pairs that are rotated together become neighbours, as
    /// llama.cpp has Llama's queries and keys.
    case pairs(headDimension: Int)
    /// The opposite.
    case halves(headDimension: Int)
    /// Columns are rows.
    case transposed

    func sourceRow(_ row: Int) -> Int {
      switch self {
      case .asStored, .transposed: return row
      case .pairs(let dimension):
        let place = row % dimension
        return row - place + place % 2 * (dimension / 2) + place / 2
      case .halves(let dimension):
        let place = row % dimension, half = dimension / 2
        return row - place + place % half * 2 + place / half
      }
    }
  }

  var byteCount: Int { type.byteCount(of: shape.reduce(1, *)) ?? 0 }

  /// A tensor as it is.
  init(name: String, tensor: Tensor, type: ElementType, order: RowOrder = .asStored) {
    self.init(name: name, shape: tensor.shape.array, type: type, parts: [Part(tensor: tensor.asRows(for: order), order: order)])
  }

  /// A vector that is made here.
  init(name: String, values: [Float]) {
    let part = Part(tensor: Tensor(values, shape: [values.count]), isMapped: false)
    self.init(name: name, shape: [values.count], type: .float32, parts: [part])
  }

  init(name: String, shape: [Int], type: ElementType, parts: [Part]) {
    self.name = name
    self.shape = shape
    self.type = type
    self.parts = parts
  }
}

extension Tensor {
  /// A vector whose values change places is a matrix of one column.
  fileprivate func asRows(for order: TensorPlan.RowOrder) -> Tensor {
    shape.rank == 1 && order != .asStored ? reshaped(Shape(shape.count, 1)) : self
  }
}
