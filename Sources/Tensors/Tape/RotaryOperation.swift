internal import CSwiftletKernels

struct RotaryOperation {
  let value: Value
  let headStride: Int
  let offset: Int
  let dimension: Int
  let angles: TapeAngles
  let isInterleaved: Bool

  func backward(_ tape: Tape) -> Int {
    if tape.gradient(value) != nil { rotate(tape, tape.gradientToAdd(value), sines: angles.backwardSines) }
    return .max
  }

  func rotate(_ tape: Tape, _ x: UnsafeMutablePointer<Float>, sines: Tensor) {
    let size = value.shape.columns, heads = size / headStride, half = dimension / 2, table = tape.kernels.table
    let cosines = angles.cosines.floats, sines = sines.floats
    tape.compute.forRows(value.shape.rows, costPerRow: heads * dimension) { rows in
      for row in rows {
        for head in 0..<heads {
          table.pointee.rotate(
            x + row * size + head * headStride + offset, cosines + row * half, sines + row * half, dimension,
            isInterleaved ? 1 : 0)
        }
      }
    }
  }
}

/// Angles of every row of a step, for the way forward and back.
public struct TapeAngles {
  let cosines: Tensor
  let sines: Tensor
  /// Of the angles turned back.
  let backwardSines: Tensor

  /// - Parameters:
  ///   - table: angles of positions from 0 on, each `[positions, dimension / 2]`.
  ///   - positions: of every row.
  public init(_ table: RotaryAngles, positions: [Int]) {
    let half = table.cosines.shape.columns, shape = Shape(positions.count, half)
    cosines = Tensor(zeros: shape)
    sines = Tensor(zeros: shape)
    backwardSines = Tensor(zeros: shape)
    for (row, position) in positions.enumerated() {
      precondition(position < table.cosines.shape.rows, "no angles for position \(position)")
      (cosines.floats + row * half).update(from: table.cosines.floats + position * half, count: half)
      (sines.floats + row * half).update(from: table.sines.floats + position * half, count: half)
      for i in row * half..<(row + 1) * half { backwardSines.floats[i] = -sines.floats[i] }
    }
  }
}

extension Tape {
  /// Rotates parts of every head of a value in place (RoPE, Su et al. 2021); see `Compute.rotate`. Nothing may need the value as it was.
  public func rotate(_ x: Value, headStride: Int, offset: Int, dimension: Int, angles: TapeAngles, interleaved: Bool) {
    measured("rotary") {
      let operation = RotaryOperation(
        value: x, headStride: headStride, offset: offset, dimension: dimension, angles: angles, isInterleaved: interleaved)
      operation.rotate(self, floats(x), sines: angles.sines)
      record(.rotary(operation))
    }
  }
}
