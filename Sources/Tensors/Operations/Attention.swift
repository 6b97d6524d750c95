internal import CSwiftletKernels

/// Keys and values of one sequence and layer, in blocks of `blockLength` positions.
/// A block holds `[heads, blockLength, dimension]`; values may be the leading part of the keys (latent attention).
public struct KeyValueBlocks {
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
  /// Stores rows into blocks: value i of head h of row r goes to position `startPosition + r`.
  /// - Parameters:
  ///   - x: `[rows, heads * dimension]`
  ///   - blockOffset: where in the memory of a block its first position is, in bytes.
  ///   - offset: where in a stored position the values go (latent attention stores two parts).
  ///   - stride: values from one stored position to the next.
  public func store(
    _ x: Tensor, rows: Range<Int>, heads: Int, into blocks: [UnsafeMutableRawPointer], blockOffset: Int = 0, type: ElementType,
    startPosition: Int, offset: Int, stride: Int
  ) {
    let size = x.shape.columns, dimension = size / heads, length = KeyValueBlocks.blockLength
    for row in rows {
      let position = startPosition + row - rows.lowerBound
      for head in 0..<heads {
        let source = x.floats + row * size + head * dimension
        let place = (head * length + position % length) * stride + offset, block = blocks[position / length] + blockOffset
        if type == .bfloat16 {
          kernels.table.pointee.store_bf16(source, dimension, block.assumingMemoryBound(to: UInt16.self) + place)
        } else {
          (block.assumingMemoryBound(to: Float.self) + place).update(from: source, count: dimension)
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
  /// - Returns: `[rows, heads * valueDimension]`
  public func attention(_ queries: Tensor, heads: Int, sequences: [AttentionSequence], scale: Float) -> Tensor {
    guard let shape = sequences.first?.blocks else { return queries }
    let result = make(Shape(queries.shape.rows, heads * shape.valueDimension))
    attention(
      AttentionWork(
        table: kernels.table, queries: queries.floats, heads: heads, scale: scale, sequences: sequences, shape: shape,
        result: result.floats))
    return result
  }

  /// The same from and to memory that the caller has.
  func attention(_ work: AttentionWork) {
    let sequences = work.sequences, shape = work.shape, heads = work.heads
    let split = AttentionSplit(sequences, shape: shape, heads: heads, threadCount: pool.threadCount)
    // The list keeps its memory from call to call.
    split.makePieces(sequences, work, &attentionPieces)
    reserveScratch(work.scratchSize(rows: split.rowsPerTile) * 4)
    attentionPieces.withUnsafeBufferPointer { pieces in
      if split.splitsSegments {
        let states = make([pieces.last.map { $0.firstState + $0.segmentCount * work.stateSize(rows: $0.rowCount) } ?? 0]).floats
        pool.run(pieces.count) { piece, thread in
          work.computeSegment(pieces[piece], states: states, scratch: scratchFloats(thread))
        }
        pool.run(pieces.count) { piece, _ in work.mergeSegments(pieces[piece], states: states) }
      } else {
        // The last first: they see the most, and short ones at the end keep all threads busy.
        pool.run(pieces.count) { piece, thread in
          work.compute(pieces[pieces.count - 1 - piece], scratch: scratchFloats(thread))
        }
      }
    }
  }
}
