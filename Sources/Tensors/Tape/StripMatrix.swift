internal import CSwiftletKernels

/// A matrix in the order in which products read it, of F32 or BF16: sixteen columns of the result a strip (layout:
/// Kernels/generic/strips.h). The result's columns are its rows.
struct StripMatrix {
  let storage: Storage
  let type: Int32
  /// Columns of the products' results.
  let columns: Int
  /// Values that a result sums over.
  let length: Int
  let stripBytes: Int

  init(type: Int32, columns: Int, length: Int) {
    let bytes = Self.stripCount(columns) * swiftlet_strip_bytes(type, length)
    self.init(type: type, columns: columns, length: length, storage: Storage.pages(byteCount: bytes) ?? Storage(byteCount: bytes))
  }

  /// In memory that somebody else looks after.
  init(type: Int32, columns: Int, length: Int, storage: Storage) {
    self.type = type
    self.columns = columns
    self.length = length
    self.storage = storage
    stripBytes = swiftlet_strip_bytes(type, length)
  }

  static func stripCount(_ columns: Int) -> Int { (columns + Strips.rows - 1) / Strips.rows }

  var stripCount: Int { Self.stripCount(columns) }

  /// The strip that begins with column `column`, a multiple of sixteen.
  func address(column: Int) -> UnsafeMutableRawPointer { storage.address + column / Strips.rows * stripBytes }
}

/// Weights that multiply one input, and the forms in which products read them. Made anew when a parameter changed.
public final class LinearWeights {
  /// Each `[out, in]`.
  public let weights: [Parameter]
  /// Each `[out]`, where there is one.
  public let biases: [Parameter?]
  let inputs: Int
  private var forward: [StripMatrix] = []
  private var forwardVersions: [Int] = []
  private var backward: StripMatrix?
  private var backwardVersions: [Int] = []

  public init(_ weights: [Parameter], biases: [Parameter?] = []) {
    precondition(!weights.isEmpty && weights.allSatisfy { $0.shape.columns == weights[0].shape.columns }, "weights of one input")
    self.weights = weights
    self.biases = biases.isEmpty ? weights.map { _ in nil } : biases
    inputs = weights[0].shape.columns
  }

  public convenience init(_ weight: Parameter, bias: Parameter? = nil) { self.init([weight], biases: [bias]) }

  /// Where the part of each weight's outputs begins when all are joined to one input row, in values.
  var partOffsets: [Int] {
    weights.reduce(into: [0]) { $0.append($0[$0.count - 1] + Products.padded($1.shape.rows)) }
  }

  /// What strips were made of: FP8 has other values than F32, in strips of the same type.
  private func versions(_ products: Products) -> [Int] { weights.map(\.version) + [products.isFloat8 ? 1 : 0] }

  /// Whether there are weights of which no forms are kept.
  var isFrozen: Bool { weights.contains(where: \.isFrozen) }

  /// For `x · weightᵀ`: of every weight its rows. Those of frozen weights hold until the tape's operation ends.
  func forwardStrips(_ products: Products, _ tape: Tape) -> [StripMatrix] {
    if isFrozen { return weights.map { tape.expandedStrips($0, products) } }
    let pool = tape.compute.pool
    let versions = self.versions(products)
    if forwardVersions == versions, forward.first?.type == products.type { return forward }
    if forward.first?.type != products.type {
      forward = weights.map { StripMatrix(type: products.type, columns: $0.shape.rows, length: inputs) }
    }
    for (weight, strips) in zip(weights, forward) {
      let values = products.operand(weight, pool)
      pool.run(strips.stripCount) { strip, _ in
        let row = strip * Strips.rows
        products.table.pointee.make_strip(
          products.type, values.floats + row * inputs, inputs, min(Strips.rows, weight.shape.rows - row), inputs,
          strips.address(column: row))
      }
    }
    forwardVersions = versions
    return forward
  }

  /// For `gradient · weight`: the columns of all weights, which sum over their outputs one weight after the other.
  func backwardStrips(_ products: Products, _ tape: Tape) -> StripMatrix {
    if isFrozen { return tape.expandedColumnStrips(self, products) }
    let pool = tape.compute.pool
    let versions = self.versions(products), offsets = partOffsets
    if backwardVersions == versions, let backward, backward.type == products.type { return backward }
    let strips =
      backward.flatMap { $0.type == products.type ? $0 : nil }
      ?? StripMatrix(type: products.type, columns: inputs, length: offsets[weights.count])
    let operands = weights.map { products.operand($0, pool) }
    pool.run(strips.stripCount) { strip, _ in
      let column = strip * Strips.rows
      for (values, offset) in zip(operands, offsets) {
        products.table.pointee.make_strip_transposed(
          products.type, values.floats + column, inputs, nil, min(Strips.rows, inputs - column), values.shape.rows,
          strips.address(column: column) + offset * products.stripValueBytes)
      }
    }
    backward = strips
    backwardVersions = versions
    return strips
  }
}
