/// Memory for activations: handed out in order, taken back all at once. After the first pass over a model nothing is
/// allocated any more.
struct Arena {
  private var chunks: [Storage] = []
  private var used = 0

  /// Takes every tensor back. Chunks that had to be added are merged, so that the next pass fits into one.
  mutating func reset() {
    if chunks.count > 1 {
      let total = chunks.reduce(0) { $0 + $1.byteCount }
      chunks = [Storage(byteCount: total)]
    }
    used = 0
  }

  /// Uninitialised F32 values; they live until `reset`.
  mutating func floats(_ shape: Shape) -> Tensor {
    let bytes = (shape.count * 4 + 63) / 64 * 64
    if let last = chunks.last, used + bytes <= last.byteCount {
      defer { used += bytes }
      return Tensor(storage: last, byteOffset: used, shape: shape, type: .float32)
    }
    let chunk = Storage(byteCount: max(bytes, 1 << 20, (chunks.last?.byteCount ?? 0)))
    chunks.append(chunk)
    used = bytes
    return Tensor(storage: chunk, byteOffset: 0, shape: shape, type: .float32)
  }
}
