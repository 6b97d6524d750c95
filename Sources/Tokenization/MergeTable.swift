/// What two neighbouring tokens merge to: open addressing over pairs of ids.
struct MergeTable: Sendable {
  fileprivate struct Entry: Sendable {
    var key: UInt64
    /// The rank in the upper half, the merged token's id in the lower.
    var value: UInt64
  }

  static let none = UInt64.max
  private var entries: [Entry] = []
  private var count = 0
  private var shift: UInt64 = 0
  private let hash = SeededHash()
  /// A bit by hash for every pair that is there: small enough for the cache, it answers for most pairs that do not merge.
  private var filter: [UInt64] = []

  private static let filterBitsPerEntry = 8
  /// Pairs that there is room for from the start. Most vocabularies have fewer; a file may list one pair many times, for which no
  /// room is taken.
  private static let maximumCapacity = 1 << 18

  /// - Parameter capacity: about how many pairs will come.
  init(capacity: Int) {
    let capacity = min(capacity, Self.maximumCapacity)
    var bits: UInt64 = 4
    while (1 << bits) < capacity * 2 { bits += 1 }
    allocate(bits)
  }

  private mutating func allocate(_ bits: UInt64) {
    entries = [Entry](repeating: Entry(key: .max, value: Self.none), count: 1 << Int(bits))
    shift = 64 - bits
    filter = [UInt64](repeating: 0, count: max(1, entries.count * Self.filterBitsPerEntry / 64))
  }

  /// Adds a pair; false when it is there already.
  mutating func insert(_ left: Int, _ right: Int, rank: Int, merged: Int) -> Bool {
    if (count + 1) * 2 > entries.count {
      let old = entries
      allocate(64 - shift + 1)
      for entry in old where entry.key != .max { _ = place(entry) }
    }
    guard place(Entry(key: UInt64(left) << 32 | UInt64(right), value: UInt64(rank) << 32 | UInt64(merged))) else { return false }
    count += 1
    return true
  }

  private mutating func place(_ entry: Entry) -> Bool {
    let hash = self.hash(entry.key)
    var slot = Int(truncatingIfNeeded: hash >> shift)
    while entries[slot].key != .max {
      if entries[slot].key == entry.key { return false }
      slot = (slot + 1) & (entries.count - 1)
    }
    entries[slot] = entry
    let bit = Int(truncatingIfNeeded: hash & 0xFFFF_FFFF) & (filter.count * 64 - 1)
    filter[bit / 64] |= 1 << UInt64(bit % 64)
    return true
  }

  func withView<Result>(_ body: (View) -> Result) -> Result? {
    entries.withUnsafeBufferPointer { entries in
      filter.withUnsafeBufferPointer { filter in
        guard let entry = entries.baseAddress, let word = filter.baseAddress else { return nil }
        return body(
          View(
            entries: entry, mask: entries.count - 1, shift: shift, hash: hash, filter: word, filterMask: filter.count * 64 - 1))
      }
    }
  }

  /// Read access without reference counting. It does not own its memory.
  struct View {
    fileprivate let entries: UnsafePointer<Entry>
    fileprivate let mask: Int
    fileprivate let shift: UInt64
    fileprivate let hash: SeededHash
    fileprivate let filter: UnsafePointer<UInt64>
    fileprivate let filterMask: Int

    /// The rank and the merged id of a pair, `none` when it does not merge.
    @inline(__always)
    func lookUp(_ left: UInt32, _ right: UInt32) -> UInt64 {
      let key = UInt64(left) << 32 | UInt64(right)
      let hash = self.hash(key)
      let bit = Int(truncatingIfNeeded: hash & 0xFFFF_FFFF) & filterMask
      if filter[bit / 64] >> UInt64(bit % 64) & 1 == 0 { return MergeTable.none }
      var slot = Int(truncatingIfNeeded: hash >> shift)
      while true {
        let entry = entries[slot]
        if entry.key == key || entry.key == .max { return entry.value }
        slot = (slot + 1) & mask
      }
    }
  }
}
