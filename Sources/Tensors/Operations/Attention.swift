internal import CSwiftletKernels

/// Keys and values of one sequence and layer, in blocks of `blockLength` positions.
/// A block holds `[heads, blockLength, dimension]`; values may be the leading part of the keys (latent attention).
public struct KeyValueBlocks {
  /// What is stored of a position.
  public enum Part {
    case keys, values
  }

  /// Positions of one block.
  public static let blockLength = Int(SWIFTLET_ATTENTION_BLOCK)
  /// Blocks whose positions are added together before they are added to those of earlier blocks, so that a long context can be
  /// split over threads. It is the same for all: how much is computed at once must not change the order of additions.
  static let blocksPerSegment = 4
  static let segmentLength = blocksPerSegment * blockLength

  public var keys: [UnsafeMutableRawPointer]
  public var values: [UnsafeMutableRawPointer]
  /// Where in the memory of every block the keys and the values begin, in bytes.
  public var keyOffset: Int
  public var valueOffset: Int
  /// F32 or BF16.
  public var type: ElementType
  public var headCount: Int
  public var keyDimension: Int
  public var valueDimension: Int
  /// Values from one position to the next in `values`.
  public var valueStride: Int

  public init(
    keys: [UnsafeMutableRawPointer], values: [UnsafeMutableRawPointer], keyOffset: Int = 0, valueOffset: Int = 0,
    type: ElementType, headCount: Int, keyDimension: Int, valueDimension: Int, valueStride: Int
  ) {
    self.keys = keys
    self.values = values
    self.keyOffset = keyOffset
    self.valueOffset = valueOffset
    self.type = type
    self.headCount = headCount
    self.keyDimension = keyDimension
    self.valueDimension = valueDimension
    self.valueStride = valueStride
  }
}

/// Consecutive query rows of one sequence.
public struct AttentionSequence {
  public var rows: Range<Int>
  /// The position of the first row; row r sees positions up to its own.
  public var startPosition: Int
  public var blocks: KeyValueBlocks

  public init(rows: Range<Int>, startPosition: Int, blocks: KeyValueBlocks) {
    self.rows = rows
    self.startPosition = startPosition
    self.blocks = blocks
  }
}

extension Compute {
  /// Stores values of every head of the sequences' rows as keys or as values: row r of a sequence goes to position `startPosition + r`.
  /// - Parameters:
  ///   - x: the heads' values begin at `sourceOffset` of its rows, one head `headStride` floats behind the other; with 0 all heads get
  ///     the same.
  ///   - count: values of a head.
  ///   - offset: where in a stored position they go; latent attention stores two parts.
  public func store(
    _ x: Tensor, headStride: Int, sourceOffset: Int = 0, count: Int, as part: KeyValueBlocks.Part, offset: Int = 0,
    sequences: [AttentionSequence]
  ) {
    guard let rows = sequences.first?.rows.count else { return }
    let size = x.shape.columns, source = x.floats + sourceOffset
    forRows(sequences.count, costPerRow: rows * (sequences[0].blocks.headCount * count)) { range in
      for sequence in sequences[range] {
        store(source, rowStride: size, headStride: headStride, count: count, as: part, offset: offset, sequence)
      }
    }
  }

  private func store(
    _ source: UnsafePointer<Float>, rowStride: Int, headStride: Int, count: Int, as part: KeyValueBlocks.Part, offset: Int,
    _ sequence: AttentionSequence
  ) {
    let blocks = sequence.blocks, length = KeyValueBlocks.blockLength, isKeys = part == .keys
    let addresses = isKeys ? blocks.keys : blocks.values, start = isKeys ? blocks.keyOffset : blocks.valueOffset
    let stride = isKeys ? blocks.keyDimension : blocks.valueStride
    for (index, row) in sequence.rows.enumerated() {
      let position = sequence.startPosition + index, block = addresses[position / length] + start
      for head in 0..<blocks.headCount {
        let from = source + row * rowStride + head * headStride
        let place = (head * length + position % length) * stride + offset
        if blocks.type == .bfloat16 {
          kernels.table.pointee.store_bf16(from, count, block.assumingMemoryBound(to: UInt16.self) + place)
        } else {
          (block.assumingMemoryBound(to: Float.self) + place).update(from: from, count: count)
        }
      }
    }
  }

  /// Causal softmax attention. Query heads are shared evenly among key heads (grouped-query; one key head: multi-query).
  ///
  /// A row goes through the blocks in ascending order. Four blocks make a segment, whose sums begin anew and are added to those of the
  /// segments before: this is so whether one thread computes all of a row or several compute a segment each.
  /// - Parameters:
  ///   - queries: `[rows, heads * keyDimension]`
  ///   - scale: what the dot products are multiplied with.
  ///   - isExact: whether queries and the weights of values stay F32 over a cache of BF16, also where rounding them is faster.
  /// - Returns: `[rows, heads * valueDimension]`
  public func attention(_ queries: Tensor, heads: Int, sequences: [AttentionSequence], scale: Float, isExact: Bool = false)
    -> Tensor
  {
    guard let shape = sequences.first?.blocks else { return queries }
    let result = make(Shape(queries.shape.rows, heads * shape.valueDimension))
    attention(
      AttentionWork(
        table: kernels.table, queries: queries.floats, heads: heads, scale: scale, shape: shape, result: result.floats,
        isExact: isExact),
      sequences)
    return result
  }

  /// The same from and to memory that the caller has.
  func attention(_ work: AttentionWork, _ sequences: [AttentionSequence]) {
    let shape = work.shape, heads = work.heads
    let blockCount = sequences.reduce(0) { $0 + $1.blocks.keys.count },
      addressBytes = MemoryLayout<UnsafeMutableRawPointer>.stride
    let places = make([2 * blockCount * addressBytes / 4]).address.assumingMemoryBound(to: UnsafeMutableRawPointer.self)
    let split = AttentionSplit(sequences, shape: shape, heads: heads, threadCount: pool.threadCount)
    // The list keeps its memory from call to call.
    split.makePieces(sequences, work, places: places, &attentionPieces)
    reserveScratch(work.scratchSize(rows: split.rowsPerTile) * 4)
    attentionPieces.withUnsafeBufferPointer { pieces in
      if split.splitsSegments {
        var work = work
        work.segmentStep = pool.threadCount
        let states = make([pieces.last.map { $0.firstState + $0.segmentCount * work.stateSize(rows: $0.rowCount) } ?? 0]).floats
        pool.run(pieces.count) { piece, thread in
          work.computeSegment(pieces[piece], states: states, scratch: scratchFloats(thread))
        }
        pool.run(pieces.count) { piece, _ in work.mergeSegments(pieces[piece], states: states) }
      } else {
        // All heads of a sequence by one thread, where there are enough sequences: they lie one behind the other in memory.
        let together = max(1, min(shape.headCount, pieces.count / (8 * pool.threadCount)))
        // The last first: they see the most, and short ones at the end keep all threads busy.
        pool.run((pieces.count + together - 1) / together) { index, thread in
          let end = pieces.count - index * together
          for piece in max(0, end - together)..<end { work.compute(pieces[piece], scratch: scratchFloats(thread)) }
        }
      }
    }
  }
}
