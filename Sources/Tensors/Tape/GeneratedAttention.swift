internal import CSwiftletKernels

extension AttentionOperation {
  /// The way forward by the routine of generation, in its order of additions: keys and values lie in blocks as in its cache. The way back
  /// needs nothing else.
  func forwardAsGenerated(_ tape: Tape) {
    let length = KeyValueBlocks.blockLength, size = keyDimension, width = values.dimension, heads = keyHeadCount
    let keyFloats = heads * length * size, blockFloats = keyFloats + heads * length * width
    let blocks = documents.flatMap { document in
      stride(from: document.lowerBound, to: document.upperBound, by: length).map { $0..<min(document.upperBound, $0 + length) }
    }
    let buffer = tape.pool.take(blocks.count * blockFloats)
    tape.compute.pool.run(blocks.count) { block, _ in
      let target = buffer.floats + block * blockFloats
      for head in 0..<heads {
        gatherKeys(tape, head: head, blocks[block], to: target + head * length * size)
        gatherValues(tape, head: head, blocks[block], to: target + keyFloats + head * length * width)
      }
    }
    var first = 0
    let sequences = documents.map { document in
      let count = (document.count + length - 1) / length
      defer { first += count }
      let addresses = (first..<first + count).map { UnsafeMutableRawPointer(buffer.floats + $0 * blockFloats) }
      return AttentionSequence(
        rows: document, startPosition: 0,
        blocks: KeyValueBlocks(
          keys: addresses, values: addresses, valueOffset: keyFloats * 4, type: .float32, headCount: heads, keyDimension: size,
          valueDimension: width, valueStride: width))
    }
    if let shape = sequences.first?.blocks {
      tape.compute.releasing {
        tape.compute.attention(
          AttentionWork(
            table: tape.kernels.table, queries: tape.floats(queries), heads: headCount, scale: scale, sequences: sequences,
            shape: shape, result: tape.floats(output), logSums: logSums.floats, logSumStride: rowCount))
      }
    }
    tape.pool.release(buffer)
  }

  /// Copies the values of a head: `[rows, dimension]`.
  private func gatherValues(_ tape: Tape, head: Int, _ rows: Range<Int>, to target: UnsafeMutablePointer<Float>) {
    let source = tape.floats(values.value) + values.offset + head * values.headStride, stride = values.value.shape.columns
    for (index, row) in rows.enumerated() {
      (target + index * values.dimension).update(from: source + row * stride, count: values.dimension)
    }
  }
}
