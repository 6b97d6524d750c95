public import SwiftletTensors

/// What a sequence's attention remembers, in blocks of 64 positions that hold every layer.
///
/// Copies share blocks until one of them writes to a block, and so do those that were handed out (`wholeBlocks`).
///
/// Latent attention keeps the normed latent and the rotated shared key of a position (V3: 576 values a layer); grouped-query
/// attention keeps keys and values, and so does latent attention with weights in memory.
public final class KeyValueCache {
  /// Positions stored so far.
  public private(set) var count = 0
  /// The most positions this cache may hold.
  public let capacity: Int
  private let layout: Layout
  private var blocks: [Storage] = []
  /// Where the blocks are, made once for all layers.
  private var addresses: [UnsafeMutableRawPointer] = []

  struct Layout {
    let type: ElementType
    let layerCount: Int
    let headCount: Int
    let keyDimension: Int
    let valueDimension: Int
    /// Values are the leading part of keys, and not stored again.
    let isLatent: Bool

    /// - Parameters:
    ///   - layerCount: the decoder's layers, and the one that predicts further tokens.
    ///   - isExpanded: whether latent attention's keys and values are kept for every head.
    init(_ configuration: ModelConfiguration, layerCount: Int, type: ElementType, isExpanded: Bool = false) {
      self.type = type
      self.layerCount = layerCount
      switch configuration.attention {
      case .groupedQuery(let heads, let dimension):
        (headCount, keyDimension, valueDimension, isLatent) = (heads, dimension, dimension, false)
      case .latent(let latent) where isExpanded:
        (headCount, keyDimension, valueDimension) = (
          configuration.headCount, latent.plainDimension + latent.rotaryDimension, latent.valueDimension
        )
        isLatent = false
      case .latent(let latent):
        (headCount, keyDimension, valueDimension) = (1, latent.keyValueRank + latent.rotaryDimension, latent.keyValueRank)
        isLatent = true
      }
    }

    var keyBytes: Int { headCount * KeyValueBlocks.blockLength * keyDimension * type.blockBytes }
    var valueBytes: Int { isLatent ? 0 : headCount * KeyValueBlocks.blockLength * valueDimension * type.blockBytes }
    var blockBytes: Int { layerCount * (keyBytes + valueBytes) }

    /// A petabyte stands for more than that: what no machine has, and sums of which are still numbers.
    private static let maximumBytes = 1 << 50

    /// Bytes that so many positions take.
    func bytes(positions: Int) -> Int {
      let length = KeyValueBlocks.blockLength
      let (bytes, overflow) = blockBytes.multipliedReportingOverflow(by: (positions + length - 1) / length)
      return overflow ? Self.maximumBytes : min(bytes, Self.maximumBytes)
    }
  }

  init(layout: Layout, capacity: Int) {
    self.layout = layout
    self.capacity = capacity
  }

  /// Sets memory aside for `added` further positions.
  func reserve(_ added: Int) {
    let length = KeyValueBlocks.blockLength, next = count / length
    // Of the blocks there are, only this one is written to.
    if next < blocks.count, !isKnownUniquelyReferenced(&blocks[next]) {
      blocks[next] = Storage(copying: blocks[next])
      addresses[next] = blocks[next].address
    }
    while blocks.count * length < count + added { append(Storage(byteCount: layout.blockBytes)) }
  }

  /// Marks positions as stored, once every layer has stored them.
  func advance(_ added: Int) { count += added }

  /// Forgets all positions from `count` on.
  public func truncate(to count: Int) {
    guard count < self.count else { return }
    self.count = max(0, count)
    let length = KeyValueBlocks.blockLength
    blocks.removeSubrange((self.count + length - 1) / length..<blocks.count)
    addresses.removeSubrange(blocks.count..<addresses.count)
  }

  /// A cache with the first `count` positions, which takes no memory until it grows.
  public func copy(of count: Int) -> KeyValueCache {
    let copy = KeyValueCache(layout: layout, capacity: capacity)
    copy.count = min(max(0, count), self.count)
    let length = KeyValueBlocks.blockLength
    for block in blocks.prefix((copy.count + length - 1) / length) { copy.append(block) }
    return copy
  }

  /// Positions of a block.
  public static var blockLength: Int { KeyValueBlocks.blockLength }
  /// Bytes of a block.
  public var blockBytes: Int { layout.blockBytes }

  /// The blocks that the first `count` positions fill, in order; they are not written to any more.
  public func wholeBlocks(of count: Int) -> ArraySlice<Storage> {
    blocks.prefix(min(max(0, count), self.count) / KeyValueBlocks.blockLength)
  }

  /// Goes on with a block of another cache of the same decoder, behind whole blocks alone.
  public func append(wholeBlock block: Storage) {
    precondition(
      count == blocks.count * KeyValueBlocks.blockLength && block.byteCount == layout.blockBytes,
      "append: \(count) positions, a block of \(block.byteCount) bytes")
    append(block)
    count += KeyValueBlocks.blockLength
  }

  private func append(_ block: Storage) {
    blocks.append(block)
    addresses.append(block.address)
  }

  /// Appends copies of the stored blocks until `total` positions are stored. Speed does not depend on what a cache holds: this makes a
  /// long one without computing it. The positions stored must be whole blocks, one at least.
  public func repeatBlocks(until total: Int) {
    let length = KeyValueBlocks.blockLength, stored = count / length
    precondition(stored > 0 && count % length == 0, "repeatBlocks: \(count) positions")
    while count < total {
      append(Storage(copying: blocks[blocks.count % stored]))
      count = min(total, count + length)
    }
  }

  /// The blocks of one layer.
  func layer(_ index: Int) -> KeyValueBlocks {
    let start = index * (layout.keyBytes + layout.valueBytes)
    return KeyValueBlocks(
      keys: addresses, values: addresses, keyOffset: start, valueOffset: layout.isLatent ? start : start + layout.keyBytes,
      type: layout.type, headCount: layout.headCount, keyDimension: layout.keyDimension, valueDimension: layout.valueDimension,
      valueStride: layout.isLatent ? layout.keyDimension : layout.valueDimension)
  }
}
