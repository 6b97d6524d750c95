/// Memory of one activation or gradient, counted by hand so that it can be used again at once.
final class Buffer {
  let storage: Storage
  fileprivate(set) var references = 1

  fileprivate init(_ storage: Storage) { self.storage = storage }

  var floats: UnsafeMutablePointer<Float> { storage.address.assumingMemoryBound(to: Float.self) }
}

/// Hands out memory and takes it back by size. A training step asks for the same sizes every time, so after the first one nothing is
/// allocated any more.
final class BufferPool {
  private static let grain = 4096
  private var free: [Int: [Buffer]] = [:]
  /// Bytes of all buffers, in use or not.
  private(set) var byteCount = 0

  /// Room for so many F32 values; they may hold anything.
  func take(_ count: Int) -> Buffer {
    let bytes = max(1, (count * 4 + Self.grain - 1) / Self.grain) * Self.grain
    if let buffer = free[bytes]?.popLast() {
      buffer.references = 1
      return buffer
    }
    byteCount += bytes
    return Buffer(Storage.pages(byteCount: bytes, large: true) ?? Storage(byteCount: bytes))
  }

  func retain(_ buffer: Buffer) { buffer.references += 1 }

  func release(_ buffer: Buffer) {
    buffer.references -= 1
    precondition(buffer.references >= 0, "a buffer was released twice")
    if buffer.references == 0 { free[buffer.storage.byteCount, default: []].append(buffer) }
  }

  /// Gives the memory that is not in use back to the system.
  func trim() {
    byteCount -= free.reduce(0) { $0 + $1.key * $1.value.count }
    free = [:]
  }
}
