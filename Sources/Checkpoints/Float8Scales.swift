internal import SwiftletTensors

/// Finds the scales of the FP8 tensors of a folder: `weight_scale_inv` beside `weight`, which is multiplied with it in spite of the
/// name, one for each block of 128 x 128, as F32 or as powers of two (`ue8m0`).
/// Source: DeepSeek-V3, README_WEIGHTS.md and inference/kernel.py.
struct Float8Scales {
  static let suffix = "_scale_inv"
  /// Of DeepSeek-V3, the largest model known here, all scales take 168 MB.
  private static let maximumCount = 256 << 20
  /// By the name of the tensor they belong to.
  private(set) var scales: [[UInt8]: BlockScales] = [:]
  /// The tensors that hold the scales.
  private(set) var names: Set<[UInt8]> = []

  private struct Candidate {
    var shape: [Int]
    var type: String
    var values: () throws(CheckpointError) -> [Float]?
  }

  /// - Throws: `CheckpointError` for scales of the wrong shape or type, or that are no numbers.
  init(files: [SafetensorsFile]) throws(CheckpointError) {
    guard files.contains(where: { $0.tensors.contains { $0.tensor.type == .float8E4M3 } }) else { return }
    let candidates = Self.candidates(files)
    var count = 0
    for file in files {
      for (name, tensor) in file.tensors where tensor.type == .float8E4M3 {
        let scaleName = Array(name.utf8) + Array(Self.suffix.utf8)
        guard let candidate = candidates[scaleName] else { continue }
        func failure(_ reason: String) -> CheckpointError {
          CheckpointError(file: file.path, field: name + Self.suffix, reason: reason)
        }
        guard tensor.shape.rank == 2 else {
          throw CheckpointError(file: file.path, field: name, reason: "found shape \(tensor.shape), expected a matrix of F8_E4M3")
        }
        let expected = BlockScales.counts(tensor.shape)
        guard candidate.shape == [expected.rows, expected.columns] else {
          throw failure(
            "found shape \(candidate.shape), expected [\(expected.rows), \(expected.columns)], a scale for each block of "
              + "\(BlockScales.blockLength) x \(BlockScales.blockLength) of \(tensor.shape)")
        }
        count += expected.rows * expected.columns
        guard count <= Self.maximumCount else {
          throw failure("with it there are \(count) scales, expected at most \(Self.maximumCount)")
        }
        guard let values = try candidate.values() else {
          throw failure("found type \(candidate.type), expected F32, F16, BF16 or F8_E8M0")
        }
        guard values.allSatisfy(\.isFinite) else { throw failure("found a scale that is no number") }
        scales[Array(name.utf8)] = BlockScales(values, shape: tensor.shape)
        names.insert(scaleName)
      }
    }
  }

  /// The tensors that may be scales; they need not be in the shard of their weight.
  private static func candidates(_ files: [SafetensorsFile]) -> [[UInt8]: Candidate] {
    var result: [[UInt8]: Candidate] = [:]
    for file in files {
      for (name, tensor) in file.tensors where name.hasSuffix(suffix) && tensor.type != .float8E4M3 {
        result[Array(name.utf8)] = Candidate(shape: tensor.shape.array, type: tensor.type.name) { tensor.floatArray() }
      }
      for (index, unread) in file.unreadTensors.enumerated() where unread.name.hasSuffix(suffix) {
        result[Array(unread.name.utf8)] = Candidate(shape: unread.shape, type: unread.type) { () throws(CheckpointError) in
          try file.powersOfTwo(unreadTensorAt: index)
        }
      }
    }
    return result
  }
}
