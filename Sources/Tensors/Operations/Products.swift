internal import CSwiftletKernels

/// One product of several: rows of an input against a matrix, results into rows of an output.
struct ProductGroup {
  /// `[out, in]`
  var weight: Tensor
  /// The input's first row, of `in` values. Groups of one input share what is made of it.
  var input: UnsafePointer<Float>
  /// Floats from one input row to the next.
  var inputStride: Int
  var inputRowCount: Int
  /// Rows of the input that are multiplied.
  var rows: Range<Int>
  /// First output row, of `out` values.
  var output: UnsafeMutablePointer<Float>
  /// Floats from one output row to the next.
  var outputStride: Int
}

/// In which form the input rows of a product are.
private enum Arithmetic: Equatable {
  /// Blocks of int8.
  case int8
  /// For strips of this type of the kernels: F32, BF16, or what they expand quantised weights to.
  case strips(Int32)
  /// For quantised strips as they are: BF16 and sums.
  case codes
}

/// The rows of an input in that form.
private struct PreparedRows {
  let arithmetic: Arithmetic
  let source: UnsafePointer<Float>
  let stride: Int
  let rowCount: Int
  let length: Int
  var int8 = swiftlet_int8_rows()
  var rows: UnsafeRawPointer?
  var rowBytes = 0
}

/// What there is to do in several groups.
private struct Work {
  var products = 0
  /// Of weights, as they are stored.
  var bytes = 0

  init(_ groups: [ProductGroup]) {
    for group in groups {
      let weight = group.weight
      products += group.rows.count * weight.shape.count
      bytes += weight.shape.rows * weight.storedStripBytes / Strips.rows
    }
  }
}

extension Tensor {
  /// Of sixteen rows, as products read them.
  fileprivate var storedStripBytes: Int { strips?.byteCount ?? rowBytes * Strips.rows }
}

/// Some output columns of a group: what one thread does at a time.
private struct Piece {
  var group: Int
  var input: Int
  var columns: Range<Int>
  /// The weight's strips from these columns on, where the product reads them as they are. Threads that went through the weight for them
  /// would fight for the count of its references.
  var strips: UnsafeRawPointer?
}

extension Compute {
  /// Bytes of weights that a thread takes at a time: they stay in the second-level cache for all rows. Of weights that are read once it
  /// may be more, since memory is the faster the longer the stretch.
  private static let pieceBytes = 96 * 1024
  /// Rows up to which strips of floats are read once. Those of integers are in any case: one meets all rows before the next.
  private static let rowsAtOnce = 12
  /// Bytes of expanded weights likewise.
  private static let panelBytes = 192 * 1024

  /// Runs products, split over output columns only.
  /// - Parameter ofExperts: whether the weights are those of experts, of which each gets some rows.
  func run(_ groups: [ProductGroup], role: PositionRole, ofExperts: Bool = false) {
    var prepared: [PreparedRows] = []
    var pieces: [Piece] = []
    let total = Work(groups)
    var scratch = 0
    for (index, group) in groups.enumerated() {
      let arithmetic = arithmetic(of: group.weight, role, ofExperts: ofExperts)
      let known = prepared.firstIndex {
        $0.source == group.input && $0.arithmetic == arithmetic && $0.rowCount == group.inputRowCount
          && $0.length == group.weight.shape.columns && $0.stride == group.inputStride
      }
      let input = known ?? prepared.count
      if known == nil { prepared.append(prepare(group, arithmetic)) }
      let strips = isDirect(group.weight, arithmetic, rowCount: group.rows.count) ? group.weight.strips : nil
      let columns = group.weight.shape.rows, size = pieceColumns(of: group, arithmetic, total: total)
      scratch = max(scratch, scratchBytes(of: group, arithmetic, columns: size))
      for start in stride(from: 0, to: columns, by: size) {
        pieces.append(
          Piece(
            group: index, input: input, columns: start..<min(columns, start + size),
            strips: strips.map { UnsafeRawPointer($0.address(row: start)) }))
      }
    }
    reserveScratch(scratch)
    groups.withUnsafeBufferPointer { groups in
      prepared.withUnsafeBufferPointer { prepared in
        pieces.withUnsafeBufferPointer { pieces in
          pool.run(pieces.count) { index, thread in
            let piece = pieces[index]
            multiply(groups, piece, prepared[piece.input], thread)
          }
        }
      }
    }
  }

  private func arithmetic(of weight: Tensor, _ role: PositionRole, ofExperts: Bool) -> Arithmetic {
    if weight.type.isQuantized {
      guard role == .prompt, kernels.distinguishesRoles(weight) else { return .int8 }
      // Few rows of a prompt meet an expert, where many meet any other weight.
      let areCodes = ofExperts && kernels.table.pointee.multiplies_codes != 0 && weight.hasStripForm
      return areCodes ? .codes : .strips(kernels.table.pointee.panel_type)
    }
    return .strips((weight.type.keepsInputs ? ElementType.float32 : .bfloat16).rawValue)
  }

  /// Rows from which on a weight that is not kept in strips is worth making them for an int8 product.
  private static let rowsWorthStrips = 8

  /// Whether a product reads the weight as it is, not made into strips, or expanded.
  private func isDirect(_ weight: Tensor, _ arithmetic: Arithmetic, rowCount: Int) -> Bool {
    switch arithmetic {
    case .int8: weight.strips != nil || rowCount < Self.rowsWorthStrips || !weight.hasStripForm
    case .strips: weight.strips != nil && !weight.type.isQuantized
    case .codes: weight.strips != nil
    }
  }

  /// Multiplications that are worth a piece of their own: some ten microseconds.
  private static let pieceProducts = 1 << 19

  /// How many of a group's columns one thread does at a time: a multiple of sixteen, of nearly the same number for all pieces of a group.
  /// - Parameter total: of all groups together.
  private func pieceColumns(of group: ProductGroup, _ arithmetic: Arithmetic, total: Work) -> Int {
    let weight = group.weight, rowCount = group.rows.count, strips = (weight.shape.rows + Strips.rows - 1) / Strips.rows
    let direct = isDirect(weight, arithmetic, rowCount: rowCount)
    let bytes = direct ? weight.storedStripBytes : panelStripBytes(weight, arithmetic)
    // Four pieces a thread, so that one that comes late finds something left.
    let shares = 4 * pool.threadCount, isReadOnce = arithmetic == .int8 || arithmetic == .codes || rowCount <= Self.rowsAtOnce
    let products = max(Self.pieceProducts, total.products / shares)
    let share = max(1, products / max(1, rowCount * weight.shape.columns * Strips.rows))
    let limit = direct ? max(Self.pieceBytes, isReadOnce ? total.bytes / shares : 0) : Self.panelBytes
    let most = max(1, min(share, limit / max(1, bytes)))
    let pieces = (strips + most - 1) / most, count = (strips + pieces - 1) / pieces
    // For several rows, the kernels do some work once for several strips.
    return (rowCount > 1 ? (count + 3) / 4 * 4 : count) * Strips.rows
  }

  private func panelStripBytes(_ weight: Tensor, _ arithmetic: Arithmetic) -> Int {
    let type = if case .strips(let type) = arithmetic { type } else { weight.type.rawValue }
    return swiftlet_strip_bytes(type, weight.shape.columns)
  }

  /// A panel of expanded strips, and sixteen rows, as F32 or packed, from which they are made.
  private func scratchBytes(of group: ProductGroup, _ arithmetic: Arithmetic, columns: Int) -> Int {
    let weight = group.weight
    if isDirect(weight, arithmetic, rowCount: group.rows.count) { return 0 }
    return columns / Strips.rows * panelStripBytes(weight, arithmetic) + Strips.rows * weight.shape.columns * 4
  }

  /// Rows at a distance that does not put all of them into the same few lines of a cache.
  private static func spread(_ bytes: Int) -> Int { bytes % 1024 == 0 ? bytes + 64 : bytes }

  private func prepare(_ group: ProductGroup, _ arithmetic: Arithmetic) -> PreparedRows {
    let length = group.weight.shape.columns
    var result = PreparedRows(
      arithmetic: arithmetic, source: group.input, stride: group.inputStride, rowCount: group.inputRowCount, length: length)
    switch arithmetic {
    case .int8: prepareInt8(group, length, &result)
    case .strips(let type): prepareRows(group, length, type, &result)
    case .codes: prepareRows(group, length, Int32(SWIFTLET_CODES), &result)
    }
    return result
  }

  private func prepareInt8(_ group: ProductGroup, _ length: Int, _ result: inout PreparedRows) {
    let rows = group.inputRowCount, blocks = length / 32, stride = Self.spread(length), table = kernels.table
    let values = make([rows * stride / 4]), scales = make(Shape(rows, blocks)), scaledSums = make(Shape(rows, blocks))
    let halfSums = make(Shape(rows, blocks)), sums = make(Shape(rows, blocks))
    let bytes = values.address.assumingMemoryBound(to: Int8.self)
    let halves = halfSums.address.assumingMemoryBound(to: Int16.self), wholes = sums.address.assumingMemoryBound(to: Int32.self)
    forRows(rows, costPerRow: length) { range in
      for row in range {
        table.pointee.quantize_int8(
          group.input + row * group.inputStride, length, bytes + row * stride, scales.floats + row * blocks,
          scaledSums.floats + row * blocks, halves + row * blocks * 2, wholes + row * blocks)
      }
    }
    result.int8 = swiftlet_int8_rows(
      values: bytes, scales: scales.floats, scaled_sums: scaledSums.floats, half_sums: halves, sums: wholes, length: length,
      stride: stride)
  }

  private func prepareRows(_ group: ProductGroup, _ length: Int, _ type: Int32, _ result: inout PreparedRows) {
    let table = kernels.table
    if type == ElementType.float32.rawValue, length % Int(SWIFTLET_STRIP_PADDING) == 0, group.inputRowCount == 1 {
      (result.rows, result.rowBytes) = (UnsafeRawPointer(group.input), length * 4)
      return
    }
    let rowBytes = Self.spread((table.pointee.input_bytes(type, length) + 63) / 64 * 64)
    let prepared = make([group.inputRowCount * rowBytes / 4]).address
    forRows(group.inputRowCount, costPerRow: length) { range in
      for row in range {
        table.pointee.prepare_input(type, group.input + row * group.inputStride, length, prepared + row * rowBytes)
      }
    }
    (result.rows, result.rowBytes) = (UnsafeRawPointer(prepared), rowBytes)
  }

  private func multiply(_ groups: UnsafeBufferPointer<ProductGroup>, _ piece: Piece, _ rows: PreparedRows, _ thread: Int) {
    let table = kernels.table, columns = piece.columns
    let range = groups[piece.group].rows, stride = groups[piece.group].outputStride
    let output = groups[piece.group].output + columns.lowerBound
    switch rows.arithmetic {
    case .int8:
      var int8 = rows.int8
      let type = groups[piece.group].weight.type.rawValue
      var strips = piece.strips
      if strips == nil, !isDirect(groups[piece.group].weight, .int8, rowCount: range.count) {
        strips = packPanel(groups[piece.group].weight, columns, scratch: scratchFloats(thread))
      }
      if let strips {
        table.pointee.strips_int8(type, strips, columns.count, &int8, range.lowerBound, range.count, output, stride)
      } else {
        let weight = groups[piece.group].weight
        table.pointee.product_int8(
          type, weight.rowAddress(columns.lowerBound), weight.rowBytes, columns.count, &int8, range.lowerBound, range.count,
          output, stride)
      }
    case .strips(let type):
      let panel =
        piece.strips
        ?? expandPanel(groups[piece.group].weight, type, columns, scratch: UnsafeMutableRawPointer(scratchFloats(thread)))
      multiply(panel, of: type, piece, rows, range, output, stride)
    case .codes:
      let weight = groups[piece.group].weight
      let strips = piece.strips ?? packPanel(weight, columns, scratch: UnsafeMutableRawPointer(scratchFloats(thread)))
      multiply(strips, of: weight.type.rawValue, piece, rows, range, output, stride)
    }
  }

  private func multiply(
    _ strips: UnsafeRawPointer, of type: Int32, _ piece: Piece, _ rows: PreparedRows, _ range: Range<Int>,
    _ output: UnsafeMutablePointer<Float>, _ stride: Int
  ) {
    kernels.table.pointee.strips_product(
      type, strips, piece.columns.count, rows.rows.map { $0 + range.lowerBound * rows.rowBytes }, rows.rowBytes, range.count,
      rows.length, output, stride)
  }

  /// Rows of a quantised weight as strips.
  private func packPanel(_ weight: Tensor, _ rows: Range<Int>, scratch: UnsafeMutableRawPointer) -> UnsafeRawPointer {
    let length = weight.shape.columns, bytes = swiftlet_strip_bytes(weight.type.rawValue, length)
    for (index, first) in stride(from: rows.lowerBound, to: rows.upperBound, by: Strips.rows).enumerated() {
      swiftlet_pack_strip(
        weight.type.rawValue, weight.rowAddress(first), weight.rowBytes, min(Strips.rows, rows.upperBound - first), length,
        scratch + index * bytes)
    }
    return UnsafeRawPointer(scratch)
  }

  /// Rows of a weight as strips of a type. FP8 weights so give the bits of their copy in BF16.
  private func expandPanel(
    _ weight: Tensor, _ type: Int32, _ rows: Range<Int>, scratch: UnsafeMutableRawPointer
  ) -> UnsafeRawPointer {
    let length = weight.shape.columns, table = kernels.table
    let bytes = swiftlet_strip_bytes(type, length), count = (rows.count + Strips.rows - 1) / Strips.rows
    let floats = (scratch + count * bytes).assumingMemoryBound(to: Float.self)
    for index in 0..<count {
      let first = rows.lowerBound + index * Strips.rows, target = scratch + index * bytes
      if let strips = weight.strips {
        table.pointee.expand_strip(weight.type.rawValue, strips.address(row: first), length, target)
        continue
      }
      let rowCount = min(Strips.rows, rows.upperBound - first)
      if weight.type.isQuantized, weight.hasStripForm {
        // The way of the weights that are kept in strips, for the same bits.
        swiftlet_pack_strip(weight.type.rawValue, weight.rowAddress(first), weight.rowBytes, rowCount, length, floats)
        table.pointee.expand_strip(weight.type.rawValue, floats, length, target)
        continue
      }
      for row in 0..<rowCount { kernels.expand(row: first + row, of: weight, into: floats + row * length) }
      table.pointee.make_strip(type, floats, length, rowCount, length, target)
    }
    return UnsafeRawPointer(scratch)
  }
}
