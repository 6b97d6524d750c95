/// Memory of one activation or gradient, counted by hand so that it can be used again at once.
final class Buffer {
  let storage: Storage
  fileprivate(set) var references = 1

  fileprivate init(_ storage: Storage) { self.storage = storage }

  var floats: UnsafeMutablePointer<Float> { storage.address.assumingMemoryBound(to: Float.self) }
}

/// Hands out memory and takes it back. A training step asks for the same sizes every time, or for nearly the same where answers differ in
/// length, so after the first one hardly anything is allocated any more.
final class BufferPool {
  private static let grain = 4096
  /// What is taken may be larger than what was asked for by one part of so many.
  private static let waste = 4
  /// By size, the smallest first; of one size the one that was given back last is last.
  private var free: [Buffer] = []
  /// Bytes of all buffers, in use or not.
  private(set) var byteCount = 0
  private var usedBytes = 0
  /// The most that were in use together.
  private var mostUsedBytes = 0

  /// Room for so many F32 values; they may hold anything.
  func take(_ count: Int) -> Buffer {
    let bytes = max(1, (count * 4 + Self.grain - 1) / Self.grain) * Self.grain, first = place(of: bytes)
    if first < free.count, free[first].storage.byteCount <= bytes + bytes / Self.waste {
      let buffer = free.remove(at: place(of: free[first].storage.byteCount + 1) - 1)
      buffer.references = 1
      note(buffer)
      return buffer
    }
    byteCount += bytes
    let buffer = Buffer(Storage.pages(byteCount: bytes, large: true) ?? Storage(byteCount: bytes))
    note(buffer)
    return buffer
  }

  func retain(_ buffer: Buffer) { buffer.references += 1 }

  func release(_ buffer: Buffer) {
    buffer.references -= 1
    precondition(buffer.references >= 0, "a buffer was released twice")
    guard buffer.references == 0 else { return }
    usedBytes -= buffer.storage.byteCount
    free.insert(buffer, at: place(of: buffer.storage.byteCount + 1))
  }

  /// Gives the memory that is not in use back to the system when there is half as much again as was ever in use together: where sizes
  /// change from step to step, old ones would heap up.
  func trim() {
    guard byteCount > mostUsedBytes + mostUsedBytes / 2 else { return }
    byteCount -= free.reduce(0) { $0 + $1.storage.byteCount }
    free = []
  }

  private func note(_ taken: Buffer) {
    usedBytes += taken.storage.byteCount
    mostUsedBytes = max(mostUsedBytes, usedBytes)
  }

  /// Where the first free buffer of so many bytes or more is.
  private func place(of bytes: Int) -> Int {
    var low = 0, high = free.count
    while low < high {
      let middle = (low + high) / 2
      if free[middle].storage.byteCount < bytes { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
