internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletTensors

/// Threads that bring experts from disk into memory while others compute.
final class ExpertReader: Sendable {
  /// One matrix of an expert: the pages of the file that it lies in, as they are, to a place in memory.
  struct Read: Sendable {
    let expert: Int
    let source: Tensor
    let file: DirectFile?
    let target: Storage
    /// A multiple of a page.
    let targetOffset: Int

    var pages: Range<Int> { Self.pages(of: source) }

    static func pages(of tensor: Tensor) -> Range<Int> {
      let page = DirectFile.alignment
      return tensor.byteOffset / page * page..<(tensor.byteOffset + tensor.byteCount + page - 1) / page * page
    }

    /// The tensor where it is read to.
    var result: Tensor { source.moved(to: target, byteOffset: targetOffset + source.byteOffset - pages.lowerBound) }

    func perform() {
      let wanted = source.byteOffset + source.byteCount - pages.lowerBound
      if let file, file.read(pages.count, at: pages.lowerBound, into: target.address + targetOffset) >= wanted { return }
      copyFromMapping()
    }

    /// For files that cannot be read directly, and for what happens to mapped files meanwhile.
    private func copyFromMapping() {
      let page = Int(getpagesize()), start = Int(bitPattern: source.address), end = start + source.byteCount
      let outer = UnsafeMutableRawPointer(bitPattern: start / page * page)
      madvise(outer, end - start / page * page, MADV_WILLNEED)
      result.address.copyMemory(from: source.address, byteCount: source.byteCount)
      let inner = (start + page - 1) / page * page
      if end / page * page > inner {
        madvise(UnsafeMutableRawPointer(bitPattern: inner), end / page * page - inner, MADV_DONTNEED)
      }
    }
  }

  private let queue = Queue()

  init(threadCount: Int) {
    for index in 0..<threadCount {
      let thread = Thread { [queue] in
        while let read = queue.next() {
          read.perform()
          queue.finish(read)
        }
      }
      thread.name = "swiftlet-reader-\(index + 1)"
      thread.start()
    }
  }

  deinit { queue.stop() }

  /// Starts the reads of one expert.
  func start(_ reads: [Read]) { queue.add(reads) }

  /// Waits until an expert is there whole, and returns all that are.
  func takeFinished() -> [Int] { queue.takeFinished() }
}

/// Reads that wait, and experts that have come.
///
/// `@unchecked Sendable`: all variables are read and written only while the condition's lock is held.
private final class Queue: @unchecked Sendable {
  private let condition = NSCondition()
  private var waiting: [ExpertReader.Read] = []
  private var unfinished: [Int: Int] = [:]
  private var finished: [Int] = []
  private var isStopped = false

  func add(_ reads: [ExpertReader.Read]) {
    condition.withLock {
      waiting += reads
      for read in reads { unfinished[read.expert, default: 0] += 1 }
      condition.broadcast()
    }
  }

  func stop() {
    condition.withLock {
      isStopped = true
      condition.broadcast()
    }
  }

  /// The next read; nil when there will be none.
  func next() -> ExpertReader.Read? {
    condition.withLock {
      while waiting.isEmpty, !isStopped { condition.wait() }
      return isStopped ? nil : waiting.removeFirst()
    }
  }

  func finish(_ read: ExpertReader.Read) {
    condition.withLock {
      guard let left = unfinished[read.expert] else { return }
      unfinished[read.expert] = left > 1 ? left - 1 : nil
      if left > 1 { return }
      finished.append(read.expert)
      condition.broadcast()
    }
  }

  func takeFinished() -> [Int] {
    condition.withLock {
      while finished.isEmpty { condition.wait() }
      defer { finished = [] }
      return finished
    }
  }
}
