/// Byte strings in one allocation, by index.
struct ByteStrings: Sendable {
  private(set) var bytes: [UInt8] = []
  private var ends: [Int] = []

  var count: Int { ends.count }
  var indices: Range<Int> { ends.indices }

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
  /// Indices into the strings, -1 where the slot is free; a power of two, at most half full.
  private var slots: [Int32]
  private var count = 0

  init(capacity: Int) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    slots = [Int32](repeating: -1, count: size)
  }

  /// Adds a string; false when an equal one is there already.
  mutating func insert(_ index: Int, of strings: ByteStrings) -> Bool {
    if (count + 1) * 2 > slots.count { grow(strings) }
    return strings.bytes.withUnsafeBufferPointer { bytes in
      let key = UnsafeBufferPointer(rebasing: bytes[strings.range(index)])
      let slot = slot(of: key, strings, bytes)
      guard slots[slot] < 0 else { return false }
      slots[slot] = Int32(truncatingIfNeeded: index)
      count += 1
      return true
    }
  }

  private mutating func grow(_ strings: ByteStrings) {
    let old = slots
    slots = [Int32](repeating: -1, count: old.count * 2)
    strings.bytes.withUnsafeBufferPointer { bytes in
      for index in old where index >= 0 {
        slots[slot(of: UnsafeBufferPointer(rebasing: bytes[strings.range(Int(index))]), strings, bytes)] = index
      }
    }
  }

  func find(_ key: UnsafeBufferPointer<UInt8>, in strings: ByteStrings) -> Int? {
    let index = strings.bytes.withUnsafeBufferPointer { slots[slot(of: key, strings, $0)] }
    return index < 0 ? nil : Int(index)
  }

  /// The slot that holds the key, or the free one where it belongs.
  private func slot(of key: UnsafeBufferPointer<UInt8>, _ strings: ByteStrings, _ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: Self.hash(key) >> 20) & mask
    while slots[slot] >= 0 {
      let range = strings.range(Int(slots[slot]))
      if range.count == key.count, bytes[range].elementsEqual(key) { break }
      slot = (slot + 1) & mask
    }
    return slot
  }

  private static func hash(_ key: UnsafeBufferPointer<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in key { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return (hash ^ hash >> 32) &* 0x9E37_79B9_7F4A_7C15
  }
}
