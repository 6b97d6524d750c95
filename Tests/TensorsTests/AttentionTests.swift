import Foundation
import Testing

@testable import SwiftletTensors

/// Attention over blocks of the cache, of every variant this CPU can run.
@Suite struct AttentionTests {
  static let variants = Kernels.available.map(\.name)
  static let types = [ElementType.float32, .bfloat16]

  struct Form: Sendable {
    var heads: Int
    var keyHeads: Int
    var keyDimension: Int
    var valueDimension: Int
    /// Values are the leading part of the keys.
    var isLatent = false
  }

  /// Shapes of real models, and dimensions that no vector divides.
  static let forms = [
    Form(heads: 9, keyHeads: 3, keyDimension: 64, valueDimension: 64),
    Form(heads: 12, keyHeads: 2, keyDimension: 128, valueDimension: 128),
    Form(heads: 16, keyHeads: 1, keyDimension: 576, valueDimension: 512, isLatent: true),
    Form(heads: 4, keyHeads: 4, keyDimension: 40, valueDimension: 40),
    Form(heads: 5, keyHeads: 1, keyDimension: 20, valueDimension: 12, isLatent: true),
    Form(heads: 2, keyHeads: 1, keyDimension: 7, valueDimension: 3),
  ]

  /// A sequence with its cache, and queries for its last rows.
  struct Sequence {
    let form: Form
    let count: Int
    let rows: Int
    var keys: Tensor
    var values: Tensor
    var queries: Tensor
    let scale: Float

    var start: Int { count - rows }

    init(_ form: Form, count: Int, rows: Int, seed: UInt64) {
      var samples = Samples(seed: seed)
      (self.form, self.count, self.rows) = (form, count, rows)
      keys = samples.tensor(Shape(count, form.keyHeads * form.keyDimension))
      values = samples.tensor(Shape(count, form.keyHeads * form.valueDimension))
      queries = samples.tensor(Shape(rows, form.heads * form.keyDimension))
      scale = 4 / Float(form.keyDimension).squareRoot()
      if form.isLatent {
        for position in 0..<count {
          for i in 0..<form.valueDimension {
            values.floats[position * form.valueDimension + i] = keys.floats[position * form.keyDimension + i]
          }
        }
      }
    }

    /// What is stored in the type: the reference computes from it.
    mutating func round(to type: ElementType, _ kernels: Kernels) {
      guard type == .bfloat16 else { return }
      for tensor in [keys, values] {
        kernels.table.pointee.round_to_bf16(tensor.floats, tensor.shape.count, tensor.floats)
      }
    }

    /// The blocks, and the memory they are in.
    func blocks(_ type: ElementType, _ compute: Compute) -> (blocks: KeyValueBlocks, memory: [Storage]) {
      let length = KeyValueBlocks.blockLength, count = (count + length - 1) / length
      let keyBytes = form.keyHeads * length * form.keyDimension * type.blockBytes
      let valueBytes = form.isLatent ? 0 : form.keyHeads * length * form.valueDimension * type.blockBytes
      let memory = (0..<count).map { _ in Storage(byteCount: 64 + keyBytes + valueBytes) }
      // What is not stored may be anything.
      for block in memory { memset(block.address, 0xFF, block.byteCount) }
      let addresses = memory.map(\.address)
      let blocks = KeyValueBlocks(
        keys: addresses, values: addresses, keyOffset: 64, valueOffset: form.isLatent ? 64 : 64 + keyBytes, type: type,
        headCount: form.keyHeads, keyDimension: form.keyDimension, valueDimension: form.valueDimension,
        valueStride: form.isLatent ? form.keyDimension : form.valueDimension)
      let sequence = AttentionSequence(rows: 0..<self.count, startPosition: 0, blocks: blocks)
      compute.store(keys, headStride: form.keyDimension, count: form.keyDimension, as: .keys, sequences: [sequence])
      if !form.isLatent {
        compute.store(values, headStride: form.valueDimension, count: form.valueDimension, as: .values, sequences: [sequence])
      }
      return (blocks, memory)
    }

    /// Rows of the queries, computed together.
    func attention(_ rows: Range<Int>, _ blocks: KeyValueBlocks, _ compute: Compute, isExact: Bool = false) -> [Float] {
      compute.beginPass()
      return compute.attention(
        queries.rows(rows), heads: form.heads,
        sequences: [AttentionSequence(rows: 0..<rows.count, startPosition: start + rows.lowerBound, blocks: blocks)],
        scale: scale, isExact: isExact
      ).floatArray()
    }

    /// The formula, in double precision.
    func reference(row: Int) -> [Double] {
      var result: [Double] = []
      let group = form.heads / form.keyHeads
      for head in 0..<form.heads {
        let query = queries.floats + (row * form.heads + head) * form.keyDimension
        let scores = (0...start + row).map { position in
          let key = keys.floats + (position * form.keyHeads + head / group) * form.keyDimension
          return (0..<form.keyDimension).reduce(0.0) { $0 + Double(query[$1]) * Double(key[$1]) } * Double(scale)
        }
        let largest = scores.max() ?? 0, powers = scores.map { exp($0 - largest) }, sum = powers.reduce(0, +)
        var sums = [Double](repeating: 0, count: form.valueDimension)
        for (position, power) in powers.enumerated() {
          let value = values.floats + (position * form.keyHeads + head / group) * form.valueDimension
          for i in sums.indices { sums[i] += power / sum * Double(value[i]) }
        }
        result += sums
      }
      return result
    }
  }

  static func compute(_ variant: String, threads: Int) throws -> Compute {
    Compute(threadCount: threads, kernels: try #require(Kernels.available.first { $0.name == variant }))
  }

  /// How far results may be off. BF16 has eight bits: rounding changes queries and weights by 0.004 of themselves at most.
  static func bound(_ compute: Compute, _ type: ElementType, isExact: Bool) -> Double {
    !isExact && type == .bfloat16 && compute.kernels.table.pointee.attends_bf16 != 0 ? 4e-3 : 2e-6
  }

  @Test(arguments: variants, types) func attentionEqualsReference(_ variant: String, _ type: ElementType) throws {
    let compute = try Self.compute(variant, threads: 2)
    for (index, form) in Self.forms.enumerated() {
      // Within a block, over some blocks, and over several segments; few rows and many.
      for (count, rows) in [(1, 1), (70, 70), (1000, 2)] {
        var sequence = Sequence(form, count: count, rows: rows, seed: UInt64(index))
        sequence.round(to: type, compute.kernels)
        let (blocks, memory) = sequence.blocks(type, compute)
        let expected = (0..<rows).flatMap { sequence.reference(row: $0) }
        for isExact in [true, false] {
          let found = sequence.attention(0..<rows, blocks, compute, isExact: isExact)
          #expect(
            relativeError(found, expected) < Self.bound(compute, type, isExact: isExact),
            "\(form), \(count) positions, \(rows) rows")
        }
        withExtendedLifetime(memory) {}
      }
    }
  }

  /// A row has the same bits alone, in chunks of any size, on any number of threads, and beside other sequences.
  @Test(arguments: variants, types) func rowsAreIndependent(_ variant: String, _ type: ElementType) throws {
    for (index, form) in Self.forms.enumerated() {
      let sequence = Sequence(form, count: 590, rows: 150, seed: UInt64(20 + index))
      let other = Sequence(form, count: 77, rows: 3, seed: UInt64(40 + index))
      let one = try Self.compute(variant, threads: 1), width = form.heads * form.valueDimension
      let (blocks, memory) = sequence.blocks(type, one), (otherBlocks, otherMemory) = other.blocks(type, one)
      let expected = sequence.attention(0..<150, blocks, one).map(\.bitPattern)
      for threads in [1, 2, 3, 40] {
        let compute = try Self.compute(variant, threads: threads)
        for chunk in [1, 2, 7, 64, 150] {
          // Of single rows, those around the ends of a block and of a segment, and some beside them.
          for start in stride(from: 0, to: 150, by: chunk) where chunk > 2 || start % 36 < 8 {
            let rows = start..<min(start + chunk, 150)
            let found = sequence.attention(rows, blocks, compute).map(\.bitPattern)
            #expect(
              found == Array(expected[rows.lowerBound * width..<rows.upperBound * width]),
              "\(form), rows \(rows), \(threads) threads")
          }
        }
        let both = Tensor(
          other.queries.floatArray() + sequence.queries.rows(72..<75).floatArray(),
          shape: Shape(6, form.heads * form.keyDimension))
        let found = compute.attention(
          both, heads: form.heads,
          sequences: [
            AttentionSequence(rows: 0..<3, startPosition: other.start, blocks: otherBlocks),
            AttentionSequence(rows: 3..<6, startPosition: sequence.start + 72, blocks: blocks),
          ], scale: sequence.scale
        ).floatArray().map(\.bitPattern)
        #expect(Array(found[(3 * width)...]) == Array(expected[72 * width..<75 * width]), "\(form), \(threads) threads")
      }
      withExtendedLifetime((memory, otherMemory)) {}
    }
  }

  /// A query that is not a number spoils its own row, a position only the rows that see it. Nothing else changes a bit.
  @Test(arguments: variants, types) func notANumberStaysWhereItIs(_ variant: String, _ type: ElementType) throws {
    let compute = try Self.compute(variant, threads: 2)
    for (index, form) in Self.forms.enumerated() {
      let count = 330, rows = 80, width = form.heads * form.valueDimension, spoiled = 33
      for value in [Float.nan, .infinity, -.infinity] {
        let clean = Sequence(form, count: count, rows: rows, seed: UInt64(60 + index))
        let (cleanBlocks, memory) = clean.blocks(type, compute)
        let expected = clean.attention(0..<rows, cleanBlocks, compute).map(\.bitPattern)
        withExtendedLifetime(memory) {}
        func check(_ sequence: Sequence, isSpoiled: (Int) -> Bool, isNaN: Bool, _ name: String) {
          let (blocks, memory) = sequence.blocks(type, compute)
          let found = sequence.attention(0..<rows, blocks, compute)
          withExtendedLifetime(memory) {}
          for row in 0..<rows {
            let part = row * width..<(row + 1) * width
            if isSpoiled(row) {
              let areNaN = found[part].allSatisfy(\.isNaN)
              #expect(areNaN || !isNaN, "\(form), \(value) in \(name), row \(row)")
            } else {
              #expect(found[part].map(\.bitPattern) == Array(expected[part]), "\(form), \(value) in \(name), row \(row)")
            }
          }
        }
        let query = Sequence(form, count: count, rows: rows, seed: UInt64(60 + index))
        for i in 0..<form.heads * form.keyDimension { query.queries.floats[spoiled * form.heads * form.keyDimension + i] = value }
        check(query, isSpoiled: { $0 == spoiled }, isNaN: true, "query")
        let key = Sequence(form, count: count, rows: rows, seed: UInt64(60 + index))
        let position = key.start + spoiled
        for i in 0..<key.keys.shape.columns { key.keys.floats[position * key.keys.shape.columns + i] = value }
        // Infinite keys may give scores of -infinity, and so no weight.
        check(key, isSpoiled: { $0 >= spoiled }, isNaN: value.isNaN, "key")
        if !form.isLatent {
          let stored = Sequence(form, count: count, rows: rows, seed: UInt64(60 + index))
          for i in 0..<stored.values.shape.columns { stored.values.floats[position * stored.values.shape.columns + i] = value }
          check(stored, isSpoiled: { $0 >= spoiled }, isNaN: value.isNaN, "value")
        }
      }
    }
  }

  /// Scores of -infinity weigh nothing, also where a whole block or segment has no other.
  @Test(arguments: variants, types) func scoresMayBeMinusInfinity(_ variant: String, _ type: ElementType) throws {
    let compute = try Self.compute(variant, threads: 2)
    let form = Form(heads: 4, keyHeads: 2, keyDimension: 16, valueDimension: 16)
    for range in [0..<64, 64..<128, 0..<256, 256..<512, 3..<600] {
      var sequence = Sequence(form, count: 620, rows: 4, seed: 80)
      sequence.round(to: type, compute.kernels)
      for i in 0..<sequence.queries.shape.count { sequence.queries.floats[i] = abs(sequence.queries.floats[i]) + 0.1 }
      for position in range {
        for i in 0..<sequence.keys.shape.columns { sequence.keys.floats[position * sequence.keys.shape.columns + i] = -.infinity }
      }
      let (blocks, memory) = sequence.blocks(type, compute)
      let expected = (0..<4).flatMap { sequence.reference(row: $0) }
      for isExact in [true, false] {
        let found = sequence.attention(0..<4, blocks, compute, isExact: isExact)
        #expect(relativeError(found, expected) < Self.bound(compute, type, isExact: isExact), "\(range)")
      }
      withExtendedLifetime(memory) {}
    }
  }

  /// Large scores: the largest comes late, and those before it vanish.
  @Test(arguments: variants) func scoresMayBeLarge(_ variant: String) throws {
    let compute = try Self.compute(variant, threads: 2)
    let form = Form(heads: 2, keyHeads: 1, keyDimension: 32, valueDimension: 32)
    let sequence = Sequence(form, count: 700, rows: 3, seed: 90)
    for i in 0..<sequence.queries.shape.count { sequence.queries.floats[i] *= 100 }
    let (blocks, memory) = sequence.blocks(.float32, compute)
    let found = sequence.attention(0..<3, blocks, compute)
    withExtendedLifetime(memory) {}
    let expected = (0..<3).flatMap { sequence.reference(row: $0) }
    #expect(relativeError(found, expected) < 1e-4)
  }
}
