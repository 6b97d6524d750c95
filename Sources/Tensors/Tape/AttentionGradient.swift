internal import CSwiftletKernels

extension AttentionOperation {
  /// A piece of work is a key head of a document: it writes the gradients of its own keys and values and of its query heads alone. What
  /// prefixes get from it is added afterwards, document after document.
  func backward(_ tape: Tape) -> Int {
    defer { release(tape) }
    guard tape.gradient(output) != nil else { return output.index }
    let queryGradient = tape.takeGradient(queries), keyGradient = tape.takeGradient(keys.value)
    let isJoint = keys.value.index == values.value.index
    let valueGradient = isJoint ? keyGradient : tape.takeGradient(values.value)
    let shared = sharedKey?.dimension ?? 0
    let sharedGradient = tape.pool.take(max(1, rowCount * keyHeadCount * shared))
    var prefixStarts: [Int] = [], prefixRows = 0
    for document in documents {
      prefixStarts.append(prefixRows)
      prefixRows += document.prefix.count
    }
    let prefixSize = keyHeadCount * (keyDimension + values.dimension)
    let prefixGradient = tape.pool.take(max(1, prefixRows * prefixSize))
    let targets = Targets(
      queries: queryGradient.floats, keys: keyGradient.floats, values: valueGradient.floats, shared: sharedGradient.floats)

    let longest = documents.map(\.count).max() ?? 0
    let layout = ScratchLayout(self, longest: longest, products: tape.products)
    tape.compute.reserveScratch(layout.byteCount)
    tape.compute.pool.run(documents.count * keyHeadCount) { piece, thread in
      let document = documents[piece / keyHeadCount], keyHead = piece % keyHeadCount
      var work = Work(self, tape, layout, document, keyHead: keyHead, scratch: tape.compute.scratchFloats(thread))
      for head in keyHead * (headCount / keyHeadCount)..<(keyHead + 1) * (headCount / keyHeadCount) {
        work.addGradients(head: head, isFirst: head % (headCount / keyHeadCount) == 0, targets)
      }
      work.store(targets, prefix: prefixGradient.floats + prefixStarts[piece / keyHeadCount] * prefixSize)
    }
    if prefixRows > 0 {
      tape.compute.pool.run(keyHeadCount) { head, _ in
        for (document, start) in zip(documents, prefixStarts) {
          addPrefix(tape, document.prefix, keyHead: head, prefixGradient.floats + start * prefixSize, to: targets)
        }
      }
    }
    tape.pool.release(prefixGradient)

    tape.give(queryGradient, to: queries)
    tape.give(keyGradient, to: keys.value)
    if !isJoint { tape.give(valueGradient, to: values.value) }
    if let sharedKey {
      let target = tape.gradientToAdd(sharedKey.value), stride = sharedKey.value.shape.columns, table = tape.kernels.table
      tape.compute.forRows(rowCount, costPerRow: keyHeadCount * shared) { range in
        for row in range {
          for head in 0..<keyHeadCount {
            table.pointee.add_scaled(
              sharedGradient.floats + (row * keyHeadCount + head) * shared, 1, shared, target + row * stride + sharedKey.offset)
          }
        }
      }
    }
    tape.pool.release(sharedGradient)
    return output.index
  }

  /// Adds what a document's work brought for a key head of its prefix: of all heads in turn the keys of all rows, then their values.
  private func addPrefix(_ tape: Tape, _ rows: Range<Int>, keyHead: Int, _ source: UnsafePointer<Float>, to targets: Targets) {
    let size = keyDimension, width = values.dimension, table = tape.kernels.table, shared = sharedKey?.dimension ?? 0
    let keySource = source + keyHead * rows.count * (size + width), valueSource = keySource + rows.count * size
    for (index, row) in rows.enumerated() {
      table.pointee.add_scaled(
        keySource + index * size, 1, keys.dimension,
        targets.keys + row * keys.value.shape.columns + keys.offset + keyHead * keys.headStride)
      table.pointee.add_scaled(
        valueSource + index * width, 1, width,
        targets.values + row * values.value.shape.columns + values.offset + keyHead * values.headStride)
      if shared > 0 {
        table.pointee.add_scaled(
          keySource + index * size + keys.dimension, 1, shared, targets.shared + (row * keyHeadCount + keyHead) * shared)
      }
    }
  }

  struct Targets {
    let queries: UnsafeMutablePointer<Float>
    let keys: UnsafeMutablePointer<Float>
    let values: UnsafeMutablePointer<Float>
    /// `[rows, key heads, shared]`
    let shared: UnsafeMutablePointer<Float>
  }

  struct ScratchLayout {
    let longest: Int
    let queryStripBytes: Int
    let gradientStripBytes: Int
    let columnStripBytes: Int
    let keyStripBytes: Int
    let keyRowBytes: Int
    let valueRowBytes: Int
    let chunkRowBytes: Int
    let blockRowBytes: Int
    let byteCount: Int

    init(_ operation: AttentionOperation, longest: Int, products: Products) {
      let size = operation.keyDimension, width = operation.values.dimension, block = AttentionOperation.blockRows
      let chunk = AttentionOperation.chunkRows
      self.longest = longest
      queryStripBytes = StripMatrix.stripCount(longest) * products.stripBytes(size)
      gradientStripBytes = StripMatrix.stripCount(longest) * products.stripBytes(width)
      columnStripBytes = StripMatrix.stripCount(max(size, width)) * products.stripBytes(chunk)
      keyStripBytes = StripMatrix.stripCount(size) * products.stripBytes(block)
      keyRowBytes = products.rowBytes(size)
      valueRowBytes = products.rowBytes(width)
      chunkRowBytes = products.rowBytes(chunk)
      blockRowBytes = products.rowBytes(block)
      byteCount =
        queryStripBytes + gradientStripBytes + columnStripBytes + keyStripBytes
        + block * (keyRowBytes + valueRowBytes + chunkRowBytes) + chunk * blockRowBytes
        + (longest * (4 * size + 2 * width + 1) + 2 * block * chunk + max(block, chunk) * max(size, width)) * 4 + 2048
    }
  }

  /// What one thread has while it works on a key head of a document.
  struct Work {
    let operation: AttentionOperation
    let tape: Tape
    let products: Products
    let layout: ScratchLayout
    let document: AttentionDocument
    let keyHead: Int
    let queryStrips: UnsafeMutableRawPointer
    let gradientStrips: UnsafeMutableRawPointer
    let columnStrips: UnsafeMutableRawPointer
    let keyStrips: UnsafeMutableRawPointer
    let keyRows: UnsafeMutableRawPointer
    let valueRows: UnsafeMutableRawPointer
    let chunkRows: UnsafeMutableRawPointer
    let blockRows: UnsafeMutableRawPointer
    let queries: UnsafeMutablePointer<Float>
    let keys: UnsafeMutablePointer<Float>
    let queryGradients: UnsafeMutablePointer<Float>
    let keyGradients: UnsafeMutablePointer<Float>
    let valueGradients: UnsafeMutablePointer<Float>
    let values: UnsafeMutablePointer<Float>
    let shares: UnsafeMutablePointer<Float>
    let scores: UnsafeMutablePointer<Float>
    let scoreGradients: UnsafeMutablePointer<Float>
    let part: UnsafeMutablePointer<Float>

    init(
      _ operation: AttentionOperation, _ tape: Tape, _ layout: ScratchLayout, _ document: AttentionDocument, keyHead: Int,
      scratch start: UnsafeMutablePointer<Float>
    ) {
      let size = operation.keyDimension, width = operation.values.dimension, block = AttentionOperation.blockRows
      let chunk = AttentionOperation.chunkRows, longest = layout.longest
      self.operation = operation
      self.tape = tape
      self.layout = layout
      self.document = document
      self.keyHead = keyHead
      products = tape.products
      var scratch = ScratchCursor(start)
      queryStrips = scratch.bytes(layout.queryStripBytes)
      gradientStrips = scratch.bytes(layout.gradientStripBytes)
      columnStrips = scratch.bytes(layout.columnStripBytes)
      keyStrips = scratch.bytes(layout.keyStripBytes)
      keyRows = scratch.bytes(block * layout.keyRowBytes)
      valueRows = scratch.bytes(block * layout.valueRowBytes)
      chunkRows = scratch.bytes(block * layout.chunkRowBytes)
      blockRows = scratch.bytes(chunk * layout.blockRowBytes)
      queries = scratch.floats(longest * size)
      keys = scratch.floats(longest * size)
      queryGradients = scratch.floats(longest * size)
      keyGradients = scratch.floats(longest * size)
      valueGradients = scratch.floats(longest * width)
      values = scratch.floats(longest * width)
      shares = scratch.floats(longest)
      scores = scratch.floats(block * chunk)
      scoreGradients = scratch.floats(block * chunk)
      part = scratch.floats(max(block, chunk) * max(size, width))
    }

    mutating func addGradients(head: Int, isFirst: Bool, _ targets: Targets) {
      let size = operation.keyDimension, width = operation.values.dimension, rows = document.rows, count = rows.count
      let table = products.table, keyCount = document.count
      let outputStride = operation.output.shape.columns, outputStart = rows.lowerBound * outputStride + head * width
      guard let allGradients = tape.gradient(operation.output) else { return }
      let outputs = tape.floats(operation.output) + outputStart, gradients = allGradients + outputStart
      let logSums = operation.logSums.floats + head * operation.rowCount + rows.lowerBound
      if isFirst {
        operation.gatherKeys(tape, head: keyHead, document, 0..<keyCount, to: keys)
        operation.gatherValues(tape, head: keyHead, document, 0..<keyCount, to: values)
        keyGradients.update(repeating: 0, count: keyCount * size)
        valueGradients.update(repeating: 0, count: keyCount * width)
      }
      operation.gatherQueries(tape.floats(operation.queries), head: head, rows, to: queries)
      queryGradients.update(repeating: 0, count: count * size)
      for row in 0..<count {
        shares[row] = Float(table.pointee.sum_of_products(gradients + row * outputStride, outputs + row * outputStride, width))
      }
      let gradientRows = RowSource(gradients, stride: outputStride, length: width)
      AttentionOperation.makeStrips(products, RowSource(queries, stride: size, length: size), count: count, to: queryStrips)
      AttentionOperation.makeStrips(products, gradientRows, count: count, to: gradientStrips)
      for first in stride(from: 0, to: keyCount, by: AttentionOperation.blockRows) {
        addBlock(first..<min(keyCount, first + AttentionOperation.blockRows), gradientRows, logSums)
      }
      let queryStride = operation.queries.shape.columns
      for row in 0..<count {
        let to = targets.queries + (rows.lowerBound + row) * queryStride + head * size, from = queryGradients + row * size
        for i in 0..<size { to[i] = from[i] * operation.scale }
      }
    }

    /// A block of keys against all queries that see some of it.
    private func addBlock(_ block: Range<Int>, _ gradients: RowSource, _ logSums: UnsafePointer<Float>) {
      let size = operation.keyDimension, width = operation.values.dimension, table = products.table, type = products.type
      let keyRow = RowSource(keys, stride: size, length: size), values = RowSource(values, stride: width, length: width)
      let queryCount = document.rows.count, prefix = document.prefix.count
      products.prepare(keyRow, rows: block, into: keyRows, rowBytes: layout.keyRowBytes)
      products.prepare(values, rows: block, into: valueRows, rowBytes: layout.valueRowBytes)
      AttentionOperation.makeColumnStrips(products, keyRow.from(block.lowerBound), count: block.count, to: keyStrips)
      // From a whole strip on.
      let firstQuery = max(0, block.lowerBound - prefix) / Strips.rows * Strips.rows
      for first in stride(from: firstQuery, to: queryCount, by: AttentionOperation.chunkRows) {
        let count = min(AttentionOperation.chunkRows, queryCount - first), strip = first / Strips.rows
        // Scores and gradients of weights, `[keys, queries]`.
        table.pointee.strips_product(
          type, queryStrips + strip * products.stripBytes(size), count, keyRows, layout.keyRowBytes, block.count, size, scores,
          count)
        table.pointee.strips_product(
          type, gradientStrips + strip * products.stripBytes(width), count, valueRows, layout.valueRowBytes, block.count, width,
          scoreGradients, count)
        for row in 0..<block.count {
          table.pointee.attention_gradient(
            scores + row * count, scoreGradients + row * count, logSums + first, shares + first,
            min(count, max(0, block.lowerBound + row - prefix - first)), count)
        }
        // values' += weightsᵀ · output', keys' += scores'ᵀ · queries
        addProduct(
          of: scores, rows: block.count, with: gradients.from(first), count: count,
          to: valueGradients + block.lowerBound * width)
        addProduct(
          of: scoreGradients, rows: block.count, with: RowSource(queries + first * size, stride: size, length: size),
          count: count,
          to: keyGradients + block.lowerBound * size)
        // queries' += scores' · keys
        table.pointee.prepare_transposed(
          type, scoreGradients, count, nil, count, block.count, blockRows, layout.blockRowBytes)
        table.pointee.strips_product(
          type, keyStrips, size, blockRows, layout.blockRowBytes, count, block.count, part, size)
        table.pointee.add_scaled(part, 1, count * size, queryGradients + first * size)
      }
    }

    /// `target += matrix · rows`, matrix `[rows, count]`.
    private func addProduct(
      of matrix: UnsafePointer<Float>, rows: Int, with source: RowSource, count: Int, to target: UnsafeMutablePointer<Float>
    ) {
      products.prepare(
        RowSource(matrix, stride: count, length: count), rows: 0..<rows, into: chunkRows, rowBytes: layout.chunkRowBytes)
      AttentionOperation.makeColumnStrips(products, source, count: count, to: columnStrips)
      products.table.pointee.strips_product(
        products.type, columnStrips, source.length, chunkRows, layout.chunkRowBytes, rows, count, part, source.length)
      products.table.pointee.add_scaled(part, 1, rows * source.length, target)
    }

    /// - Parameter prefix: where the gradients of the prefix's keys and values go, of all heads in turn.
    func store(_ targets: Targets, prefix: UnsafeMutablePointer<Float>) {
      let size = operation.keyDimension, width = operation.values.dimension
      let keyPart = operation.keys, valuePart = operation.values
      let shared = operation.sharedKey?.dimension ?? 0, before = document.prefix.count
      let prefixKeys = prefix + keyHead * before * (size + width)
      prefixKeys.update(from: keyGradients, count: before * size)
      (prefixKeys + before * size).update(from: valueGradients, count: before * width)
      for (index, row) in zip(before..., document.rows) {
        (targets.keys + row * keyPart.value.shape.columns + keyPart.offset + keyHead * keyPart.headStride)
          .update(from: keyGradients + index * size, count: keyPart.dimension)
        (targets.values + row * valuePart.value.shape.columns + valuePart.offset + keyHead * valuePart.headStride)
          .update(from: valueGradients + index * width, count: width)
        if shared > 0 {
          (targets.shared + (row * operation.keyHeadCount + keyHead) * shared)
            .update(from: keyGradients + index * size + keyPart.dimension, count: shared)
        }
      }
    }
  }
}
