/// The words of a corpus as they are with the merges made so far, and how often every pair of neighbouring tokens occurs in them.
///
/// Merges are chosen exactly as `BpeTrainer` of the `tokenizers` library (0.23) chooses them, which shows in two places. A pair's count is not
/// lowered when the pair itself is merged, and a candidate knows only the words that its pair came to in one step. Both are of
/// consequence only where one token has come from two pairs, `ab`+`c` and `a`+`bc`: a pair with such a token can have several candidates, each of
/// which merges in its own words, and the last one gives the pair its rank.
struct MergeSearch {
  /// The tokens of all words, one word after the other; a word that merges keeps its place and uses less of it.
  private var tokens: [UInt32] = []
  private var starts: [Int] = []
  private var lengths: [Int32] = []
  private let counts: [Int]

  /// Places of the pairs, which are written as in `MergeCandidate`.
  private var pairs: [UInt64: Int32] = [:]
  private var pairKeys: [UInt64] = []
  /// By pair: how often it occurs.
  private var pairCounts: [Int] = []
  /// By pair: the words that it came to in this step.
  private var newWords: [[Int32]] = []
  /// The pairs that came to words in this step.
  private var newPairs: [Int32] = []
  /// What candidates refer to, and which of them are free.
  private var lists: [[Int32]] = []
  private var freeLists: [Int32] = []
  private var queue = CandidateQueue()

  /// - Parameter byteTokens: the id of every byte's token.
  init(_ words: WordCounts, byteTokens: [UInt32]) {
    counts = words.counts
    tokens.reserveCapacity(words.words.bytes.count)
    starts.reserveCapacity(counts.count)
    lengths.reserveCapacity(counts.count)
    for word in words.words.indices {
      let bytes = words.words[word]
      starts.append(tokens.count)
      lengths.append(Int32(truncatingIfNeeded: bytes.count))
      for byte in bytes { tokens.append(byteTokens[Int(byte)]) }
    }
    for word in counts.indices {
      let start = starts[word]
      for position in start..<max(start, start + Int(lengths[word]) - 1) {
        change(tokens[position], tokens[position + 1], by: counts[word], in: word)
      }
    }
    queueNewPairs()
  }

  /// The pair to merge next with its count; nil when nothing is left.
  mutating func next() -> MergeCandidate? {
    while let candidate = queue.pop() {
      let count = pairCounts[Int(candidate.index)]
      guard candidate.count != count else { return candidate }
      queue.push(MergeCandidate(count: count, pair: candidate.pair, index: candidate.index, list: candidate.list))
    }
    return nil
  }

  /// Replaces the candidate's pair by a token in the candidate's words.
  mutating func merge(_ candidate: MergeCandidate, to merged: UInt32) {
    let left = UInt32(truncatingIfNeeded: candidate.pair >> 32)
    let right = UInt32(truncatingIfNeeded: candidate.pair)
    let list = Int(candidate.list)
    let words = lists[list]
    lists[list] = []
    freeLists.append(candidate.list)
    for word in words { merge(left, right, to: merged, in: Int(word)) }
    queueNewPairs()
  }

  private mutating func merge(_ left: UInt32, _ right: UInt32, to merged: UInt32, in word: Int) {
    let start = starts[word], end = start + Int(lengths[word]), count = counts[word]
    var position = start, out = start
    while position < end {
      guard tokens[position] == left, position + 1 < end, tokens[position + 1] == right else {
        tokens[out] = tokens[position]
        out += 1
        position += 1
        continue
      }
      if out > start {
        change(tokens[out - 1], left, by: -count, in: word)
        change(tokens[out - 1], merged, by: count, in: word)
      }
      position += 2
      if position < end {
        change(right, tokens[position], by: -count, in: word)
        change(merged, tokens[position], by: count, in: word)
      }
      tokens[out] = merged
      out += 1
    }
    lengths[word] = Int32(truncatingIfNeeded: out - start)
  }

  private mutating func change(_ left: UInt32, _ right: UInt32, by count: Int, in word: Int) {
    let pair = UInt64(left) << 32 | UInt64(right)
    let index: Int
    if let known = pairs[pair] {
      index = Int(known)
    } else {
      index = pairCounts.count
      pairs[pair] = Int32(truncatingIfNeeded: index)
      pairKeys.append(pair)
      pairCounts.append(0)
      newWords.append([])
    }
    pairCounts[index] += count
    guard count > 0 else { return }
    let word = Int32(truncatingIfNeeded: word)
    if newWords[index].isEmpty { newPairs.append(Int32(truncatingIfNeeded: index)) }
    // Words come in order within a step.
    if newWords[index].last != word { newWords[index].append(word) }
  }

  private mutating func queueNewPairs() {
    for index in newPairs {
      let words = newWords[Int(index)]
      newWords[Int(index)] = []
      let count = pairCounts[Int(index)]
      guard count > 0 else { continue }
      let list: Int32
      if let free = freeLists.popLast() {
        list = free
        lists[Int(free)] = words
      } else {
        list = Int32(truncatingIfNeeded: lists.count)
        lists.append(words)
      }
      queue.push(MergeCandidate(count: count, pair: pairKeys[Int(index)], index: index, list: list))
    }
    newPairs.removeAll(keepingCapacity: true)
  }
}
