internal import CSwiftletKernels
internal import Foundation

/// The table of kernels for one instruction set.
///
/// `@unchecked Sendable`: it points to an immutable C constant.
public struct Kernels: @unchecked Sendable {
  let table: UnsafePointer<swiftlet_kernels>
  /// Whether prompts are multiplied as generated positions are, in int8; see `withFastPrompts`.
  public private(set) var hasFastPrompts = false

  init(table: UnsafePointer<swiftlet_kernels>) { self.table = table }

  /// Every variant compiled in, the most capable first, whether this CPU can run it or not.
  static let compiled: [Kernels] = (0...).lazy.map { swiftlet_kernels_variant($0) }.prefix { $0 != nil }
    .compactMap { $0.map { Kernels(table: $0) } }

  /// The variants this CPU can run, the most capable first.
  public static let available: [Kernels] = compiled.filter { swiftlet_kernels_supported($0.table) != 0 }

  /// The variant named by `SWIFTLET_KERNELS` when it can run here, else the most capable of those that are worth it on this CPU.
  public static let best: Kernels = {
    let wanted = ProcessInfo.processInfo.environment["SWIFTLET_KERNELS"]
    return available.first { $0.name == wanted } ?? available.first { swiftlet_kernels_worthwhile($0.table) != 0 } ?? available[0]
  }()

  /// `generic`; on x86-64 `avx2`, `avxvnni`, `avx512`, `avx512vnni`, `avx512bf16`, `amx`; on arm64 `neon`, `dotprod`, `i8mm`.
  public var name: String { String(cString: table.pointee.name) }

  /// The same variant with faster prompts, which are less exact then, like llama.cpp's: in int8. Itself where that is not faster:
  /// without VNNI, and with AMX.
  public func withFastPrompts() -> Kernels {
    var result = self
    result.hasFastPrompts = table.pointee.int8_is_fastest != 0
    return result
  }

  /// Whether a position's product with the weight depends on its `PositionRole`.
  public func distinguishesRoles(_ weight: Tensor) -> Bool {
    weight.type.isQuantized && !(hasFastPrompts && weight.hasStripForm)
  }

  /// Expands every value of a tensor to F32.
  public func expand(_ tensor: Tensor, into destination: UnsafeMutablePointer<Float>) {
    if tensor.scales != nil {
      for row in 0..<tensor.shape.rows { expand(row: row, of: tensor, into: destination + row * tensor.shape.columns) }
    } else {
      table.pointee.expand(tensor.type.rawValue, tensor.address, tensor.shape.count, destination)
    }
  }

  /// Expands one row of a tensor to F32; rows of all leading dimensions are counted together.
  func expand(row: Int, of tensor: Tensor, into destination: UnsafeMutablePointer<Float>) {
    let columns = tensor.shape.columns
    table.pointee.expand(tensor.type.rawValue, tensor.rowAddress(row), columns, destination)
    if let scales = tensor.scales { table.pointee.scale_blocks(destination, columns, scales.row(row)) }
  }

  /// `target += scale * x`
  public func addScaled(_ x: UnsafePointer<Float>, _ scale: Float, count: Int, to target: UnsafeMutablePointer<Float>) {
    table.pointee.add_scaled(x, scale, count, target)
  }

  /// The index of the largest value, the first among equals; NaN never wins.
  public func argmax(_ values: UnsafeBufferPointer<Float>) -> Int {
    values.baseAddress.map { table.pointee.argmax($0, values.count) } ?? 0
  }

  /// The sum of exp(logit - largest logit), as training's cross-entropy adds it. The logits, of which none is NaN, hold anything then.
  public func exponentialSum(_ logits: UnsafeMutableBufferPointer<Float>) -> Float {
    guard let base = logits.baseAddress, !logits.isEmpty else { return 0 }
    var margin: Float = 0, total: Float = 0
    table.pointee.cross_entropy(base, logits.count, 0, 0, &margin, &total)
    return total
  }

  /// Values of which `softmaxWeights` gives one sum.
  public static let sumBlock = Int(SWIFTLET_SUM_BLOCK)

  /// In place: `exp(scale * (logit - largest))`, 0 where that is no number.
  /// - Returns: the sums of blocks of `sumBlock` of them; the last block may be shorter.
  public func softmaxWeights(_ logits: UnsafeMutableBufferPointer<Float>, largest: Float, scale: Float) -> [Double] {
    guard let base = logits.baseAddress else { return [] }
    let blockCount = (logits.count + Self.sumBlock - 1) / Self.sumBlock
    return Array(unsafeUninitializedCapacity: blockCount) { sums, count in
      if let sums = sums.baseAddress { table.pointee.softmax_weights(base, logits.count, largest, scale, sums) }
      count = blockCount
    }
  }
}
