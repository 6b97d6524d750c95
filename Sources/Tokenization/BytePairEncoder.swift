/// Merges the bytes of one piece after the other to tokens. It keeps memory and results from piece to piece, so one
/// instance serves one encoding at a time.
///
/// `@unchecked Sendable`: the tokenizer's pool hands an instance to one caller, who has it alone until it goes back; the
/// pool's lock orders the two.
final class BytePairEncoder: @unchecked Sendable {
  /// A piece of at most 16 bytes and the tokens it became.
  private struct CacheSlot {
    var low: UInt64 = 0
    var high: UInt64 = 0
    /// 0 where the slot is free.
    var length: UInt8 = 0
    var count: UInt8 = 0
    var ids = InlineArray<5, Int32>(repeating: 0)
  }

  /// Pieces of up to this many symbols are merged by looking at all pairs, longer ones with a heap.
  private static let shortPiece = 64
  private static let maximumPiece = 1 << 30
  /// Symbols that an idle encoder keeps room for.
  static let keptSymbols = 1 << 16
  private static let cacheBits: UInt64 = 14

  private let cache: UnsafeMutablePointer<CacheSlot>
  private var symbols: UnsafeMutableBufferPointer<UInt32>
  private var pairs: UnsafeMutableBufferPointer<UInt64>
  private var links: [(previous: Int32, next: Int32)] = []
  private var heap = PairHeap()

  init() {
    cache = .allocate(capacity: 1 << Int(Self.cacheBits))
    cache.initialize(repeating: CacheSlot(), count: 1 << Int(Self.cacheBits))
    symbols = .allocate(capacity: 256)
    pairs = .allocate(capacity: 256)
  }

  deinit {
    cache.deallocate()
    symbols.deallocate()
    pairs.deallocate()
  }

  /// Appends the tokens of a piece.
  @inline(__always)
  func append(
    _ text: UnsafeBufferPointer<UInt8>, _ piece: Range<Int>, _ model: BytePairModel.View, to ids: inout [Int32]
  ) {
    guard let bytes = text.baseAddress else { return }
    let length = piece.count
    guard length <= 16 else {
      // Positions inside a piece have 31 bits.
      for start in stride(from: piece.lowerBound, to: piece.upperBound, by: Self.maximumPiece) {
        let count = min(Self.maximumPiece, piece.upperBound - start)
        merge(UnsafeBufferPointer(start: bytes + start, count: count), model, &ids)
      }
      return
    }
    let (low, high) = Self.load(bytes, piece.lowerBound, length, text.count)
    let hash = ((low ^ (high &* 0xFF51_AFD7_ED55_8CCD)) &+ UInt64(length)) &* 0x9E37_79B9_7F4A_7C15
    let slot = cache + Int(truncatingIfNeeded: hash >> (64 - Self.cacheBits))
    if slot.pointee.low == low, slot.pointee.high == high, slot.pointee.length == UInt8(length) {
      for index in 0..<Int(slot.pointee.count) { ids.append(slot.pointee.ids[index]) }
      return
    }
    let start = ids.count
    merge(UnsafeBufferPointer(start: bytes + piece.lowerBound, count: length), model, &ids)
    let count = ids.count - start
    guard count <= 5 else { return }
    slot.pointee.low = low
    slot.pointee.high = high
    slot.pointee.length = UInt8(length)
    slot.pointee.count = UInt8(count)
    for index in 0..<count { slot.pointee.ids[index] = ids[start + index] }
  }

  /// Up to 16 bytes as two integers, zeros behind them.
  @inline(__always)
  private static func load(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ length: Int, _ end: Int) -> (UInt64, UInt64) {
    let raw = UnsafeRawPointer(bytes + start)
    if start + 16 <= end {
      let low = raw.loadUnaligned(as: UInt64.self)
      if length <= 8 { return (UInt64(littleEndian: low) & (~0 >> UInt64(64 - 8 * length)), 0) }
      let high = raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
      return (UInt64(littleEndian: low), UInt64(littleEndian: high) & (~0 >> UInt64(128 - 8 * length)))
    }
    var low: UInt64 = 0
    var high: UInt64 = 0
    for index in 0..<length {
      let byte = UInt64(bytes[start + index])
      if index < 8 { low |= byte << UInt64(8 * index) } else { high |= byte << UInt64(8 * (index - 8)) }
    }
    return (low, high)
  }

  private func merge(_ piece: UnsafeBufferPointer<UInt8>, _ model: BytePairModel.View, _ ids: inout [Int32]) {
    if model.ignoresMerges, let id = model.token(piece) {
      ids.append(Int32(truncatingIfNeeded: id))
      return
    }
    if symbols.count < piece.count { resize(piece.count + piece.count / 2) }
    guard let symbols = symbols.baseAddress, let pairs = pairs.baseAddress else { return }
    var count = model.symbols(piece, symbols)
    if count <= Self.shortPiece {
      count = Self.mergeShort(symbols, pairs, count, model.merges)
    } else {
      count = Self.mergeLong(symbols, pairs, &links, &heap, count, model.merges)
    }
    for index in 0..<count { ids.append(Int32(truncatingIfNeeded: symbols[index])) }
  }

  /// Symbols that there is room for.
  var capacity: Int { symbols.count }

  /// Gives back what a long piece took, before an idle encoder keeps it: some sixty bytes for each of the piece.
  func trim() {
    guard capacity > Self.keptSymbols else { return }
    resize(256)
    links = []
    heap = PairHeap()
  }

  private func resize(_ capacity: Int) {
    symbols.deallocate()
    pairs.deallocate()
    symbols = .allocate(capacity: capacity)
    pairs = .allocate(capacity: capacity)
  }

  /// Merges in place, the lowest rank first and among equals the leftmost; returns how many symbols are left.
  private static func mergeShort(
    _ symbols: UnsafeMutablePointer<UInt32>, _ pairs: UnsafeMutablePointer<UInt64>, _ symbolCount: Int, _ merges: MergeTable.View
  ) -> Int {
    var count = symbolCount
    guard count > 1 else { return count }
    for index in 0..<(count - 1) { pairs[index] = merges.lookUp(symbols[index], symbols[index + 1]) }
    while count > 1 {
      var best = MergeTable.none
      var position = 0
      for index in 0..<(count - 1) where pairs[index] < best {
        best = pairs[index]
        position = index
      }
      if best == MergeTable.none { break }
      symbols[position] = UInt32(truncatingIfNeeded: best)
      for index in (position + 1)..<(count - 1) {
        symbols[index] = symbols[index + 1]
        pairs[index] = pairs[index + 1]
      }
      // The pair that followed moved onto the merged symbol's right neighbour.
      count -= 1
      if position < count - 1 { pairs[position] = merges.lookUp(symbols[position], symbols[position + 1]) }
      if position > 0 { pairs[position - 1] = merges.lookUp(symbols[position - 1], symbols[position]) }
    }
    return count
  }

  /// The same with a linked list and a heap of pairs: n log n for pieces of any length.
  private static func mergeLong(
    _ symbols: UnsafeMutablePointer<UInt32>, _ pairs: UnsafeMutablePointer<UInt64>,
    _ links: inout [(previous: Int32, next: Int32)], _ heap: inout PairHeap, _ count: Int, _ merges: MergeTable.View
  ) -> Int {
    links.removeAll(keepingCapacity: true)
    heap.removeAll()
    for index in 0..<count {
      let isLast = index + 1 == count
      links.append((Int32(truncatingIfNeeded: index - 1), isLast ? -1 : Int32(truncatingIfNeeded: index + 1)))
      pairs[index] = isLast ? MergeTable.none : merges.lookUp(symbols[index], symbols[index + 1])
      heap.push(pairs[index], index)
    }
    while let (rank, position) = heap.pop() {
      // A pair whose tokens have merged with others since is stale.
      guard pairs[position] >> 32 == rank, pairs[position] != MergeTable.none else { continue }
      let right = Int(links[position].next)
      symbols[position] = UInt32(truncatingIfNeeded: pairs[position])
      pairs[right] = MergeTable.none
      let following = Int(links[right].next)
      links[position].next = links[right].next
      pairs[position] = MergeTable.none
      if following >= 0 {
        links[following].previous = Int32(truncatingIfNeeded: position)
        pairs[position] = merges.lookUp(symbols[position], symbols[following])
        heap.push(pairs[position], position)
      }
      let before = Int(links[position].previous)
      if before >= 0 {
        pairs[before] = merges.lookUp(symbols[before], symbols[position])
        heap.push(pairs[before], before)
      }
    }
    var left = 0
    var position = 0
    while position >= 0 {
      symbols[left] = symbols[position]
      left += 1
      position = Int(links[position].next)
    }
    return left
  }
}

/// The pairs that may merge, the lowest rank first and among equals the leftmost.
private struct PairHeap {
  /// The rank in the upper half, the position in the lower.
  private var keys: [UInt64] = []

  mutating func removeAll() { keys.removeAll(keepingCapacity: true) }

  @inline(__always)
  mutating func push(_ pair: UInt64, _ position: Int) {
    guard pair != MergeTable.none else { return }
    let key = pair & 0xFFFF_FFFF_0000_0000 | UInt64(position)
    keys.append(key)
    keys.withUnsafeMutableBufferPointer { keys in
      var child = keys.count - 1
      while child > 0 {
        let parent = (child - 1) / 2
        guard keys[parent] > key else { break }
        keys[child] = keys[parent]
        child = parent
      }
      keys[child] = key
    }
  }

  @inline(__always)
  mutating func pop() -> (rank: UInt64, position: Int)? {
    guard let top = keys.first, let key = keys.popLast() else { return nil }
    if !keys.isEmpty {
      keys.withUnsafeMutableBufferPointer { keys in
        var parent = 0
        while true {
          var child = 2 * parent + 1
          guard child < keys.count else { break }
          if child + 1 < keys.count, keys[child + 1] < keys[child] { child += 1 }
          guard keys[child] < key else { break }
          keys[parent] = keys[child]
          parent = child
        }
        keys[parent] = key
      }
    }
    return (top >> 32, Int(top & 0xFFFF_FFFF))
  }
}
