import CSwiftletKernels

@testable import SwiftletTensors

/// Reproducible numbers for tests.
struct Samples {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func bits() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// In -1..<1.
  mutating func float() -> Float { Float(Int64(bitPattern: bits()) >> 40) / 8_388_608 }

  mutating func floats(_ count: Int) -> [Float] { (0..<count).map { _ in float() } }

  mutating func tensor(_ shape: Shape) -> Tensor { Tensor(floats(shape.count), shape: shape) }

  /// A tensor of random bits of any type, with scales small enough that values stay near 1.
  mutating func tensor(_ shape: Shape, type: ElementType) -> Tensor {
    if type == .float32 { return tensor(shape) }
    if type == .bfloat16 { return tensor(shape).asBFloat16() }
    if type == .float8E4M3 { return float8(shape) }
    let blocks = shape.count / type.blockLength
    let storage = Storage(byteCount: blocks * type.blockBytes)
    for index in 0..<storage.byteCount {
      storage.address.storeBytes(of: UInt8(truncatingIfNeeded: bits() >> 20), toByteOffset: index, as: UInt8.self)
    }
    for block in 0..<blocks {
      let start = block * type.blockBytes
      func store(_ value: Float16, _ offset: Int) {
        storage.address.storeBytes(of: value.bitPattern, toByteOffset: start + offset, as: UInt16.self)
      }
      let scale = Float16(0.01 + abs(float()) * 0.02)
      switch type {
      case .float16: store(Float16(float()), 0)
      case .q4_0, .q5_0, .q8_0: store(scale, 0)
      case .iq4_NL, .iq4_XS: store(scale / 16, 0)
      case .q2_K:
        store(scale, 80)
        store(Float16(float()) * 0.1, 82)
      case .q3_K: store(scale / 4, 108)
      case .q4_1, .q5_1, .q4_K, .q5_K:
        store(scale, 0)
        store(Float16(float()) * 0.1, 2)
      case .q6_K: store(scale / 16, 208)
      case .float32, .bfloat16, .float8E4M3: break
      }
    }
    return Tensor(storage: storage, byteOffset: 0, shape: shape, type: type)
  }

  /// Random codes, none of them NaN, with random scales.
  private mutating func float8(_ shape: Shape) -> Tensor {
    let storage = Storage(byteCount: shape.count)
    for index in 0..<shape.count {
      let code = UInt8(truncatingIfNeeded: bits() >> 20)
      storage.address.storeBytes(of: code & 0x7F == 0x7F ? 0 : code, toByteOffset: index, as: UInt8.self)
    }
    let counts = BlockScales.counts(shape)
    let scales = (0..<counts.rows * counts.columns).map { _ in 0.001 + abs(float()) * 0.01 }
    return Tensor(
      storage: storage, byteOffset: 0, shape: shape, type: .float8E4M3, scales: BlockScales(scales, shape: shape))
  }
}

/// How far `result` is from `x · weightᵀ` at most, relative to the lengths of the two vectors of each product: cancellation makes
/// no result look worse than it is.
func productError(_ result: Tensor, _ x: Tensor, _ weight: Tensor) -> Double {
  let left = x.floatArray().map(Double.init), right = weight.floatArray().map(Double.init)
  let length = weight.shape.columns
  var worst = 0.0
  for row in 0..<x.shape.rows {
    for column in 0..<weight.shape.rows {
      var product = 0.0, first = 0.0, second = 0.0
      for k in 0..<length {
        let a = left[row * length + k], b = right[column * length + k]
        product += a * b
        first += a * a
        second += b * b
      }
      let error =
        abs(Double(result.floats[row * weight.shape.rows + column]) - product) / max((first * second).squareRoot(), 1e-30)
      worst = error.isNaN ? .infinity : max(worst, error)
    }
  }
  return worst
}

/// The root mean square of the difference, relative to that of the reference.
func relativeError(_ values: [Float], _ reference: [Double]) -> Double {
  guard values.count == reference.count else { return .infinity }
  let error = zip(values, reference).reduce(0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) }
  let size = reference.reduce(0) { $0 + $1 * $1 }
  return (error / max(size, 1e-30)).squareRoot()
}
