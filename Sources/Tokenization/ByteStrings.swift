/// Byte strings in one allocation, by index.
struct ByteStrings: Sendable {
  private(set) var bytes: [UInt8] = []
  private var ends: [Int] = []

  var count: Int { ends.count }
  var indices: Range<Int> { ends.indices }

  mutating func reserve(_ count: Int) { ends.reserveCapacity(count) }

  mutating func append(_ string: some Sequence<UInt8>) {
    bytes.append(contentsOf: string)
    ends.append(bytes.count)
  }

  @inline(__always)
  func range(_ index: Int) -> Range<Int> { (index == 0 ? 0 : ends[index - 1])..<ends[index] }

  subscript(index: Int) -> ArraySlice<UInt8> { bytes[range(index)] }
}

/// Finds byte strings by content. Keys are bytes, never `String`: two tokens may be canonically equivalent.
struct ByteStringIndex: Sendable {
  /// Half a hash in the upper half, the string's index in the lower; `free` where there is none. A power of two, at most
  /// half full.
  private var slots: [UInt64]
  private var count = 0
  private let hash = SeededHash()
  private static let free = UInt64.max

  init(capacity: Int) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    slots = [UInt64](repeating: Self.free, count: size)
  }

  /// Adds a string; false when an equal one is there already.
  mutating func insert(_ index: Int, of strings: ByteStrings) -> Bool {
    if (count + 1) * 2 > slots.count { grow() }
    let entry = strings.bytes.withUnsafeBufferPointer { bytes -> (slot: Int, value: UInt64)? in
      let key = UnsafeBufferPointer(rebasing: bytes[strings.range(index)])
      let hash = self.hash(key)
      let slot = slot(of: key, hash, strings, bytes)
      return slots[slot] == Self.free ? (slot, hash & 0xFFFF_FFFF_0000_0000 | UInt64(index)) : nil
    }
    guard let entry else { return false }
    slots[entry.slot] = entry.value
    count += 1
    return true
  }

  private mutating func grow() {
    let old = slots
    slots = [UInt64](repeating: Self.free, count: old.count * 2)
    let mask = slots.count - 1
    for entry in old where entry != Self.free {
      var slot = Int(truncatingIfNeeded: entry >> 32) & mask
      while slots[slot] != Self.free { slot = (slot + 1) & mask }
      slots[slot] = entry
    }
  }

  func find(_ key: UnsafeBufferPointer<UInt8>, in strings: ByteStrings) -> Int? {
    let entry = strings.bytes.withUnsafeBufferPointer { slots[slot(of: key, hash(key), strings, $0)] }
    return entry == Self.free ? nil : Int(truncatingIfNeeded: entry & 0xFFFF_FFFF)
  }

  /// The slot that holds the key, or the free one where it belongs.
  private func slot(
    of key: UnsafeBufferPointer<UInt8>, _ hash: UInt64, _ strings: ByteStrings, _ bytes: UnsafeBufferPointer<UInt8>
  ) -> Int {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: hash >> 32) & mask
    while slots[slot] != Self.free {
      if slots[slot] >> 32 == hash >> 32 {
        let range = strings.range(Int(truncatingIfNeeded: slots[slot] & 0xFFFF_FFFF))
        if range.count == key.count, UnsafeBufferPointer(rebasing: bytes[range]).elementsEqual(key) { break }
      }
      slot = (slot + 1) & mask
    }
    return slot
  }
}
