internal import CSwiftletKernels

/// A loss of a head's logits: its gradient is there as soon as it is.
struct HeadLossOperation {
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

  /// The cross-entropy of a head's logits: the sum over rows with a target, times `scale`. Logits are computed, used for the gradients
  /// and forgotten chunk by chunk.
  /// - Parameters:
  ///   - hidden: `[rows, hidden]`
  ///   - head: one weight, `[vocabulary, hidden]`; the embedding when they are tied.
  ///   - targets: of each row a token, or a negative number for none.
  ///   - scale: one over the number of targets for their mean; it also scales the gradients.
  public func crossEntropy(_ hidden: Value, _ head: LinearWeights, targets: [Int], scale: Float) -> Double {
    measured("headLoss") {
      let vocabulary = head.weights[0].shape.rows, facts = pool.take(2 * targets.count), pairs = facts.floats
      differentiateHead(hidden, head, targets: targets) { row, logits, _ in
        kernels.table.pointee.cross_entropy(logits, vocabulary, targets[row], scale, pairs + 2 * row, pairs + 2 * row + 1)
      }
      var loss = 0.0
      for row in targets.indices where targets[row] >= 0 {
        loss -= logProbability(margin: pairs[2 * row], total: pairs[2 * row + 1])
      }
      pool.release(facts)
      return loss * Double(scale)
    }
  }

  /// Computes the logits of the rows with a target, chunk by chunk, and brings the gradients of a loss of them to the hidden states and
  /// the head.
  /// - Parameters:
  ///   - targets: of each row a token, or a negative number for none.
  ///   - body: puts the gradient of the loss in the place of a row's logits, `[vocabulary]`, and may write as many numbers behind `spare`.
  ///     Runs on all threads, once for every row.
  func differentiateHead(
    _ hidden: Value, _ head: LinearWeights, targets: [Int],
    _ body: (_ row: Int, _ logits: UnsafeMutablePointer<Float>, _ spare: UnsafeMutablePointer<Float>) -> Void
  ) {
    let vocabulary = head.weights[0].shape.rows, size = head.inputs
    let rows = targets.indices.filter { targets[$0] >= 0 }.map { UInt32($0) }
    precondition(targets.count == hidden.shape.rows && targets.allSatisfy { $0 < vocabulary }, "targets of the head")
    let chunkRows = max(Self.rowGrain, min(1008, Self.logitsOfChunk / vocabulary) / Self.rowGrain * Self.rowGrain)
    let logits = pool.take(chunkRows * vocabulary), part = pool.take(chunkRows * size)
    let gradient = recordsGradients ? pool.take(hidden.shape.count) : nil
    if let gradient, rows.count < targets.count { zero(gradient.floats, count: hidden.shape.count) }
    let isEmpty = rows.isEmpty, forward = isEmpty ? nil : head.forwardStrips(products, self)[0]
    let backward = isEmpty || gradient == nil ? nil : head.backwardStrips(products, self)
    rows.withUnsafeBufferPointer { rows in
      for first in stride(from: 0, to: rows.count, by: chunkRows) {
        let count = min(chunkRows, rows.count - first)
        guard let forward, let indices = rows.baseAddress.map({ $0 + first }) else { continue }
        let input = RowSource(floats(hidden), stride: size, length: size, indices: indices)
        multiplyColumns(input, rows: count, forward, output: logits.floats)
        compute.reserveScratch(vocabulary * MemoryLayout<Float>.stride)
        compute.pool.run(count) { row, thread in
          body(Int(indices[row]), logits.floats + row * vocabulary, compute.scratchFloats(thread))
        }
        guard let gradient, let backward else { continue }
        let outputs = RowSource(logits.floats, stride: vocabulary, length: vocabulary)
        multiplyRows(
          [outputs], rows: count, [backward], products: products, outputs: [part.floats])
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
      record(.headLoss(HeadLossOperation(hidden: hidden, gradient: gradient)))
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
