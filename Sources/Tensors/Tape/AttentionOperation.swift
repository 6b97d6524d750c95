internal import CSwiftletKernels

/// Where a head's keys or values stand in the rows of a value.
public struct HeadPart: Sendable {
  public var value: Value
  /// Of the first head in a row.
  public var offset: Int
  /// Floats from one head to the next.
  public var headStride: Int
  /// Floats of a head.
  public var dimension: Int

  public init(_ value: Value, offset: Int = 0, headStride: Int, dimension: Int) {
    self.value = value
    self.offset = offset
    self.headStride = headStride
    self.dimension = dimension
  }
}

/// Rows of which each sees those before it, and before them all rows of the prefix.
struct AttentionDocument {
  let rows: Range<Int>
  /// Rows of another document, which may be the prefix of several; empty for none.
  let prefix: Range<Int>

  /// How many the last row sees.
  var count: Int { prefix.count + rows.count }

  /// The row at a position.
  func row(_ position: Int) -> Int {
    position < prefix.count ? prefix.lowerBound + position : rows.lowerBound + position - prefix.count
  }
}

/// Causal softmax attention inside documents, computed from blocks of queries and keys (FlashAttention-2, Dao 2023): what is kept are
/// results and each row's logarithm of the sum of exponentials, from which the way back makes the weights again.
struct AttentionOperation {
  let queries: Value
  let keys: HeadPart
  /// The last part of every head's key, one for all heads (latent attention).
  let sharedKey: HeadPart?
  let values: HeadPart
  let headCount: Int
  let keyHeadCount: Int
  let documents: [AttentionDocument]
  let scale: Float
  let output: Value
  /// `[heads, rows]`
  let logSums: Buffer

  /// Queries, or keys, of a block.
  static let blockRows = 64
  /// Keys, or queries, that a block is multiplied with in one go; sums over them are added in order.
  static let chunkRows = 512

  var keyDimension: Int { keys.dimension + (sharedKey?.dimension ?? 0) }
  var rowCount: Int { queries.shape.rows }

  func release(_ tape: Tape) { tape.pool.release(logSums) }

  /// Copies the queries of a head, times the scale: `[rows, dimension]`.
  func gatherQueries(_ source: UnsafePointer<Float>, head: Int, _ rows: Range<Int>, to target: UnsafeMutablePointer<Float>) {
    let size = keyDimension, stride = queries.shape.columns
    for (index, row) in rows.enumerated() {
      let from = source + row * stride + head * size, to = target + index * size
      for i in 0..<size { to[i] = from[i] * scale }
    }
  }

  /// Copies the keys of a head at some positions of a document: `[positions, dimension]`.
  func gatherKeys(
    _ tape: Tape, head: Int, _ document: AttentionDocument, _ positions: Range<Int>, to target: UnsafeMutablePointer<Float>
  ) {
    let size = keyDimension, source = tape.floats(keys.value) + keys.offset + head * keys.headStride
    let stride = keys.value.shape.columns
    for (index, position) in positions.enumerated() {
      (target + index * size).update(from: source + document.row(position) * stride, count: keys.dimension)
    }
    guard let sharedKey else { return }
    let shared = tape.floats(sharedKey.value) + sharedKey.offset, sharedStride = sharedKey.value.shape.columns
    for (index, position) in positions.enumerated() {
      (target + index * size + keys.dimension)
        .update(from: shared + document.row(position) * sharedStride, count: sharedKey.dimension)
    }
  }

  /// Copies the values of a head at some positions of a document: `[positions, dimension]`.
  func gatherValues(
    _ tape: Tape, head: Int, _ document: AttentionDocument, _ positions: Range<Int>, to target: UnsafeMutablePointer<Float>
  ) {
    let source = tape.floats(values.value) + values.offset + head * values.headStride, stride = values.value.shape.columns
    for (index, position) in positions.enumerated() {
      (target + index * values.dimension).update(from: source + document.row(position) * stride, count: values.dimension)
    }
  }

  /// Strips of rows, sixteen each.
  static func makeStrips(
    _ products: Products, _ rows: RowSource, count: Int, to target: UnsafeMutableRawPointer
  ) {
    let bytes = products.stripBytes(rows.length)
    for strip in 0..<StripMatrix.stripCount(count) {
      let first = strip * Strips.rows
      products.table.pointee.make_strip(
        products.type, rows.row(first), rows.stride, min(Strips.rows, count - first), rows.length, target + strip * bytes)
    }
  }

  /// Strips of the columns of rows: products with them sum over the rows.
  static func makeColumnStrips(
    _ products: Products, _ rows: RowSource, count: Int, to target: UnsafeMutableRawPointer
  ) {
    let bytes = products.stripBytes(count)
    for strip in 0..<StripMatrix.stripCount(rows.length) {
      let first = strip * Strips.rows
      products.table.pointee.make_strip_transposed(
        products.type, rows.base + first, rows.stride, nil, min(Strips.rows, rows.length - first), count, target + strip * bytes)
    }
  }

  func forward(_ tape: Tape) {
    let longest = documents.map(\.count).max() ?? 0, size = keyDimension, width = values.dimension, products = tape.products
    let block = Self.blockRows, chunk = Self.chunkRows
    let keyStripBytes = StripMatrix.stripCount(longest) * products.stripBytes(size)
    let valueStripBytes = StripMatrix.stripCount(width) * products.stripBytes(chunk)
    let queryBytes = products.rowBytes(size), weightBytes = products.rowBytes(chunk)
    tape.compute.reserveScratch(
      keyStripBytes + valueStripBytes + block * (queryBytes + weightBytes)
        + (longest * size + block * (size + chunk + 2 * width + 2)) * 4 + 1024)
    let source = tape.floats(queries), valueStride = values.value.shape.columns, valueSource = tape.floats(values.value)
    let target = tape.floats(output), targetStride = output.shape.columns
    let group = headCount / keyHeadCount, table = products.table
    tape.compute.pool.run(documents.count * headCount) { piece, thread in
      let document = documents[piece / headCount], rows = document.rows, head = piece % headCount, keyHead = head / group
      var scratch = ScratchCursor(tape.compute.scratchFloats(thread))
      let keyStrips = scratch.bytes(keyStripBytes), valueStrips = scratch.bytes(valueStripBytes)
      let preparedQueries = scratch.bytes(block * queryBytes), preparedWeights = scratch.bytes(block * weightBytes)
      let gathered = scratch.floats(longest * size), blockQueries = scratch.floats(block * size)
      let scores = scratch.floats(block * chunk), sums = scratch.floats(block * width), part = scratch.floats(block * width)
      let maximums = scratch.floats(block), totals = scratch.floats(block)
      gatherKeys(tape, head: keyHead, document, 0..<rows.count, to: gathered)
      Self.makeStrips(products, RowSource(gathered, stride: size, length: size), count: rows.count, to: keyStrips)
      for first in stride(from: 0, to: rows.count, by: block) {
        let count = min(block, rows.count - first), start = rows.lowerBound + first
        gatherQueries(source, head: head, start..<start + count, to: blockQueries)
        products.prepare(
          RowSource(blockQueries, stride: size, length: size), rows: 0..<count, into: preparedQueries, rowBytes: queryBytes)
        maximums.update(repeating: -.infinity, count: count)
        totals.update(repeating: 0, count: count)
        for key in stride(from: 0, to: first + count, by: chunk) {
          let keyCount = min(chunk, first + count - key)
          table.pointee.strips_product(
            products.type, keyStrips + key / Strips.rows * products.stripBytes(size), keyCount, preparedQueries, queryBytes,
            count,
            size, scores, keyCount)
          for row in 0..<count {
            let factor = table.pointee.attention_weights(
              scores + row * keyCount, min(keyCount, first + row + 1 - key), keyCount, maximums + row, totals + row)
            table.pointee.prepare_input(products.type, scores + row * keyCount, keyCount, preparedWeights + row * weightBytes)
            if key > 0 { for i in 0..<width { sums[row * width + i] *= factor } }
          }
          Self.makeColumnStrips(
            products,
            RowSource(
              valueSource + (rows.lowerBound + key) * valueStride + values.offset + keyHead * values.headStride,
              stride: valueStride, length: width), count: keyCount, to: valueStrips)
          table.pointee.strips_product(
            products.type, valueStrips, width, preparedWeights, weightBytes, count, keyCount, key == 0 ? sums : part, width)
          if key > 0 { table.pointee.add_scaled(part, 1, count * width, sums) }
        }
        for row in 0..<count {
          let inverse = 1 / totals[row], to = target + (start + row) * targetStride + head * width
          for i in 0..<width { to[i] = sums[row * width + i] * inverse }
          logSums.floats[head * rowCount + start + row] = maximums[row] + naturalLogarithm(totals[row])
        }
      }
    }
  }
}

extension Tape {
  /// Causal attention inside documents. Query heads are shared evenly among key heads.
  /// - Parameters:
  ///   - queries: `[rows, heads * keyDimension]`
  ///   - keys: of each key head; with a shared key the part before it.
  ///   - sharedKey: the last part of the key of every head.
  ///   - values: of each key head.
  ///   - documents: ranges of rows, which together are all of them; rows see those before them in their document.
  ///   - prefixes: of every document the rows of another one that its rows see too, as if they stood before it; ranges are empty for none,
  ///     and no ranges are none for all. Only on a tape that `matchesGeneration`.
  ///   - scale: what the dot products are multiplied with.
  /// - Returns: `[rows, heads * valueDimension]`
  public func attention(
    _ queries: Value, keys: HeadPart, sharedKey: HeadPart? = nil, values: HeadPart, headCount: Int, keyHeadCount: Int,
    documents: [Range<Int>], prefixes: [Range<Int>] = [], scale: Float
  ) -> Value {
    let rows = queries.shape.rows
    precondition(
      prefixes.isEmpty || matchesGeneration && prefixes.count == documents.count, "attention: \(prefixes.count) prefixes")
    precondition(
      prefixes.allSatisfy { prefix in
        prefix.isEmpty
          || zip(documents, prefixes).contains {
            $1.isEmpty && $0.lowerBound <= prefix.lowerBound && prefix.upperBound <= $0.upperBound
          }
      }, "attention: a prefix is rows of a document without one")
    precondition(
      documents.reduce(0) { $0 + $1.count } == rows && headCount % keyHeadCount == 0
        && queries.shape.columns == headCount * (keys.dimension + (sharedKey?.dimension ?? 0)), "attention: \(queries.shape)")
    return measured("attention") {
      let operation = AttentionOperation(
        queries: queries, keys: keys, sharedKey: sharedKey, values: values, headCount: headCount, keyHeadCount: keyHeadCount,
        documents: documents.indices.map {
          AttentionDocument(rows: documents[$0], prefix: prefixes.isEmpty ? 0..<0 : prefixes[$0])
        }, scale: scale, output: makeValue(Shape(rows, headCount * values.dimension)),
        logSums: pool.take(headCount * rows))
      if matchesGeneration { operation.forwardAsGenerated(self) } else { operation.forward(self) }
      record(.attention(operation))
      return operation.output
    }
  }
}
