import Foundation
import Testing

@testable import SwiftletTensors

/// Every operation of every variant this CPU can run against plain references in double precision.
@Suite struct OperationTests {
  static let variants = Kernels.available.map(\.name)

  static func compute(_ variant: String, threads: Int = 2) throws -> Compute {
    Compute(threadCount: threads, kernels: try #require(Kernels.available.first { $0.name == variant }))
  }

  /// How far a product may be from the exact one: F32 sums; inputs rounded to BF16; inputs rounded to int8.
  static func bound(_ type: ElementType, _ role: PositionRole) -> Double {
    switch (type, role) {
    case (.float32, _), (.float16, _): 1e-6
    case (.float8E4M3, _): 1e-2
    case (.bfloat16, _), (_, .prompt): 4e-3
    case (_, .generated): 1.2e-2
    }
  }

  @Test(arguments: variants, ElementType.allCases) func linearEqualsReference(_ variant: String, _ type: ElementType) throws {
    let compute = try Self.compute(variant)
    var samples = Samples(seed: 1)
    let widths = type.blockLength == 256 ? [256, 768] : type.isQuantized ? [32, 96, 576] : [1, 7, 40, 129, 576]
    for inputs in widths {
      for (rows, outputs) in [(1, 1), (1, 67), (3, 5), (6, 130), (33, 20)] {
        let x = samples.tensor(Shape(rows, inputs)), weight = samples.tensor(Shape(outputs, inputs), type: type)
        for role in [PositionRole.prompt, .generated] {
          compute.beginPass()
          let error = productError(compute.linear(x, weight, role: role), x, weight)
          #expect(error < Self.bound(type, role), "\(variant) \(type.name) [\(rows), \(inputs)] x \(outputs), \(role)")
        }
      }
    }
  }

  /// A row's bits do not depend on the rows beside it, the number of threads, or where the row stands.
  @Test(arguments: variants, ElementType.allCases) func rowsAreIndependent(_ variant: String, _ type: ElementType) throws {
    let one = try Self.compute(variant, threads: 1), three = try Self.compute(variant, threads: 3)
    var samples = Samples(seed: 2)
    let x = samples.tensor(Shape(23, 512)), weight = samples.tensor(Shape(141, 512), type: type)
    for role in [PositionRole.prompt, .generated] {
      let together = three.linear(x, weight, role: role).floatArray()
      for row in [0, 3, 5, 22] {
        let alone = one.linear(x.rows(row..<row + 1), weight, role: role).floatArray()
        #expect(alone == Array(together[row * 141..<(row + 1) * 141]), "\(variant) \(type.name) row \(row), \(role)")
      }
    }
  }

  /// All variants expand blocks to the same bits, and NaN and infinities pass.
  @Test(arguments: ElementType.allCases) func variantsExpandAlike(_ type: ElementType) throws {
    var samples = Samples(seed: 3)
    let tensor = samples.tensor(Shape(5, 512), type: type)
    let expected = tensor.floatArray(kernels: try #require(Kernels.available.last)).map(\.bitPattern)
    for kernels in Kernels.available {
      #expect(tensor.floatArray(kernels: kernels).map(\.bitPattern) == expected, "\(kernels.name)")
    }
  }

  @Test(arguments: variants) func notANumberStaysOne(_ variant: String) throws {
    let compute = try Self.compute(variant)
    var samples = Samples(seed: 4)
    let x = samples.tensor(Shape(2, 64)), weight = samples.tensor(Shape(9, 64))
    x.floats[70] = .nan
    let result = compute.linear(x, weight, role: .prompt).floatArray()
    #expect(result[..<9].allSatisfy(\.isFinite) && result[9...].allSatisfy(\.isNaN))
    for type in [ElementType.q4_0, .q4_1, .q5_0, .q8_0] {
      let result = compute.linear(x, samples.tensor(Shape(9, 64), type: type), role: .generated).floatArray()
      #expect(result[..<9].allSatisfy(\.isFinite) && result[9...].allSatisfy(\.isNaN), "\(type)")
    }
    let rounded = x.asBFloat16(kernels: compute.kernels).floatArray()
    #expect(rounded[70].isNaN && rounded[..<64].allSatisfy(\.isFinite))
  }

  @Test(arguments: variants) func groupedAndHeadwiseEqualSeparateProducts(_ variant: String) throws {
    let compute = try Self.compute(variant)
    var samples = Samples(seed: 5)
    for type in [ElementType.float32, .q8_0] {
      let experts = (0..<4).map { _ in samples.tensor(Shape(24, 64), type: type) }
      let x = samples.tensor(Shape(10, 64))
      let offsets = [0, 3, 3, 9, 10]
      for role in [PositionRole.prompt, .generated] {
        let grouped = compute.groupedLinear(x, experts, offsets: offsets, role: role).floatArray()
        for expert in experts.indices where offsets[expert] < offsets[expert + 1] {
          let rows = offsets[expert]..<offsets[expert + 1]
          let found = Array(grouped[rows.lowerBound * 24..<rows.upperBound * 24])
          let alone = compute.groupedLinear(x.rows(rows), [experts[expert]], offsets: [0, rows.count], role: role)
          #expect(found == alone.floatArray())
          let plain = compute.linear(x.rows(rows), experts[expert], role: role).floatArray()
          // Here experts in prompts are multiplied as codes, other weights by panels.
          if variant == "avx512bf16" && role == .prompt && type != .float32 {
            let largest = plain.map(abs).max() ?? 0
            #expect(zip(found, plain).allSatisfy { abs($0 - $1) <= 0.004 * largest })
          } else {
            #expect(found == plain)
          }
        }
        // Four heads of 80 values, of which the first 64 are used.
        let wide = samples.tensor(Shape(3, 4 * 80))
        let heads = compute.headwiseLinear(wide, headStride: 80, experts, outputHeadStride: 30, role: role)
        for head in 0..<4 {
          let part = Tensor(
            (0..<3).flatMap { row in (0..<64).map { wide.floats[row * 320 + head * 80 + $0] } }, shape: Shape(3, 64))
          let alone = compute.linear(part, experts[head], role: role).floatArray()
          let found = (0..<3).flatMap { row in (0..<24).map { heads.floats[row * 120 + head * 30 + $0] } }
          #expect(found == alone)
        }
      }
    }
  }

  @Test(arguments: variants) func elementwiseOperationsEqualReferences(_ variant: String) throws {
    let compute = try Self.compute(variant)
    var samples = Samples(seed: 6)
    for size in [1, 5, 16, 100, 577] {
      let x = samples.tensor(Shape(3, size)), y = samples.tensor(Shape(3, size)), weight = samples.tensor([size])
      let values = x.floatArray().map { Double($0) }
      let norm = compute.rmsNorm(x, weight, epsilon: 1e-5).floatArray()
      var expected: [Double] = []
      for row in 0..<3 {
        let part = values[row * size..<(row + 1) * size]
        let scale = 1 / (part.reduce(0) { $0 + $1 * $1 } / Double(size) + 1e-5).squareRoot()
        expected += part.enumerated().map { $1 * scale * Double(weight.floats[$0]) }
      }
      #expect(relativeError(norm, expected) < 1e-6)
      let swish = compute.swiGLU(gate: x, up: y).floatArray()
      #expect(relativeError(swish, zip(values, y.floatArray()).map { $0 / (1 + exp(-$0)) * Double($1) }) < 1e-6)
      let indices = [2, 0, 1, 1]
      let sum = compute.weightedSum(x, sources: indices, weights: Tensor([0.5, -1, 2, 0.25], shape: Shape(2, 2))).floatArray()
      var reference: [Double] = []
      for row in 0..<2 {
        for column in 0..<size {
          let first: Double = [0.5, 2][row] * values[indices[2 * row] * size + column]
          let second: Double = [-1, 0.25][row] * values[indices[2 * row + 1] * size + column]
          reference.append(first + second)
        }
      }
      #expect(relativeError(sum, reference) < 1e-6)
    }
  }

  @Test(arguments: variants) func softmaxWeightsHoldAtExtremes(_ variant: String) throws {
    let kernels = try Self.compute(variant).kernels
    for values: [Float] in [[0], [-.infinity, 0], [1000, 1000], [-1e30, 3e38], Samples(seed: 7).withFloats(777) { $0 * 50 }] {
      var found = values
      let largest = values.max() ?? 0
      let sums = found.withUnsafeMutableBufferPointer { kernels.softmaxWeights($0, largest: largest, scale: 0.5) }
      let expected = values.map { exp(0.5 * (Double($0) - Double(largest))) }
      #expect(relativeError(found, expected) < 1e-6)
      #expect(sums.count == (values.count + Kernels.sumBlock - 1) / Kernels.sumBlock)
      #expect(abs(sums.reduce(0, +) - expected.reduce(0, +)) < 1e-5)
    }
    // What no number comes of is impossible.
    var odd: [Float] = [1, .nan, -.infinity]
    _ = odd.withUnsafeMutableBufferPointer { kernels.softmaxWeights($0, largest: 1, scale: 0) }
    #expect(odd == [1, 0, 0])
  }

  /// Grouped-query attention over several blocks against the formula, F32 and BF16 caches.
  @Test(arguments: variants, [ElementType.float32, .bfloat16]) func attentionEqualsReference(
    _ variant: String, _ type: ElementType
  ) throws {
    let compute = try Self.compute(variant)
    var samples = Samples(seed: 8)
    let heads = 6, keyHeads = 2, dimension = 20, valueDimension = 12, count = 150, start = 140, rows = count - start
    let keys = samples.tensor(Shape(count, keyHeads * dimension)),
      values = samples.tensor(Shape(count, keyHeads * valueDimension))
    let queries = samples.tensor(Shape(rows, heads * dimension))
    let length = KeyValueBlocks.blockLength
    let storages = (0..<3).map { _ in
      (Storage(byteCount: keyHeads * length * dimension * 4), Storage(byteCount: keyHeads * length * valueDimension * 4))
    }
    // The blocks are plain addresses: whoever makes them keeps the memory.
    defer { withExtendedLifetime(storages) {} }
    let blocks = KeyValueBlocks(
      keys: storages.map(\.0.address), values: storages.map(\.1.address), type: type, headCount: keyHeads,
      keyDimension: dimension,
      valueDimension: valueDimension, valueStride: valueDimension)
    let stored = [AttentionSequence(rows: 0..<count, startPosition: 0, blocks: blocks)]
    compute.store(keys, headStride: dimension, count: dimension, as: .keys, sequences: stored)
    compute.store(values, headStride: valueDimension, count: valueDimension, as: .values, sequences: stored)
    let found = compute.attention(
      queries, heads: heads, sequences: [AttentionSequence(rows: 0..<rows, startPosition: start, blocks: blocks)], scale: 0.3
    ).floatArray()

    var expected: [Double] = []
    for row in 0..<rows {
      for head in 0..<heads {
        let keyHead = head / 3
        let scores = (0...start + row).map { position in
          0.3
            * (0..<dimension).reduce(0.0) {
              $0 + Double(queries.floats[(row * heads + head) * dimension + $1])
                * Double(keys.floats[(position * keyHeads + keyHead) * dimension + $1])
            }
        }
        let largest = scores.max() ?? 0, powers = scores.map { exp($0 - largest) }, sum = powers.reduce(0, +)
        for i in 0..<valueDimension {
          expected.append(
            powers.enumerated().reduce(0.0) {
              $0 + $1.element / sum * Double(values.floats[($1.offset * keyHeads + keyHead) * valueDimension + i])
            })
        }
      }
    }
    #expect(relativeError(found, expected) < (type == .float32 ? 1e-5 : 1e-2))
    // One row at a time gives the same bits.
    for row in 0..<rows {
      let alone = compute.attention(
        queries.rows(row..<row + 1), heads: heads,
        sequences: [AttentionSequence(rows: 0..<1, startPosition: start + row, blocks: blocks)], scale: 0.3
      ).floatArray()
      #expect(alone == Array(found[row * heads * valueDimension..<(row + 1) * heads * valueDimension]))
    }
  }

  @Test(arguments: variants) func rotationEqualsReference(_ variant: String) throws {
    let compute = try Self.compute(variant)
    var samples = Samples(seed: 9)
    let angles = (0..<2 * 4).map { _ in samples.float() * 3 }
    let rotary = RotaryAngles(
      cosines: Tensor(angles.map { cos($0) }, shape: Shape(2, 4)), sines: Tensor(angles.map { sin($0) }, shape: Shape(2, 4)))
    for interleaved in [true, false] {
      let x = samples.tensor(Shape(2, 3 * 12)), before = x.floatArray()
      compute.rotate(x, headStride: 12, offset: 3, dimension: 8, angles: rotary, interleaved: interleaved)
      var expected = before.map { Double($0) }
      for row in 0..<2 {
        for head in 0..<3 {
          for pair in 0..<4 {
            let base = row * 36 + head * 12 + 3
            let first = base + (interleaved ? 2 * pair : pair), second = base + (interleaved ? 2 * pair + 1 : pair + 4)
            let c = Double(cos(angles[row * 4 + pair])), s = Double(sin(angles[row * 4 + pair]))
            expected[first] = Double(before[first]) * c - Double(before[second]) * s
            expected[second] = Double(before[second]) * c + Double(before[first]) * s
          }
        }
      }
      #expect(relativeError(x.floatArray(), expected) < 1e-6)
    }
  }

  @Test func poolRunsEveryPieceOnce() {
    for threads in [1, 2, 3, 8] {
      let pool = WorkerPool(threadCount: threads)
      for pieces in [0, 1, 2, 7, 1000] {
        for _ in 0..<20 {
          let counts = UnsafeMutablePointer<Int>.allocate(capacity: pieces + 1)
          counts.initialize(repeating: 0, count: pieces + 1)
          defer { counts.deallocate() }
          pool.run(pieces) { piece, thread in counts[piece] += thread < threads ? 1 : 100 }
          #expect((0..<pieces).allSatisfy { counts[$0] == 1 })
        }
      }
    }
  }
}

extension Samples {
  /// Numbers passed through a function.
  func withFloats(_ count: Int, _ body: (Float) -> Float) -> [Float] {
    var copy = self
    return copy.floats(count).map(body)
  }
}
