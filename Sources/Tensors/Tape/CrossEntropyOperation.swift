internal import CSwiftletKernels

/// A loss of logits: its gradient was computed with it, row by row.
struct CrossEntropyOperation {
  let hidden: Value
  let gradient: Buffer

  func release(_ tape: Tape) { tape.pool.release(gradient) }

  func backward(_ tape: Tape) -> Int {
    tape.give(gradient, to: hidden)
    return .max
  }
}

extension Tape {
  /// Logits that are held at once.
  private static let logitsOfChunk = 4 << 20

  /// The cross-entropy of a head's logits: the sum over rows with a target, times `scale`.
  /// - Parameters:
  ///   - hidden: `[rows, hidden]`
  ///   - head: one weight, `[vocabulary, hidden]`; the embedding when they are tied.
  ///   - targets: of each row a token, or a negative number for none.
  ///   - scale: one over the number of targets for their mean; it also scales the gradients.
  public func crossEntropy(_ hidden: Value, _ head: LinearWeights, targets: [Int], scale: Float) -> Double {
    measured("crossEntropy") {
      let vocabulary = head.weights[0].shape.rows
      precondition(targets.count == hidden.shape.rows && targets.allSatisfy { $0 < vocabulary }, "crossEntropy: targets")
      let rows = targets.indices.filter { targets[$0] >= 0 }.map { UInt32($0) }, facts = pool.take(2 * max(1, rows.count))
      defer { pool.release(facts) }
      throughHead(hidden, head, rows: rows) { logits, _, place in
        kernels.table.pointee.cross_entropy(
          logits, vocabulary, targets[Int(rows[place])], scale, facts.floats + 2 * place, facts.floats + 2 * place + 1)
      }
      return rows.indices.reduce(0.0) {
        $0 + Double(facts.floats[2 * $1]) + naturalLogarithm(Double(facts.floats[2 * $1 + 1]))
      } * Double(scale)
    }
  }

  /// Computes the logits of some rows, has a loss put their gradient in their place, and brings it to head and hidden states: some rows at
  /// a time, so that the logits of all are never there at once.
  /// - Parameters:
  ///   - rows: of `hidden`, ascending.
  ///   - loss: gets a row's logits, as much memory to use, and the row's place in `rows`; called by several threads. What it leaves in the
  ///     logits is the loss's gradient by them, where the tape records gradients.
  func throughHead(
    _ hidden: Value, _ head: LinearWeights, rows: [UInt32],
    _ loss: (_ logits: UnsafeMutablePointer<Float>, _ scratch: UnsafeMutablePointer<Float>, _ place: Int) -> Void
  ) {
    let vocabulary = head.weights[0].shape.rows, size = head.inputs
    let chunkRows = max(Self.rowGrain, min(1008, Self.logitsOfChunk / vocabulary) / Self.rowGrain * Self.rowGrain)
    let logits = pool.take(chunkRows * vocabulary), part = pool.take(chunkRows * size)
    let gradient = recordsGradients ? pool.take(hidden.shape.count) : nil
    if let gradient, rows.count < hidden.shape.rows { zero(gradient.floats, count: hidden.shape.count) }
    let isEmpty = rows.isEmpty, forward = isEmpty ? nil : head.forwardStrips(products, self)[0]
    let backward = isEmpty || gradient == nil ? nil : head.backwardStrips(products, self)
    rows.withUnsafeBufferPointer { rows in
      for first in stride(from: 0, to: rows.count, by: chunkRows) {
        let count = min(chunkRows, rows.count - first)
        guard let forward, let indices = rows.baseAddress.map({ $0 + first }) else { continue }
        let input = RowSource(floats(hidden), stride: size, length: size, indices: indices)
        multiplyColumns(input, rows: count, forward, output: logits.floats)
        compute.reserveScratch(vocabulary * 4)
        compute.pool.run(count) { row, thread in
          loss(logits.floats + row * vocabulary, compute.scratchFloats(thread), first + row)
        }
        guard let gradient, let backward else { continue }
        let outputs = RowSource(logits.floats, stride: vocabulary, length: vocabulary)
        multiplyRows([outputs], rows: count, [backward], products: products, outputs: [part.floats])
        for row in 0..<count {
          (gradient.floats + Int(indices[row]) * size).update(from: part.floats + row * size, count: size)
        }
        if head.weights[0].isTrainable {
          addGradients(
            [
              GradientProduct(
                parts: [.init(outputs: outputs, target: head.weights[0].gradient.floats)], inputs: input, count: count)
            ],
            products: products)
        }
      }
    }
    for buffer in [logits, part] { pool.release(buffer) }
    if let gradient {
      record(.crossEntropy(CrossEntropyOperation(hidden: hidden, gradient: gradient)))
    }
  }

  /// Rows times a matrix of many columns, of which each piece takes some.
  private func multiplyColumns(_ source: RowSource, rows: Int, _ strips: StripMatrix, output: UnsafeMutablePointer<Float>) {
    let columnsOfPiece = 1024, height = Self.rowsOfPiece, products = products, rowBytes = products.rowBytes(source.length)
    let across = (strips.columns + columnsOfPiece - 1) / columnsOfPiece, down = (rows + height - 1) / height
    compute.reserveScratch(height * rowBytes)
    compute.pool.run(across * down) { piece, thread in
      let first = piece / across * height, count = min(height, rows - first), column = piece % across * columnsOfPiece
      let prepared = UnsafeMutableRawPointer(compute.scratchFloats(thread))
      products.prepare(source, rows: first..<first + count, into: prepared, rowBytes: rowBytes)
      products.table.pointee.strips_product(
        products.type, strips.address(column: column), min(columnsOfPiece, strips.columns - column), prepared, rowBytes, count,
        source.length, output + first * strips.columns + column, strips.columns)
    }
  }
}
