internal import CSwiftletKernels

extension AttentionOperation {
  /// The way forward by the routine of generation, in its order of additions: keys and values lie in blocks as in its cache. The way back
  /// needs nothing else.
  func forwardAsGenerated(_ tape: Tape) {
    let length = KeyValueBlocks.blockLength, size = keyDimension, width = values.dimension, heads = keyHeadCount
    let type: ElementType = tape.attentionPrecision == .bfloat16 ? .bfloat16 : .float32
    let keyBytes = heads * length * size * type.blockBytes, blockBytes = keyBytes + heads * length * width * type.blockBytes
    let blocks = documents.flatMap { document in
      stride(from: 0, to: document.count, by: length).map {
        (document: document, positions: $0..<min(document.count, $0 + length))
      }
    }
    let buffer = tape.pool.take((blocks.count * blockBytes + 3) / 4), memory = buffer.storage.address
    tape.compute.reserveScratch(length * max(size, width) * 4)
    tape.compute.pool.run(blocks.count) { block, thread in
      let (document, positions) = blocks[block], gathered = tape.compute.scratchFloats(thread)
      let target = memory + block * blockBytes
      for head in 0..<heads {
        gatherKeys(tape, head: head, document, positions, to: gathered)
        store(tape, gathered, positions.count * size, as: type, at: target + head * length * size * type.blockBytes)
        gatherValues(tape, head: head, document, positions, to: gathered)
        store(tape, gathered, positions.count * width, as: type, at: target + keyBytes + head * length * width * type.blockBytes)
      }
    }
    var first = 0
    let sequences = documents.map { document in
      let count = (document.count + length - 1) / length
      defer { first += count }
      let addresses = (first..<first + count).map { memory + $0 * blockBytes }
      return AttentionSequence(
        rows: document.rows, startPosition: document.prefix.count,
        blocks: KeyValueBlocks(
          keys: addresses, values: addresses, valueOffset: keyBytes, type: type, headCount: heads, keyDimension: size,
          valueDimension: width, valueStride: width))
    }
    if let shape = sequences.first?.blocks {
      tape.compute.releasing {
        tape.compute.attention(
          AttentionWork(
            table: tape.kernels.table, queries: tape.floats(queries), heads: headCount, scale: scale, shape: shape,
            result: tape.floats(output), logSums: logSums.floats, logSumStride: rowCount), sequences)
      }
    }
    tape.pool.release(buffer)
  }

  private func store(
    _ tape: Tape, _ source: UnsafePointer<Float>, _ count: Int, as type: ElementType, at target: UnsafeMutableRawPointer
  ) {
    if type == .bfloat16 {
      tape.kernels.table.pointee.store_bf16(source, count, target.assumingMemoryBound(to: UInt16.self))
    } else {
      target.assumingMemoryBound(to: Float.self).update(from: source, count: count)
    }
  }
}
