/// A pair of neighbouring tokens that may be merged next.
struct MergeCandidate {
  /// How often the pair occurred when the candidate was made.
  var count: Int
  /// The left token's id in the upper half, the right one's in the lower.
  var pair: UInt64
  /// The pair's place among all pairs.
  var index: Int32
  /// Which list of words the pair is looked for in.
  var list: Int32

  /// The more frequent pair comes first, among equals the one with the lower ids.
  func precedes(_ other: MergeCandidate) -> Bool { count != other.count ? count > other.count : pair < other.pair }
}

/// A binary heap of candidates.
struct CandidateQueue {
  private var heap: [MergeCandidate] = []

  mutating func push(_ candidate: MergeCandidate) {
    heap.append(candidate)
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard candidate.precedes(heap[parent]) else { break }
      heap[child] = heap[parent]
      child = parent
    }
    heap[child] = candidate
  }

  mutating func pop() -> MergeCandidate? {
    guard let top = heap.first, let last = heap.popLast() else { return nil }
    guard !heap.isEmpty else { return top }
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, heap[child + 1].precedes(heap[child]) { child += 1 }
      guard heap[child].precedes(last) else { break }
      heap[parent] = heap[child]
      parent = child
    }
    heap[parent] = last
    return top
  }
}
