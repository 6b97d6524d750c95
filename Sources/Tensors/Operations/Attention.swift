internal import CSwiftletKernels

/// Keys and values of one sequence and layer, in blocks of `blockLength` positions.
/// A block holds `[heads, blockLength, dimension]`; values may be the leading part of the keys (latent attention).
public struct KeyValueBlocks {
  /// Positions of one block.
  public static let blockLength = 64

  public var keys: [UnsafeMutableRawPointer]
  public var values: [UnsafeMutableRawPointer]
  /// F32 or BF16.
  public var type: ElementType
  public var headCount: Int
  public var keyDimension: Int
  public var valueDimension: Int
  /// Values from one position to the next in `values`.
  public var valueStride: Int

  public init(
    keys: [UnsafeMutableRawPointer], values: [UnsafeMutableRawPointer], type: ElementType, headCount: Int, keyDimension: Int,
    valueDimension: Int, valueStride: Int
  ) {
    self.keys = keys
    self.values = values
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
  ///   - offset: where in a stored position the values go (latent attention stores two parts).
  ///   - stride: values from one stored position to the next.
  public func store(
    _ x: Tensor, rows: Range<Int>, heads: Int, into blocks: [UnsafeMutableRawPointer], type: ElementType, startPosition: Int,
    offset: Int, stride: Int
  ) {
    let size = x.shape.columns, dimension = size / heads, length = KeyValueBlocks.blockLength
    for row in rows {
      let position = startPosition + row - rows.lowerBound
      for head in 0..<heads {
        let source = x.floats + row * size + head * dimension
        let place = (head * length + position % length) * stride + offset
        if type == .bfloat16 {
          kernels.table.pointee.store_bf16(
            source, dimension, blocks[position / length].assumingMemoryBound(to: UInt16.self) + place)
        } else {
          (blocks[position / length].assumingMemoryBound(to: Float.self) + place).update(from: source, count: dimension)
        }
      }
    }
  }

  /// Causal softmax attention. Query heads are shared evenly among key heads (grouped-query; one key head: multi-query).
  /// - Parameters:
  ///   - queries: `[rows, heads * keyDimension]`
  ///   - scale: what the dot products are multiplied with.
  /// - Returns: `[rows, heads * valueDimension]`
  public func attention(_ queries: Tensor, heads: Int, sequences: [AttentionSequence], scale: Float) -> Tensor {
    guard let shape = sequences.first?.blocks else { return queries }
    let result = make(Shape(queries.shape.rows, heads * shape.valueDimension))
    let group = heads / shape.headCount
    // A tile holds some tokens' heads of one key head, about 32 query rows, so that a block of keys is expanded once for all.
    let headsPerTile = pool.threadCount > 1 && sequences.reduce(0) { $0 + $1.rows.count } < 8 ? min(group, 8) : group
    let headTiles = (group + headsPerTile - 1) / headsPerTile
    let tokensPerTile = max(1, 32 / headsPerTile)
    var tiles: [(sequence: Int, tokens: Range<Int>)] = []
    var longest = 0
    for (index, sequence) in sequences.enumerated() {
      longest = max(longest, sequence.startPosition + sequence.rows.count)
      for start in stride(from: 0, to: sequence.rows.count, by: tokensPerTile) {
        tiles.append((index, start..<min(start + tokensPerTile, sequence.rows.count)))
      }
    }
    let length = KeyValueBlocks.blockLength, padding = Int(SWIFTLET_PADDING)
    let padded = (shape.keyDimension + padding - 1) / padding * padding
    let tileRows = tokensPerTile * headsPerTile
    let scoreStride = (longest + length - 1) / length * length
    let panel = length * max(padded, shape.valueStride)
    reserveScratch((tileRows * (padded + scoreStride + shape.valueDimension) + panel) * 4)

    let perTile = shape.headCount * headTiles
    pool.run(tiles.count * perTile) { piece, thread in
      let tile = tiles[piece / perTile], keyHead = piece % perTile / headTiles, headTile = piece % headTiles
      let firstHead = keyHead * group + headTile * headsPerTile
      attendTile(
        queries, heads: heads, sequence: sequences[tile.sequence], tokens: tile.tokens, keyHead: keyHead,
        tileHeads: firstHead..<min(firstHead + headsPerTile, (keyHead + 1) * group), scale: scale, padded: padded,
        scoreStride: scoreStride, scratch: scratchFloats(thread), into: result)
    }
    return result
  }

  /// One tile: scores against every block, softmax of each row over the positions it sees, then the weighted values.
  /// Positions are added in ascending order block by block, so a row's result does not depend on its tile.
  private func attendTile(
    _ queries: Tensor, heads: Int, sequence: AttentionSequence, tokens: Range<Int>, keyHead: Int, tileHeads: Range<Int>,
    scale: Float, padded: Int, scoreStride: Int, scratch: UnsafeMutablePointer<Float>, into result: Tensor
  ) {
    let table = kernels.table, blocks = sequence.blocks, length = KeyValueBlocks.blockLength
    let dimension = blocks.keyDimension, valueDimension = blocks.valueDimension
    let rowCount = tokens.count * tileHeads.count
    let packed = scratch, scores = packed + rowCount * padded
    let sums = scores + rowCount * scoreStride, panel = sums + rowCount * valueDimension
    let elementBytes = blocks.type.blockBytes

    for (index, token) in tokens.enumerated() {
      for (at, head) in tileHeads.enumerated() {
        let source = queries.floats + ((sequence.rows.lowerBound + token) * heads + head) * dimension
        let target = packed + (index * tileHeads.count + at) * padded
        for i in 0..<dimension { target[i] = source[i] * scale }
        (target + dimension).update(repeating: 0, count: padded - dimension)
      }
    }

    let visible = sequence.startPosition + tokens.upperBound
    for start in stride(from: 0, to: visible, by: length) {
      let count = min(length, visible - start)
      let keys = blocks.keys[start / length] + keyHead * length * dimension * elementBytes
      if padded == dimension {
        table.pointee.expand(blocks.type.rawValue, keys, count * dimension, panel)
      } else {
        for position in 0..<count {
          table.pointee.expand(
            blocks.type.rawValue, keys + position * dimension * elementBytes, dimension, panel + position * padded)
          (panel + position * padded + dimension).update(repeating: 0, count: padded - dimension)
        }
      }
      table.pointee.product(packed, padded, rowCount, panel, padded, count, padded, scores + start, scoreStride)
    }

    for row in 0..<rowCount {
      let seen = sequence.startPosition + tokens.lowerBound + row / tileHeads.count + 1
      table.pointee.softmax(scores + row * scoreStride, seen)
      (scores + row * scoreStride + seen).update(repeating: 0, count: visible - seen)
    }

    sums.update(repeating: 0, count: rowCount * valueDimension)
    for start in stride(from: 0, to: visible, by: length) {
      let count = min(length, visible - start)
      let values = blocks.values[start / length] + keyHead * length * blocks.valueStride * elementBytes
      // The last position is only read as far as its values go.
      table.pointee.expand(blocks.type.rawValue, values, (count - 1) * blocks.valueStride + valueDimension, panel)
      table.pointee.accumulate(
        scores + start, scoreStride, rowCount, panel, blocks.valueStride, count, valueDimension, sums, valueDimension)
    }

    for (index, token) in tokens.enumerated() {
      for (at, head) in tileHeads.enumerated() {
        let target = result.floats + ((sequence.rows.lowerBound + token) * heads + head) * valueDimension
        target.update(from: sums + (index * tileHeads.count + at) * valueDimension, count: valueDimension)
      }
    }
  }
}
