/// Keeps what a JSON text takes as values within four times its size, and a little for small texts.
///
/// A value takes 24 bytes and a member 40, but `1,` only two in a file, so dense texts are refused. Arrays are made in their final
/// size, since growing ones take up to three times what they hold. A tokenizer.json takes about 2.5 times its size.
struct JSONMemory {
  static let factor = 4
  /// What a text may take however small it is.
  static let floor = 16 << 20

  /// Elements of a container from which on they are counted before.
  private static let worthCounting = 32
  /// What an allocation takes beside its elements.
  private static let allocationBytes = 48
  /// Of nested containers.
  static let maximumDepth = 256

  let limit: Int
  private var used = 0
  /// Containers with many elements, by their opening bracket, in the text's order.
  private var large: [(position: Int, count: Int)] = []
  private var next = 0

  init() { limit = Self.floor }

  init(_ bytes: RawSpan) {
    limit = Self.factor * bytes.byteCount + Self.floor
    count(bytes)
    used = large.capacity * MemoryLayout<(Int, Int)>.stride
  }

  /// A pass over the text that knows strings and brackets and nothing else.
  private mutating func count(_ bytes: RawSpan) {
    var open: [(position: Int, count: Int)] = []
    var position = 0
    while position < bytes.byteCount {
      switch bytes.byte(position) {
      case UInt8(ascii: "\""):
        position += 1
        while position < bytes.byteCount, bytes.byte(position) != UInt8(ascii: "\"") {
          position += bytes.byte(position) == UInt8(ascii: "\\") ? 2 : 1
        }
      case UInt8(ascii: "["), UInt8(ascii: "{"):
        if open.count == Self.maximumDepth { return sort() }
        open.append((position, 1))
      case UInt8(ascii: "]"), UInt8(ascii: "}"):
        guard let container = open.popLast() else { return sort() }
        if container.count >= Self.worthCounting { large.append(container) }
      case UInt8(ascii: ","):
        if !open.isEmpty { open[open.count - 1].count += 1 }
      default: break
      }
      position += 1
    }
    sort()
  }

  private mutating func sort() { large.sort { $0.position < $1.position } }

  /// The elements of the container that opens at a position, where they are many; else 0.
  mutating func count(at position: Int) -> Int {
    while next < large.count, large[next].position < position { next += 1 }
    return next < large.count && large[next].position == position ? large[next].count : 0
  }

  /// Counts an allocation of so many bytes; false when it is too much.
  mutating func allow(_ bytes: Int) -> Bool {
    used += bytes + Self.allocationBytes
    return used <= limit
  }

  /// Counts a string, of which short ones are part of their value.
  mutating func allow(string utf8Count: Int) -> Bool { utf8Count <= 15 || allow(utf8Count) }
}

extension RawSpan {
  @inline(__always)
  func byte(_ offset: Int) -> UInt8 { unsafeLoad(fromByteOffset: offset, as: UInt8.self) }
}
