extension Compute {
  /// Copies `count` values of every head of every row: from `offset` of a head of `x` to `targetOffset` of the same head of `target`.
  /// Both are `[rows, heads * headStride]` with their own strides.
  public func copyHeads(
    _ x: Tensor, headStride: Int, offset: Int, count: Int, to target: Tensor, headStride targetStride: Int,
    offset targetOffset: Int
  ) {
    let heads = x.shape.columns / headStride
    precondition(
      target.shape.columns == heads * targetStride && target.shape.rows == x.shape.rows, "copyHeads: \(x.shape), \(target.shape)")
    forRows(x.shape.rows, costPerRow: heads * count) { rows in
      for row in rows {
        for head in 0..<heads {
          (target.floats + (row * heads + head) * targetStride + targetOffset)
            .update(from: x.floats + (row * heads + head) * headStride + offset, count: count)
        }
      }
    }
  }

  /// Every row `heads` times beside itself: `[rows, size]` to `[rows, heads * size]`.
  public func repeatHeads(_ x: Tensor, heads: Int) -> Tensor {
    let size = x.shape.columns, result = make(Shape(x.shape.rows, heads * size))
    forRows(x.shape.rows, costPerRow: heads * size) { rows in
      for row in rows {
        for head in 0..<heads {
          (result.floats + (row * heads + head) * size).update(from: x.floats + row * size, count: size)
        }
      }
    }
    return result
  }

  /// `[rows, heads * size]` to `[heads, rows, size]`.
  public func headsFirst(_ x: Tensor, heads: Int) -> Tensor {
    let size = x.shape.columns / heads, rows = x.shape.rows, result = make([heads, rows, size])
    for row in 0..<rows {
      for head in 0..<heads {
        (result.floats + (head * rows + row) * size).update(from: x.floats + (row * heads + head) * size, count: size)
      }
    }
    return result
  }

  /// One cache block of one head as F32: `[blockLength, width]`.
  public func expandBlock(_ block: UnsafeMutableRawPointer, type: ElementType, width: Int) -> Tensor {
    let result = make(Shape(KeyValueBlocks.blockLength, width))
    kernels.table.pointee.expand(type.rawValue, block, result.shape.count, result.floats)
    return result
  }
}

extension Tensor {
  /// A transposed copy of a matrix. Blocks cannot be transposed as they are: quantised values become BF16, the precision in which
  /// prompts multiply them; F32 and F16 become F32, BF16 stays.
  public func transposed(kernels: Kernels = .best) -> Tensor {
    let rows = shape.rows, columns = shape.columns, values = floatArray(kernels: kernels)
    var result = [Float](repeating: 0, count: values.count)
    for row in 0..<rows {
      for column in 0..<columns { result[column * rows + row] = values[row * columns + column] }
    }
    let transposed = Tensor(result, shape: Shape(columns, rows))
    return type == .float32 || type == .float16 ? transposed : transposed.asBFloat16(kernels: kernels)
  }

  /// An F32 tensor rounded to BF16.
  public func asBFloat16(kernels: Kernels = .best) -> Tensor {
    let storage = Storage(byteCount: shape.count * 2)
    kernels.table.pointee.store_bf16(floats, shape.count, storage.address.assumingMemoryBound(to: UInt16.self))
    return Tensor(storage: storage, byteOffset: 0, shape: shape, type: .bfloat16)
  }
}
