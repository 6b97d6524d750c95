internal import CSwiftletKernels

/// What one step of AdamW does to values of one parameter.
public struct AdamWStep {
  fileprivate var values: swiftlet_adamw

  /// - Parameters:
  ///   - gradientScale: what gradients are multiplied with first.
  ///   - decay: the share of the value that is taken away, times the rate.
  ///   - step: from 1.
  public init(gradientScale: Float, rate: Float, beta1: Float, beta2: Float, epsilon: Float, decay: Float, step: Int) {
    values = swiftlet_adamw(
      gradient_scale: gradientScale, rate: rate, beta1: beta1, beta2: beta2, epsilon: epsilon, decay: decay,
      correction1: correction(beta1, step), correction2: correction(beta2, step))
  }
}

extension Kernels {
  /// The sum of `x[i] * y[i]`.
  public func sumOfProducts(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ count: Int) -> Double {
    table.pointee.sum_of_products(x, y, count)
  }

  /// AdamW (Loshchilov & Hutter 2019), all in place.
  public func adamW(
    _ values: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>, _ means: UnsafeMutablePointer<Float>,
    _ squares: UnsafeMutablePointer<Float>, count: Int, _ step: AdamWStep
  ) {
    withUnsafePointer(to: step.values) { table.pointee.adamw(values, gradients, means, squares, count, $0) }
  }
}

/// Newton and Schulz's iteration towards the nearest orthogonal matrix, a matrix for each thread (Jordan 2024): five steps of
/// `x = a x + (b A + c A A) x` with `A = x xᵀ`.
public struct NewtonSchulz {
  private static let coefficients: (Float, Float, Float) = (3.4445, -4.7750, 2.0315)
  private let products: Products
  private let memory: [Memory]

  private struct Memory {
    let matrix: Storage
    let other: Storage
    let squares: (Storage, Storage)
    let rows: Storage
    let strips: Storage
  }

  /// - Parameter largest: the shapes of all matrices that will come.
  public init(compute: Compute, precision: ProductPrecision, largest shapes: [Shape]) {
    let products = Products(table: compute.kernels.table, precision: precision.original)
    let count = shapes.map(\.count).max() ?? 0, short = shapes.map { min($0.rows, $0.columns) }.max() ?? 0
    let long = shapes.map { max($0.rows, $0.columns) }.max() ?? 0
    let stripBytes = max(
      StripMatrix.stripCount(short) * products.stripBytes(long), StripMatrix.stripCount(long) * products.stripBytes(short))
    func storage(_ bytes: Int) -> Storage { Storage.pages(byteCount: max(64, bytes)) ?? Storage(byteCount: max(64, bytes)) }
    self.products = products
    memory = (0..<compute.pool.threadCount).map { _ in
      Memory(
        matrix: storage(count * 4), other: storage(count * 4), squares: (storage(short * short * 4), storage(short * short * 4)),
        rows: storage(short * products.rowBytes(long)), strips: storage(stripBytes))
    }
  }

  /// A thread's matrix, row-major, to be filled before `orthogonalize` and read after it.
  public func matrix(_ thread: Int) -> UnsafeMutablePointer<Float> { Self.floats(memory[thread].matrix) }

  private static func floats(_ storage: Storage) -> UnsafeMutablePointer<Float> {
    storage.address.assumingMemoryBound(to: Float.self)
  }

  public func orthogonalize(rows: Int, columns: Int, thread: Int) {
    let memory = memory[thread], table = products.table, isTall = rows > columns
    let short = min(rows, columns), long = max(rows, columns), count = rows * columns
    let matrix = Self.floats(memory.matrix), other = Self.floats(memory.other)
    var x = matrix, next = other
    if isTall {
      Self.transpose(matrix, rows: rows, columns: columns, to: other)
      (x, next) = (other, matrix)
    }
    let scale = 1 / (Float(table.pointee.sum_of_products(x, x, count).squareRoot()) + 1e-7)
    for i in 0..<count { x[i] *= scale }
    let a = Self.floats(memory.squares.0), b = Self.floats(memory.squares.1), (first, second, third) = Self.coefficients
    for _ in 0..<5 {
      multiply(x, rows: short, length: long, byRowsOf: x, count: short, to: a, memory)
      multiply(a, rows: short, length: short, byRowsOf: a, count: short, to: b, memory)
      for i in 0..<short * short { b[i] = second * a[i] + third * b[i] }
      multiplyByColumns(b, rows: short, length: short, of: x, count: long, to: next, memory)
      table.pointee.add_scaled(x, first, count, next)
      swap(&x, &next)
    }
    if x == matrix, isTall {
      // Turned back by way of the other.
      other.update(from: x, count: count)
      x = other
    }
    if isTall {
      Self.transpose(x, rows: columns, columns: rows, to: matrix)
    } else if x != matrix {
      matrix.update(from: x, count: count)
    }
  }

  private static func transpose(
    _ source: UnsafePointer<Float>, rows: Int, columns: Int, to target: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<rows {
      for column in 0..<columns { target[column * rows + row] = source[row * columns + column] }
    }
  }

  /// `left · rightᵀ`
  private func multiply(
    _ left: UnsafePointer<Float>, rows: Int, length: Int, byRowsOf right: UnsafePointer<Float>, count: Int,
    to target: UnsafeMutablePointer<Float>, _ memory: Memory
  ) {
    let bytes = products.stripBytes(length)
    for strip in 0..<StripMatrix.stripCount(count) {
      let row = strip * Strips.rows
      products.table.pointee.make_strip(
        products.type, right + row * length, length, min(Strips.rows, count - row), length, memory.strips.address + strip * bytes)
    }
    run(left, rows: rows, length: length, columns: count, to: target, memory)
  }

  /// `left · right`
  private func multiplyByColumns(
    _ left: UnsafePointer<Float>, rows: Int, length: Int, of right: UnsafePointer<Float>, count: Int,
    to target: UnsafeMutablePointer<Float>, _ memory: Memory
  ) {
    let bytes = products.stripBytes(length)
    for strip in 0..<StripMatrix.stripCount(count) {
      let column = strip * Strips.rows
      products.table.pointee.make_strip_transposed(
        products.type, right + column, count, nil, min(Strips.rows, count - column), length, memory.strips.address + strip * bytes
      )
    }
    run(left, rows: rows, length: length, columns: count, to: target, memory)
  }

  private func run(
    _ left: UnsafePointer<Float>, rows: Int, length: Int, columns: Int, to target: UnsafeMutablePointer<Float>, _ memory: Memory
  ) {
    let rowBytes = products.rowBytes(length)
    products.prepare(
      RowSource(left, stride: length, length: length), rows: 0..<rows, into: memory.rows.address, rowBytes: rowBytes)
    products.table.pointee.strips_product(
      products.type, memory.strips.address, columns, memory.rows.address, rowBytes, rows, length, target, columns)
  }
}
