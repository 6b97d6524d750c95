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

/// Some output columns of a group: what one thread does at a time.
private struct Piece {
  var group: Int
  var columns: Range<Int>
}

extension Compute {
  /// Bytes of weights that a thread takes at a time when there are enough: they stay in the second-level cache for all rows.
  private static let pieceBytes = 96 * 1024
  /// Bytes of expanded weights likewise.
  private static let panelBytes = 192 * 1024

  /// Runs products, split over output columns only.
  func run(_ groups: [ProductGroup], role: PositionRole) {
    var prepared: [PreparedRows] = []
    var inputs: [Int] = [], pieces: [Piece] = []
    let total = groups.reduce(0) { $0 + $1.rows.count * $1.weight.shape.count }
    for (index, group) in groups.enumerated() {
      let arithmetic = arithmetic(of: group.weight, role)
      let known = prepared.firstIndex {
        $0.source == group.input && $0.arithmetic == arithmetic && $0.rowCount == group.inputRowCount
          && $0.length == group.weight.shape.columns && $0.stride == group.inputStride
      }
      inputs.append(known ?? prepared.count)
      if known == nil { prepared.append(prepare(group, arithmetic)) }
      let columns = group.weight.shape.rows
      let size = pieceColumns(of: group.weight, arithmetic, rowCount: group.rows.count, total: total)
      for start in stride(from: 0, to: columns, by: size) {
        pieces.append(Piece(group: index, columns: start..<min(columns, start + size)))
      }
    }
    reserveScratch(groups.reduce(0) { max($0, scratchBytes(of: $1, arithmetic(of: $1.weight, role), total: total)) })
    groups.withUnsafeBufferPointer { groups in
      prepared.withUnsafeBufferPointer { prepared in
        pieces.withUnsafeBufferPointer { pieces in
          inputs.withUnsafeBufferPointer { inputs in
            pool.run(pieces.count) { piece, thread in
              let group = pieces[piece].group
              multiply(groups[group], prepared[inputs[group]], pieces[piece].columns, thread)
            }
          }
        }
      }
    }
  }

  private func arithmetic(of weight: Tensor, _ role: PositionRole) -> Arithmetic {
    if weight.type.isQuantized {
      return role == .prompt && kernels.distinguishesRoles(weight) ? .strips(kernels.table.pointee.panel_type) : .int8
    }
    let isRounded = weight.type == .bfloat16 || weight.type == .float8E4M3
    return .strips((isRounded ? ElementType.bfloat16 : .float32).rawValue)
  }

  /// Rows from which on a weight that is not kept in strips is worth making them for an int8 product.
  private static let rowsWorthStrips = 8

  /// Whether a product reads the weight as it is, not made into strips, or expanded.
  private func isDirect(_ weight: Tensor, _ arithmetic: Arithmetic, rowCount: Int) -> Bool {
    if arithmetic == .int8 { return weight.strips != nil || rowCount < Self.rowsWorthStrips || !weight.hasStripForm }
    return weight.strips != nil && !weight.type.isQuantized
  }

  /// Multiplications that are worth a piece of their own: some ten microseconds.
  private static let pieceProducts = 1 << 19

  /// A multiple of sixteen columns, of nearly the same number for all pieces of a group.
  /// - Parameter total: multiplications of all groups together.
  private func pieceColumns(of weight: Tensor, _ arithmetic: Arithmetic, rowCount: Int, total: Int) -> Int {
    let strips = (weight.shape.rows + Strips.rows - 1) / Strips.rows
    let direct = isDirect(weight, arithmetic, rowCount: rowCount)
    let stored = weight.strips?.byteCount ?? weight.rowBytes * Strips.rows
    let bytes = direct ? stored : panelStripBytes(weight, arithmetic)
    // Four pieces a thread, so that one that comes late finds something left.
    let products = max(Self.pieceProducts, total / (4 * pool.threadCount))
    let share = max(1, products / max(1, rowCount * weight.shape.columns * Strips.rows))
    let most = max(1, min(share, (direct ? Self.pieceBytes : Self.panelBytes) / max(1, bytes)))
    let pieces = (strips + most - 1) / most, count = (strips + pieces - 1) / pieces
    // For several rows, the kernels do some work once for several strips.
    return (rowCount > 1 ? (count + 3) / 4 * 4 : count) * Strips.rows
  }

  private func panelStripBytes(_ weight: Tensor, _ arithmetic: Arithmetic) -> Int {
    let type = if case .strips(let type) = arithmetic { type } else { weight.type.rawValue }
    return swiftlet_strip_bytes(type, weight.shape.columns)
  }

  /// A panel of expanded strips, and sixteen rows, as F32 or packed, from which they are made.
  private func scratchBytes(of group: ProductGroup, _ arithmetic: Arithmetic, total: Int) -> Int {
    let weight = group.weight
    if isDirect(weight, arithmetic, rowCount: group.rows.count) { return 0 }
    return pieceColumns(of: weight, arithmetic, rowCount: group.rows.count, total: total) / Strips.rows
      * panelStripBytes(weight, arithmetic)
      + Strips.rows * weight.shape.columns * 4
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

  private func multiply(_ group: ProductGroup, _ rows: PreparedRows, _ columns: Range<Int>, _ thread: Int) {
    let weight = group.weight, table = kernels.table, output = group.output + columns.lowerBound
    switch rows.arithmetic {
    case .int8:
      var int8 = rows.int8
      var strips = weight.strips.map { UnsafeRawPointer($0.address(row: columns.lowerBound)) }
      if !isDirect(weight, .int8, rowCount: group.rows.count) {
        strips = packPanel(weight, columns, scratch: scratchFloats(thread))
      }
      if let strips {
        table.pointee.strips_int8(
          weight.type.rawValue, strips, columns.count, &int8, group.rows.lowerBound, group.rows.count, output,
          group.outputStride)
      } else {
        table.pointee.product_int8(
          weight.type.rawValue, weight.rowAddress(columns.lowerBound), weight.rowBytes, columns.count, &int8,
          group.rows.lowerBound, group.rows.count, output, group.outputStride)
      }
    case .strips(let type):
      let panel: UnsafeRawPointer
      if let strips = weight.strips, !weight.type.isQuantized {
        panel = UnsafeRawPointer(strips.address(row: columns.lowerBound))
      } else {
        panel = expandPanel(weight, type, columns, scratch: UnsafeMutableRawPointer(scratchFloats(thread)))
      }
      table.pointee.strips_product(
        type, panel, columns.count, rows.rows.map { $0 + group.rows.lowerBound * rows.rowBytes }, rows.rowBytes, group.rows.count,
        rows.length, output, group.outputStride)
    }
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
