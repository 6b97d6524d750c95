/// Memory for activations: handed out in order, taken back in the opposite order. After the first pass over a model nothing is
/// allocated any more.
struct Arena {
  /// A place to go back to.
  struct Mark {
    fileprivate var chunk = 0
    fileprivate var used = 0
  }

  private static let smallestChunk = 1 << 20
  private var chunks: [Storage] = []
  private(set) var mark = Mark()

  /// Takes back everything handed out since the mark. At the very start, chunks that had to be added are merged into one.
  mutating func release(to mark: Mark = Mark()) {
    if mark.chunk == 0, mark.used == 0, chunks.count > 1 {
      let total = chunks.reduce(0) { $0 + $1.byteCount }
      chunks = []
      chunks = [Storage(byteCount: total)]
    }
    self.mark = mark
  }

  /// Uninitialised F32 values; they live until they are released.
  mutating func floats(_ shape: Shape) -> Tensor {
    let bytes = (shape.count * 4 + 63) / 64 * 64
    while mark.chunk < chunks.count {
      let chunk = chunks[mark.chunk]
      if mark.used + bytes <= chunk.byteCount {
        defer { mark.used += bytes }
        return Tensor(storage: chunk, byteOffset: mark.used, shape: shape, type: .float32)
      }
      mark = Mark(chunk: mark.chunk + 1, used: 0)
    }
    chunks.append(Storage(byteCount: max(bytes, Self.smallestChunk, chunks.last?.byteCount ?? 0)))
    mark = Mark(chunk: chunks.count - 1, used: bytes)
    return Tensor(storage: chunks[chunks.count - 1], byteOffset: 0, shape: shape, type: .float32)
  }
}
