internal import CSwiftletKernels

/// Cosines and sines of the rotation of each row.
public struct RotaryAngles {
  /// Each `[rows, dimension / 2]`.
  public let cosines: Tensor
  public let sines: Tensor

  public init(cosines: Tensor, sines: Tensor) {
    self.cosines = cosines
    self.sines = sines
  }
}

extension Compute {
  /// Rotates parts of every head in place (RoPE, Su et al. 2021).
  /// - Parameters:
  ///   - x: `[rows, heads * headStride]`
  ///   - offset: where in a head the rotated values start.
  ///   - dimension: how many values of a head are rotated.
  ///   - interleaved: pairs are neighbours `(2i, 2i + 1)`; else `(i, i + dimension / 2)`.
  public func rotate(_ x: Tensor, headStride: Int, offset: Int, dimension: Int, angles: RotaryAngles, interleaved: Bool) {
    let size = x.shape.columns, heads = size / headStride, half = dimension / 2
    forRows(x.shape.rows, costPerRow: heads * dimension) { rows in
      for row in rows {
        for head in 0..<heads {
          kernels.table.pointee.rotate(
            x.floats + row * size + head * headStride + offset, angles.cosines.floats + row * half,
            angles.sines.floats + row * half, dimension, interleaved ? 1 : 0)
        }
      }
    }
  }
}
