internal import CSwiftletKernels
internal import Dispatch
internal import Foundation
internal import Synchronization

/// Threads that run the pieces of one operation. The caller works too, so a pool of one thread starts none.
///
/// Pieces are handed out one by one as threads come free. A piece writes only its own results, so the outcome does not depend
/// on who runs it. Workers spin briefly between operations, since the next one is microseconds away, then sleep.
/// `run` must not be called by two threads at once: the engine that owns the pool runs one operation after another.
public final class WorkerPool: Sendable {
  public let threadCount: Int
  private let shared: Shared

  /// - Parameter threadCount: threads at work, the caller among them; at least 1.
  public init(threadCount: Int) {
    self.threadCount = max(1, threadCount)
    shared = Shared(workerCount: self.threadCount - 1)
    for index in 0..<shared.sleepers.count {
      let thread = Thread { [shared] in shared.serve(worker: index) }
      thread.name = "swiftlet-worker-\(index + 1)"
      thread.stackSize = 1 << 20
      thread.start()
    }
  }

  deinit { shared.stop() }

  /// Calls `body(piece, thread)` once for every piece in `0..<pieceCount` and returns when all are done.
  /// - Parameter body: gets the piece and the index of the thread that runs it, below `threadCount`, for scratch memory.
  public func run(_ pieceCount: Int, _ body: (_ piece: Int, _ thread: Int) -> Void) {
    if threadCount == 1 || pieceCount <= 1 {
      for piece in 0..<pieceCount { body(piece, 0) }
    } else {
      withoutActuallyEscaping(body) { shared.run(pieceCount, $0) }
    }
  }
}

/// What the caller and the workers share.
///
/// `@unchecked Sendable`: `body` and `pieceCount` are written by the one caller while no worker is inside an operation
/// (`busyWorkers` is 0), and are published to the workers by the change of `epoch`; all else is atomic or constant.
private final class Shared: @unchecked Sendable {
  private static let spinsBeforeYield = 2_000
  private static let spinsBeforeSleep = 20_000

  final class Sleeper: Sendable {
    let isAsleep = Atomic<Bool>(false)
    let semaphore = DispatchSemaphore(value: 0)
  }

  let sleepers: [Sleeper]
  private let epoch = Atomic<Int>(0)
  private let nextPiece = Atomic<Int>(0)
  private let busyWorkers = Atomic<Int>(0)
  private let isStopped = Atomic<Bool>(false)
  private var body: ((Int, Int) -> Void)?
  private var pieceCount = 0

  init(workerCount: Int) { sleepers = (0..<workerCount).map { _ in Sleeper() } }

  func run(_ pieceCount: Int, _ body: @escaping (Int, Int) -> Void) {
    self.body = body
    self.pieceCount = pieceCount
    nextPiece.store(0, ordering: .relaxed)
    busyWorkers.store(sleepers.count, ordering: .relaxed)
    startEpoch()
    takePieces(thread: 0)
    var spins = 0
    while busyWorkers.load(ordering: .acquiring) != 0 {
      spins += 1
      if spins < Self.spinsBeforeYield { swiftlet_pause() } else { sched_yield() }
    }
    self.body = nil
  }

  func stop() {
    isStopped.store(true, ordering: .sequentiallyConsistent)
    startEpoch()
  }

  func serve(worker: Int) {
    var seen = 0
    while true {
      seen = waitForEpoch(after: seen, sleeper: sleepers[worker])
      if isStopped.load(ordering: .sequentiallyConsistent) { return }
      takePieces(thread: worker + 1)
      busyWorkers.subtract(1, ordering: .acquiringAndReleasing)
    }
  }

  private func startEpoch() {
    epoch.add(1, ordering: .sequentiallyConsistent)
    for sleeper in sleepers where sleeper.isAsleep.exchange(false, ordering: .sequentiallyConsistent) {
      sleeper.semaphore.signal()
    }
  }

  private func takePieces(thread: Int) {
    guard let body else { return }
    while true {
      let piece = nextPiece.add(1, ordering: .relaxed).oldValue
      if piece >= pieceCount { return }
      body(piece, thread)
    }
  }

  private func waitForEpoch(after seen: Int, sleeper: Sleeper) -> Int {
    var spins = 0
    while true {
      let now = epoch.load(ordering: .sequentiallyConsistent)
      if now != seen { return now }
      spins += 1
      if spins < Self.spinsBeforeYield {
        swiftlet_pause()
      } else if spins < Self.spinsBeforeSleep {
        if spins % 64 == 0 { sched_yield() } else { swiftlet_pause() }
      } else {
        sleeper.isAsleep.store(true, ordering: .sequentiallyConsistent)
        // Whoever clears the flag decides: the caller, who then signals, or this thread, when the epoch changed meanwhile.
        if epoch.load(ordering: .sequentiallyConsistent) == seen
          || !sleeper.isAsleep.exchange(false, ordering: .sequentiallyConsistent)
        {
          sleeper.semaphore.wait()
        }
        spins = 0
      }
    }
  }
}
