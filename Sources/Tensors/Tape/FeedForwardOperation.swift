internal import CSwiftletKernels

/// `down(silu(gate(x)) * up(x))`
public struct FeedForwardWeights {
  /// Gate and up, `[size, hidden]` each.
  let gateUp: LinearWeights
  /// `[hidden, size]`
  let down: LinearWeights

  /// - Parameters:
  ///   - gateUp: gate and up. Biases are for layers that see every row.
  ///   - down: one weight.
  public init(gateUp: LinearWeights, down: LinearWeights) {
    self.gateUp = gateUp
    self.down = down
  }

  var size: Int { gateUp.weights[0].shape.rows }
  /// Whether any of its parts is; gradients of the others are not gathered.
  var isTrainable: Bool { (gateUp.weights + down.weights).contains(where: \.isTrainable) }
}

/// One feed-forward layer for all rows, or several experts with the rows that chose them. A piece of rows goes through all three products
/// while it is in the cache; gate and up are kept, the rest is computed again on the way back.
struct FeedForwardOperation {
  let input: Value
  let experts: [FeedForwardWeights]
  /// nil for one layer that sees every row.
  let routing: Routing?
  /// `[rows, expertsPerToken]`
  let weights: Value?
  let output: Value
  /// `[places, size]`: for each expert the rows that chose it.
  let gate: Buffer
  let up: Buffer

  struct Piece {
    let expert: Int
    /// Among the places.
    let rows: Range<Int>
  }

  var placeCount: Int { routing?.rows.count ?? input.shape.rows }
  private var hidden: Int { input.shape.columns }
  private var size: Int { experts[0].size }

  func release(_ tape: Tape) {
    tape.pool.release(gate)
    tape.pool.release(up)
  }

  func placeRange(_ expert: Int) -> Range<Int> {
    routing.map { $0.offsets[expert]..<$0.offsets[expert + 1] } ?? 0..<input.shape.rows
  }

  /// Rows of experts, at most as many as a piece may have.
  private func makePieces(_ tape: Tape, _ segments: [Piece]) -> [Piece] {
    // The activations of a piece are to stay in the cache.
    let rows = segments.reduce(0) { $0 + $1.rows.count }
    let limit = max(Tape.rowGrain, min(tape.pieceRows(rows), (1 << 20) / (4 * size) / Tape.rowGrain * Tape.rowGrain))
    return segments.flatMap { segment in
      stride(from: segment.rows.lowerBound, to: segment.rows.upperBound, by: limit).map {
        Piece(expert: segment.expert, rows: $0..<min(segment.rows.upperBound, $0 + limit))
      }
    }
  }

  /// All rows of each expert.
  private var segments: [Piece] { experts.indices.map { Piece(expert: $0, rows: placeRange($0)) } }

  private var rowsOfBunch: Int { max(1, (12 << 20) / (12 * size) / Tape.rowsOfSum) * Tape.rowsOfSum }

  /// All rows again, a bunch at a time whose gradients stay in the last-level cache until the weights' are made of them. An expert is
  /// parted where sums over rows are.
  private func makeBunches() -> [[Piece]] {
    let limit = rowsOfBunch
    var bunches: [[Piece]] = [], count = limit
    for segment in segments {
      for first in stride(from: segment.rows.lowerBound, to: segment.rows.upperBound, by: limit) {
        let rows = first..<min(segment.rows.upperBound, first + limit)
        if count + rows.count > limit {
          bunches.append([])
          count = 0
        }
        bunches[bunches.count - 1].append(Piece(expert: segment.expert, rows: rows))
        count += rows.count
      }
    }
    return bunches
  }

  private func withRows<Result>(_ body: (UnsafePointer<UInt32>?) -> Result) -> Result {
    guard let routing else { return body(nil) }
    return routing.rows.withUnsafeBufferPointer { body($0.baseAddress) }
  }

  func forward(_ tape: Tape) {
    let products = tape.linearProducts, table = products.table, hidden = hidden, size = size, pieces = makePieces(tape, segments)
    let height = pieces.map(\.rows.count).max() ?? 0
    let inputBytes = products.rowBytes(hidden), activationBytes = products.rowBytes(size)
    tape.compute.reserveScratch(height * (inputBytes + activationBytes + size * 4) + 256)
    let used = Set(pieces.map(\.expert))
    let gateUp = experts.indices.map { used.contains($0) ? experts[$0].gateUp.forwardStrips(products, tape) : [] }
    let down = experts.indices.map { used.contains($0) ? experts[$0].down.forwardStrips(products, tape) : [] }
    let outputs = routing == nil ? nil : tape.pool.take(placeCount * hidden)
    let target = outputs?.floats ?? tape.floats(output), source = tape.floats(input)
    withRows { indices in
      let input = RowSource(source, stride: hidden, length: hidden, indices: indices)
      tape.compute.pool.run(pieces.count) { index, thread in
        let piece = pieces[index], rows = piece.rows, first = rows.lowerBound
        var scratch = ScratchCursor(tape.compute.scratchFloats(thread))
        let prepared = scratch.bytes(height * inputBytes), preparedActivations = scratch.bytes(height * activationBytes)
        let activations = scratch.floats(height * size)
        products.prepare(input, rows: rows, into: prepared, rowBytes: inputBytes)
        for (part, values) in [gate, up].enumerated() {
          let output = values.floats + first * size
          products.multiply(
            prepared, rowBytes: inputBytes, rowCount: rows.count, gateUp[piece.expert][part], output: output, stride: size)
          add(experts[piece.expert].gateUp.biases[part], to: output, rows: rows.count, table)
        }
        table.pointee.swiglu(gate.floats + first * size, up.floats + first * size, rows.count * size, activations)
        products.prepare(
          RowSource(activations, stride: size, length: size), rows: 0..<rows.count, into: preparedActivations,
          rowBytes: activationBytes)
        products.multiply(
          preparedActivations, rowBytes: activationBytes, rowCount: rows.count, down[piece.expert][0],
          output: target + first * hidden, stride: hidden)
        add(experts[piece.expert].down.biases[0], to: target + first * hidden, rows: rows.count, table)
      }
    }
    guard let outputs, let routing, let weights else { return }
    let perToken = weights.shape.columns, sums = tape.floats(output), factors = tape.floats(weights)
    routing.places.withUnsafeBufferPointer { places in
      tape.compute.forRows(input.shape.rows, costPerRow: perToken * hidden) { range in
        for row in range {
          (sums + row * hidden).update(repeating: 0, count: hidden)
          for choice in row * perToken..<(row + 1) * perToken {
            table.pointee.add_scaled(
              outputs.floats + Int(places[choice]) * hidden, factors[choice], hidden, sums + row * hidden)
          }
        }
      }
    }
    tape.pool.release(outputs)
  }

  private func add(
    _ bias: Parameter?, to target: UnsafeMutablePointer<Float>, rows: Int, _ table: UnsafePointer<swiftlet_kernels>
  ) {
    guard let bias else { return }
    let count = bias.shape.count
    for row in 0..<rows { table.pointee.add_scaled(bias.value.floats, 1, count, target + row * count) }
  }

  func backward(_ tape: Tape) -> Int {
    defer { release(tape) }
    guard let gradient = tape.gradient(output) else { return output.index }
    let hidden = hidden, bunches = makeBunches(), table = tape.kernels.table
    // Of one size, whatever was chosen, so that it is used again.
    let activations = tape.pool.take(min(rowsOfBunch, placeCount) * size)
    let (inputTarget, isNew) = tape.gradientTarget(input)
    let placeGradients = routing == nil ? nil : tape.pool.take(placeCount * hidden)
    let weightGradients = weights.map { tape.takeGradient($0) }
    withRows { indices in
      let outputRows = RowSource(gradient, stride: hidden, length: hidden, indices: indices)
      let inputRows = RowSource(tape.floats(input), stride: hidden, length: hidden, indices: indices)
      for bunch in bunches {
        // The activations of place p stand at row p less this.
        let shift = bunch[0].rows.lowerBound
        run(
          tape, makePieces(tape, bunch), outputRows, activations: activations.floats - shift * size,
          inputGradients: placeGradients?.floats ?? inputTarget, adds: placeGradients == nil && !isNew,
          weightGradients: weightGradients?.floats)
        for segment in bunch where experts[segment.expert].isTrainable { addBiasGradients(tape, segment, outputRows) }
        tape.addGradients(
          bunch.filter { experts[$0.expert].isTrainable }.flatMap {
            gradientProducts($0, outputRows, inputRows, activations: activations.floats - shift * size)
          }, products: tape.linearProducts)
      }
    }
    tape.pool.release(activations)
    guard let routing, let weights, let weightGradients, let placeGradients else { return output.index }
    tape.give(weightGradients, to: weights)
    let perToken = weights.shape.columns, source = placeGradients.floats
    routing.places.withUnsafeBufferPointer { places in
      tape.compute.forRows(input.shape.rows, costPerRow: perToken * hidden) { range in
        for row in range {
          let target = inputTarget + row * hidden
          if isNew { target.update(repeating: 0, count: hidden) }
          for choice in row * perToken..<(row + 1) * perToken {
            table.pointee.add_scaled(source + Int(places[choice]) * hidden, 1, hidden, target)
          }
        }
      }
    }
    tape.pool.release(placeGradients)
    return output.index
  }

  /// The gradients of an expert's weights from some of its rows.
  private func gradientProducts(
    _ segment: Piece, _ outputRows: RowSource, _ inputRows: RowSource, activations: UnsafeMutablePointer<Float>
  ) -> [GradientProduct] {
    let expert = experts[segment.expert], first = segment.rows.lowerBound, count = segment.rows.count
    return [
      GradientProduct(
        parts: zip([gate, up], expert.gateUp.weights).compactMap { values, weight -> GradientProduct.Part? in
          guard weight.isTrainable else { return nil }
          return GradientProduct.Part(
            outputs: RowSource(UnsafePointer(values.floats) + first * size, stride: size, length: size),
            target: weight.gradient.floats)
        }, inputs: inputRows.from(first), count: count),
      GradientProduct(
        parts: expert.down.weights.filter(\.isTrainable).map {
          GradientProduct.Part(outputs: outputRows.from(first), target: $0.gradient.floats)
        }, inputs: RowSource(activations + first * size, stride: size, length: size), count: count),
    ]
  }

  private func addBiasGradients(_ tape: Tape, _ segment: Piece, _ outputRows: RowSource) {
    let expert = experts[segment.expert], first = segment.rows.lowerBound, count = segment.rows.count
    for (values, bias) in zip([gate, up], expert.gateUp.biases) {
      guard let bias, bias.isTrainable else { continue }
      let rows = RowSource(values.floats + first * size, stride: size, length: size)
      tape.addColumnSums(rows, rows: count, to: bias.gradient.floats)
    }
    if let bias = expert.down.biases[0], bias.isTrainable {
      tape.addColumnSums(outputRows.from(first), rows: count, to: bias.gradient.floats)
    }
  }

  /// The pieces' way back: gate and up become their gradients, `activations` what the down-projection saw, times the row's weight.
  private func run(
    _ tape: Tape, _ pieces: [Piece], _ outputRows: RowSource, activations: UnsafeMutablePointer<Float>,
    inputGradients: UnsafeMutablePointer<Float>, adds: Bool, weightGradients: UnsafeMutablePointer<Float>?
  ) {
    let products = tape.linearProducts, table = products.table, hidden = hidden, size = size
    let height = pieces.map(\.rows.count).max() ?? 0, partBytes = products.inputBytes(size)
    let outputBytes = products.rowBytes(hidden), innerBytes = products.rowBytes(2 * Products.padded(size))
    tape.compute.reserveScratch(height * (outputBytes + innerBytes + (size + (adds ? hidden : 0)) * 4) + 320)
    let used = Set(pieces.map(\.expert))
    let down = experts.indices.map { used.contains($0) ? experts[$0].down.backwardStrips(products, tape) : nil }
    let gateUp = experts.indices.map { used.contains($0) ? experts[$0].gateUp.backwardStrips(products, tape) : nil }
    let factors = weights.map { tape.floats($0) }
    tape.compute.pool.run(pieces.count) { index, thread in
      let piece = pieces[index], rows = piece.rows, first = rows.lowerBound
      guard let down = down[piece.expert], let gateUp = gateUp[piece.expert] else { return }
      var scratch = ScratchCursor(tape.compute.scratchFloats(thread))
      let prepared = scratch.bytes(height * outputBytes), inner = scratch.bytes(height * innerBytes)
      let gradients = scratch.floats(height * size), sums = scratch.floats(adds ? height * hidden : 0)
      products.prepare(outputRows, rows: rows, into: prepared, rowBytes: outputBytes)
      products.multiply(prepared, rowBytes: outputBytes, rowCount: rows.count, down, output: gradients, stride: size)
      for (index, row) in rows.enumerated() {
        let choice = routing.map { Int($0.choices[row]) } ?? row, gate = gate.floats + row * size, up = up.floats + row * size
        let product = table.pointee.swiglu_gradient(
          gate, up, gradients + index * size, factors?[choice] ?? 1, size, gate, up, activations + row * size)
        if let weightGradients { weightGradients[choice] = product }
        products.prepareRow(gate, size, into: inner + index * innerBytes)
        products.prepareRow(up, size, into: inner + index * innerBytes + partBytes)
      }
      products.multiply(
        inner, rowBytes: innerBytes, rowCount: rows.count, gateUp, target: inputGradients + first * hidden, stride: hidden,
        sums: adds ? sums : nil)
    }
    tape.releaseExpandedStrips()
  }
}

extension Tape {
  /// `down(silu(gate(x)) * up(x))` (Shazeer 2020): `[rows, hidden]` to `[rows, hidden]`.
  public func feedForward(_ x: Value, _ weights: FeedForwardWeights) -> Value {
    feedForward(x, [weights], routing: nil, weights: nil)
  }

  /// The experts that every row chose, their results times the weights, added in ascending order of experts. No row is dropped.
  public func feedForward(_ x: Value, _ experts: [FeedForwardWeights], _ routing: Routing, weights: Value) -> Value {
    precondition(experts.allSatisfy { $0.down.biases[0] == nil }, "experts have no bias behind their weights")
    return feedForward(x, experts, routing: routing, weights: weights)
  }

  private func feedForward(_ x: Value, _ experts: [FeedForwardWeights], routing: Routing?, weights: Value?) -> Value {
    measured("feedForward") {
      let output = makeValue(x.shape), places = routing?.rows.count ?? x.shape.rows
      let operation = FeedForwardOperation(
        input: x, experts: experts, routing: routing, weights: weights, output: output,
        gate: pool.take(places * experts[0].size), up: pool.take(places * experts[0].size))
      operation.forward(self)
      record(.feedForward(operation))
      return output
    }
  }
}
