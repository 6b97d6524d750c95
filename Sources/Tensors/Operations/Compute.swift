/// Runs operations: the kernels of one variant, a pool of threads, and the memory for results.
///
/// Every operation takes whole tensors and returns a new one whose memory lives until `beginPass`. Rows are positions or
/// samples; a row's result never depends on how many rows are computed with it, nor on the number of threads.
public final class Compute {
  public let kernels: Kernels
  public let pool: WorkerPool
  private var arena = Arena()
  private var scratch: [Storage]
  /// What the last call of `attention` was split into; kept for its memory.
  var attentionPieces: [AttentionPiece] = []

  /// - Parameters:
  ///   - threadCount: threads at work, the caller among them.
  ///   - kernels: the variant; the best one this CPU can run unless told otherwise.
  public init(threadCount: Int, kernels: Kernels = .best) {
    self.kernels = kernels
    pool = WorkerPool(threadCount: threadCount)
    scratch = (0..<pool.threadCount).map { _ in Storage(byteCount: 64) }
  }

  /// Takes back the memory of all results so far.
  public func beginPass() { arena.release() }

  /// Runs a part of a pass and takes back the memory of the results made in it, which must not be used afterwards.
  public func releasing(_ body: () -> Void) {
    let mark = arena.mark
    body()
    arena.release(to: mark)
  }

  /// An uninitialised F32 result.
  public func make(_ shape: Shape) -> Tensor { arena.floats(shape) }

  /// Makes sure every thread has this many bytes of scratch memory.
  func reserveScratch(_ byteCount: Int) {
    for index in scratch.indices where scratch[index].byteCount < byteCount { scratch[index] = Storage(byteCount: byteCount) }
  }

  /// Scratch memory of one thread, valid inside one piece of work.
  func scratchFloats(_ thread: Int) -> UnsafeMutablePointer<Float> { scratch[thread].address.assumingMemoryBound(to: Float.self) }

  /// Runs `body` over ranges of rows, on all threads when there is enough to do.
  func forRows(_ rows: Int, costPerRow: Int, _ body: (Range<Int>) -> Void) {
    let pieceRows = max(1, 16_384 / max(1, costPerRow))
    let pieces = (rows + pieceRows - 1) / pieceRows
    pool.run(pieces) { piece, _ in body(piece * pieceRows..<min(rows, (piece + 1) * pieceRows)) }
  }
}
