/// One byte for every Unicode scalar, in two stages: equal blocks of 256 scalars are stored once. The first block is ASCII
/// and Latin-1, so a byte below 0x80 indexes `values` directly.
struct ScalarTable: Sendable {
  private(set) var blocks: [UInt16] = []
  private(set) var values: [UInt8] = []

  init(_ value: (UInt32) -> UInt8) {
    var known: [[UInt8]: UInt16] = [:]
    blocks.reserveCapacity(0x1100)
    for block in UInt32(0)..<0x1100 {
      let content = [UInt8](unsafeUninitializedCapacity: 256) { buffer, count in
        for low in UInt32(0)..<256 { buffer[Int(low)] = value(block << 8 | low) }
        count = 256
      }
      if let index = known[content] {
        blocks.append(index)
      } else {
        let index = UInt16(known.count)
        known[content] = index
        blocks.append(index)
        values += content
      }
    }
  }

  @inline(__always)
  subscript(scalar: UInt32) -> UInt8 { values[Int(blocks[Int(scalar >> 8)]) << 8 | Int(scalar & 0xFF)] }
}

/// Valid UTF-8 together with the class of every scalar: what the scanners read. It does not own its memory.
struct ScalarText {
  let bytes: UnsafePointer<UInt8>
  /// The end of the text in bytes.
  let end: Int
  private let blocks: UnsafePointer<UInt16>
  private let values: UnsafePointer<UInt8>

  /// Runs `body` with a view of the text classified by the table.
  @inline(__always)
  static func with<Result>(_ text: UnsafeBufferPointer<UInt8>, _ table: ScalarTable, _ body: (ScalarText) -> Result) -> Result? {
    guard let bytes = text.baseAddress else { return nil }
    return table.blocks.withUnsafeBufferPointer { blocks in
      table.values.withUnsafeBufferPointer { values in
        guard let blocks = blocks.baseAddress, let values = values.baseAddress else { return nil }
        return body(ScalarText(bytes: bytes, end: text.count, blocks: blocks, values: values))
      }
    }
  }

  /// The class of the scalar that starts at a position before the end, and where the next one starts.
  @inline(__always)
  func classify(_ position: Int) -> (kind: UInt8, next: Int) {
    let first = bytes[position]
    if first < 0x80 { return (values[Int(first)], position + 1) }
    let (value, next) = decodeMultiByte(bytes, position)
    return (values[Int(blocks[Int(value >> 8)]) << 8 | Int(value & 0xFF)], next)
  }

  @inline(__always)
  func kind(_ position: Int) -> UInt8 { classify(position).kind }

  /// Skips scalars with any of the classes, up to `limit`.
  @inline(__always)
  func skip(_ classes: UInt8, from start: Int, to limit: Int) -> Int {
    var position = start
    while position < limit {
      let (kind, next) = classify(position)
      if kind & classes == 0 { break }
      position = next
    }
    return position
  }

  /// Skips scalars with none of the classes.
  @inline(__always)
  func skip(without classes: UInt8, from start: Int, to limit: Int) -> Int {
    var position = start
    while position < limit {
      let (kind, next) = classify(position)
      if kind & classes != 0 { break }
      position = next
    }
    return position
  }
}

/// Decodes a scalar of two to four bytes; the text must be valid UTF-8.
@inline(__always)
func decodeMultiByte(_ bytes: UnsafePointer<UInt8>, _ position: Int) -> (value: UInt32, next: Int) {
  let first = UInt32(bytes[position])
  let second = UInt32(bytes[position + 1] & 0x3F)
  if first < 0xE0 { return ((first & 0x1F) << 6 | second, position + 2) }
  let third = UInt32(bytes[position + 2] & 0x3F)
  if first < 0xF0 { return ((first & 0x0F) << 12 | second << 6 | third, position + 3) }
  return ((first & 0x07) << 18 | second << 12 | third << 6 | UInt32(bytes[position + 3] & 0x3F), position + 4)
}

/// The scalar at a position of valid UTF-8, and where the next one starts.
@inline(__always)
func decodeScalar(_ bytes: UnsafePointer<UInt8>, _ position: Int) -> (value: UInt32, next: Int) {
  let first = bytes[position]
  return first < 0x80 ? (UInt32(first), position + 1) : decodeMultiByte(bytes, position)
}
