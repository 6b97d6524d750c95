internal import CSwiftletKernels

/// Query rows that one thread computes: some heads that share a key head, of some tokens of a sequence; all that they see, or the
/// part of it in one segment of the cache.
struct AttentionPiece {
  /// The sequence's first row, and the position of it.
  var firstSequenceRow: Int
  var startPosition: Int
  /// Where each of the sequence's blocks has its keys and its values. Plain memory: threads that take references from the same arrays
  /// wait for each other.
  var keys: UnsafePointer<UnsafeMutableRawPointer>
  var values: UnsafePointer<UnsafeMutableRawPointer>
  /// Tokens of the sequence in this pass.
  var tokens: Range<Int>
  var keyHead: Int
  var heads: Range<Int>
  /// The segment of a part.
  var segment = 0
  /// How many segments the last token sees.
  var segmentCount: Int
  /// Where the states of the rows' parts begin, segment after segment.
  var firstState = 0

  var rowCount: Int { tokens.count * heads.count }
  /// The row of the first token.
  var firstRow: Int { firstSequenceRow + tokens.lowerBound }
  /// How many positions the first token sees.
  var firstSeen: Int { startPosition + tokens.lowerBound + 1 }
}

/// How the work of one call is split. It decides who computes what, never the order of additions.
struct AttentionSplit {
  /// The most rows of a tile: enough that expanding a block of the cache costs little beside them.
  private static let maximumRows = 64

  /// Query heads of one key head.
  let group: Int
  let keyHeadCount: Int
  private(set) var headsPerTile: Int
  let tokensPerTile: Int
  /// Whether the segments of a tile are computed apart, as when there are fewer tiles than threads need.
  let splitsSegments: Bool

  var rowsPerTile: Int { headsPerTile * tokensPerTile }

  init(_ sequences: [AttentionSequence], shape: KeyValueBlocks, heads: Int, threadCount: Int) {
    keyHeadCount = shape.headCount
    group = heads / keyHeadCount
    headsPerTile = Self.evenPart(group, atMost: Self.maximumRows)
    tokensPerTile = max(1, Self.maximumRows / headsPerTile)
    var tiles = 0, parts = 0
    for sequence in sequences {
      let tokenTiles = (sequence.rows.count + tokensPerTile - 1) / tokensPerTile
      tiles += tokenTiles
      parts += tokenTiles * sequence.segmentCount
    }
    let perToken = keyHeadCount * ((group + headsPerTile - 1) / headsPerTile)
    splitsSegments = threadCount > 1 && tiles * perToken < 4 * threadCount
    // Fewer heads a tile only where segments are too few: every tile expands the blocks for itself.
    let wanted = threadCount * (parts > tiles ? 2 : 1)
    while splitsSegments, headsPerTile > 4, parts * keyHeadCount * ((group + headsPerTile - 1) / headsPerTile) < wanted {
      headsPerTile = Self.evenPart(group, atMost: (headsPerTile + 1) / 2)
    }
  }

  /// The size of the fewest equal parts, none above `limit`.
  private static func evenPart(_ count: Int, atMost limit: Int) -> Int {
    let parts = (count + limit - 1) / limit
    return (count + parts - 1) / parts
  }

  /// - Parameter places: room for two addresses of each block of all sequences.
  func makePieces(
    _ sequences: [AttentionSequence], _ work: AttentionWork, places: UnsafeMutablePointer<UnsafeMutableRawPointer>,
    _ pieces: inout [AttentionPiece]
  ) {
    pieces.removeAll(keepingCapacity: true)
    var firstState = 0, places = places
    for sequence in sequences {
      let blocks = sequence.blocks, count = blocks.keys.count, keys = places, values = places + count
      for index in 0..<count {
        keys[index] = blocks.keys[index] + blocks.keyOffset
        values[index] = blocks.values[index] + blocks.valueOffset
      }
      places += 2 * count
      for start in stride(from: 0, to: sequence.rows.count, by: tokensPerTile) {
        let tokens = start..<min(start + tokensPerTile, sequence.rows.count)
        for keyHead in 0..<keyHeadCount {
          for first in stride(from: 0, to: group, by: headsPerTile) {
            let firstHead = keyHead * group + first
            var piece = AttentionPiece(
              firstSequenceRow: sequence.rows.lowerBound, startPosition: sequence.startPosition, keys: keys, values: values,
              tokens: tokens, keyHead: keyHead, heads: firstHead..<firstHead + min(headsPerTile, group - first),
              segmentCount: sequence.segmentCount(tokens: tokens.upperBound), firstState: firstState)
            if splitsSegments {
              for segment in 0..<piece.segmentCount {
                piece.segment = segment
                pieces.append(piece)
              }
              firstState += piece.segmentCount * work.stateSize(rows: piece.rowCount)
            } else {
              pieces.append(piece)
            }
          }
        }
      }
    }
  }
}

extension AttentionSequence {
  /// Segments that the last of the first `tokens` rows sees.
  func segmentCount(tokens: Int) -> Int {
    (startPosition + tokens + KeyValueBlocks.segmentLength - 1) / KeyValueBlocks.segmentLength
  }

  var segmentCount: Int { segmentCount(tokens: rows.count) }
}

/// What all pieces of one call share.
struct AttentionWork {
  let table: UnsafePointer<swiftlet_kernels>
  /// `[rows, heads * keyDimension]`
  let queries: UnsafeMutablePointer<Float>
  let heads: Int
  let scale: Float
  /// Of any sequence: in what blocks have in common all are alike.
  let shape: KeyValueBlocks
  /// `[rows, heads * valueDimension]`
  let result: UnsafeMutablePointer<Float>
  /// Whether queries and the weights of values stay F32 over a cache of BF16, also where rounding them is faster.
  var isExact = false
  /// Where training wants them, each row's logarithm of the sum of exponentials: `[heads, rows]`, heads `logSumStride` apart.
  var logSums: UnsafeMutablePointer<Float>?
  var logSumStride = 0
  /// Which segment after one is probably the next that the same thread computes.
  var segmentStep = 1

  private static func padded(_ count: Int) -> Int {
    (count + Int(SWIFTLET_PADDING) - 1) / Int(SWIFTLET_PADDING) * Int(SWIFTLET_PADDING)
  }

  /// Floats of the state of some rows: sums, then maximums and totals.
  func stateSize(rows: Int) -> Int { rows * Self.padded(shape.valueDimension) + 2 * Self.padded(rows) }

  /// Floats that a tile needs beside: packed queries, two states, scores, factors, and the kernel's panel.
  func scratchSize(rows: Int) -> Int {
    rows * (Self.padded(shape.keyDimension) + KeyValueBlocks.blockLength) + 2 * stateSize(rows: rows) + Self.padded(rows)
      + max(4 * Self.padded(shape.keyDimension), KeyValueBlocks.blockLength * 4 * Int(SWIFTLET_PADDING))
  }

  /// Everything that the rows of a tile see.
  func compute(_ piece: AttentionPiece, scratch: UnsafeMutablePointer<Float>) {
    let rows = piece.rowCount, size = stateSize(rows: rows)
    var tile = packedTile(piece, scratch + 2 * size)
    for segment in 0..<piece.segmentCount {
      computeSegment(segment, of: piece, &tile, state: segment == 0 ? scratch : scratch + size)
      if segment > 0 { merge(segment, of: piece, rows: 0..<rows, scratch + size, into: scratch) }
    }
    finish(piece, rows: 0..<rows, scratch)
  }

  /// One segment's part, into its place among the states.
  func computeSegment(_ piece: AttentionPiece, states: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>) {
    var tile = packedTile(piece, scratch)
    let state = states + piece.firstState + piece.segment * stateSize(rows: piece.rowCount)
    computeSegment(piece.segment, of: piece, &tile, state: state)
  }

  /// Adds up the segments' parts of some of the tile's rows; the pieces of a tile share its rows.
  func mergeSegments(_ piece: AttentionPiece, states: UnsafeMutablePointer<Float>) {
    let rows = piece.rowCount, size = stateSize(rows: rows), state = states + piece.firstState
    let own = rows * piece.segment / piece.segmentCount..<rows * (piece.segment + 1) / piece.segmentCount
    for segment in 1..<max(1, piece.segmentCount) {
      merge(segment, of: piece, rows: own, state + segment * size, into: state)
    }
    finish(piece, rows: own, state)
  }

  /// Packs the queries into the memory given, behind which lies the kernel's own.
  private func packedTile(_ piece: AttentionPiece, _ memory: UnsafeMutablePointer<Float>) -> swiftlet_attention_tile {
    let rows = piece.rowCount, dimension = shape.keyDimension, padded = Self.padded(dimension)
    let isRounded = !isExact && shape.type == .bfloat16 && table.pointee.attends_bf16 != 0
    var tile = swiftlet_attention_tile(), target = memory
    let scores = memory + rows * padded, factors = scores + rows * KeyValueBlocks.blockLength, panel = factors + Self.padded(rows)
    for row in piece.firstRow..<piece.firstRow + piece.tokens.count {
      for head in piece.heads {
        let source = queries + (row * heads + head) * dimension, scaled = isRounded ? panel : target
        for i in 0..<dimension { scaled[i] = source[i] * scale }
        if isRounded {
          table.pointee.prepare_input(ElementType.bfloat16.rawValue, scaled, dimension, target)
        } else {
          (target + dimension).update(repeating: 0, count: padded - dimension)
        }
        target += padded
      }
    }
    tile.rows = rows
    tile.rows_per_token = piece.heads.count
    tile.key_dimension = dimension
    tile.value_dimension = shape.valueDimension
    tile.is_rounded = isRounded ? 1 : 0
    tile.queries = UnsafeRawPointer(memory)
    tile.query_bytes = padded * MemoryLayout<Float>.stride
    tile.sum_stride = Self.padded(shape.valueDimension)
    (tile.scores, tile.factors, tile.panel) = (scores, factors, panel)
    return tile
  }

  /// The positions of one segment, from an empty state.
  private func computeSegment(
    _ segment: Int, of piece: AttentionPiece, _ tile: inout swiftlet_attention_tile, state: UnsafeMutablePointer<Float>
  ) {
    let rows = piece.rowCount, length = KeyValueBlocks.blockLength
    tile.sums = state
    tile.maximums = state + rows * tile.sum_stride
    tile.totals = tile.maximums + Self.padded(rows)
    tile.sums.update(repeating: 0, count: rows * tile.sum_stride)
    tile.maximums.update(repeating: -.infinity, count: rows)
    tile.totals.update(repeating: 0, count: rows)
    let bytes = shape.type.blockBytes, seen = piece.startPosition + piece.tokens.upperBound
    let keyStart = piece.keyHead * length * shape.keyDimension * bytes
    let valueStart = piece.keyHead * length * shape.valueStride * bytes
    let first = segment * KeyValueBlocks.blocksPerSegment
    let count = (seen + length - 1) / length, last = min(first + KeyValueBlocks.blocksPerSegment, count) - 1
    for index in first..<last + 1 {
      let next = index < last ? index + 1 : first + segmentStep * KeyValueBlocks.blocksPerSegment
      tile.next_keys = next < count ? UnsafeRawPointer(piece.keys[next] + keyStart) : nil
      tile.next_values = next < count ? UnsafeRawPointer(piece.values[next] + valueStart) : nil
      table.pointee.attend(
        &tile, shape.type.rawValue, piece.keys[index] + keyStart, shape.keyDimension, piece.values[index] + valueStart,
        shape.valueStride, piece.firstSeen - index * length)
    }
  }

  /// Adds the state after a segment to that of the segments before, for rows that see any of it.
  private func merge(
    _ segment: Int, of piece: AttentionPiece, rows: Range<Int>, _ later: UnsafeMutablePointer<Float>,
    into state: UnsafeMutablePointer<Float>
  ) {
    let count = piece.rowCount, stride = Self.padded(shape.valueDimension)
    let maximums = count * stride, totals = maximums + Self.padded(count)
    for row in rows where piece.firstSeen + row / piece.heads.count > segment * KeyValueBlocks.segmentLength {
      table.pointee.merge_attention(
        state + maximums + row, state + totals + row, state + row * stride, later[maximums + row], later[totals + row],
        later + row * stride, shape.valueDimension)
    }
  }

  /// Sums divided by totals, into the result; and the totals' logarithms.
  private func finish(_ piece: AttentionPiece, rows: Range<Int>, _ state: UnsafeMutablePointer<Float>) {
    let count = piece.rowCount, stride = Self.padded(shape.valueDimension), dimension = shape.valueDimension
    let maximums = state + count * stride, totals = maximums + Self.padded(count)
    for row in rows {
      let token = piece.firstRow + row / piece.heads.count, head = piece.heads.lowerBound + row % piece.heads.count
      let target = result + (token * heads + head) * dimension, source = state + row * stride, factor = 1 / totals[row]
      logSums?[head * logSumStride + token] = maximums[row] + naturalLogarithm(totals[row])
      for i in 0..<dimension { target[i] = source[i] * factor }
    }
  }
}
