/// Finds answers that say nearly what one before them says to nearly the same question: of the runs of five words of both answers
/// together, and of both questions, at least a share is in both (Jaccard's index).
///
/// Candidates are found by MinHash (Broder 1997) in bands, then compared exactly. At a share of 0.8 a pair is missed once in 300 times.
struct NearDuplicates {
  private static let hashes = 256

  let threshold: Double
  /// Hashes of a band: more find fewer pairs that are far apart.
  private let rows: Int
  private var bands: [[UInt64: [Int]]]
  private var kept: [(question: Set<UInt64>, answer: Set<UInt64>)] = []

  /// - Parameter threshold: above 0, at most 1.
  init(threshold: Double) {
    self.threshold = threshold
    rows = threshold >= 0.75 ? 8 : threshold >= 0.5 ? 4 : 2
    bands = Array(repeating: [:], count: Self.hashes / rows)
  }

  /// Whether nothing like it came before; then it is remembered.
  mutating func insert(question: String, answer: String) -> Bool {
    let question = WordSequence(question).shingles, answer = WordSequence(answer).shingles
    let keys = keys(question, answer)
    var seen: Set<Int> = []
    for (band, key) in keys.enumerated() {
      for candidate in bands[band][key] ?? [] where seen.insert(candidate).inserted {
        let (otherQuestion, otherAnswer) = kept[candidate]
        if Self.isNear(question, otherQuestion, threshold), Self.isNear(answer, otherAnswer, threshold) { return false }
      }
    }
    for (band, key) in keys.enumerated() { bands[band][key, default: []].append(kept.count) }
    kept.append((question, answer))
    return true
  }

  private static func isNear(_ one: Set<UInt64>, _ other: Set<UInt64>, _ threshold: Double) -> Bool {
    let (small, large) = one.count < other.count ? (one, other) : (other, one)
    guard Double(small.count) >= threshold * Double(large.count) else { return false }
    let common = small.count { large.contains($0) }
    return Double(common) >= threshold * Double(one.count + other.count - common)
  }

  /// Where both shares are reached, that of questions and answers together is.
  private func keys(_ question: Set<UInt64>, _ answer: Set<UInt64>) -> [UInt64] {
    var least = [UInt64](repeating: .max, count: Self.hashes)
    func add(_ shingle: UInt64) {
      var hash = shingle
      for index in 0..<Self.hashes {
        // A multiplication and a shift are enough of a hash here: shingles are mixed already.
        hash = hash &* 0xD134_2543_DE82_EF95 &+ 0x9E37_79B9_7F4A_7C15
        least[index] = min(least[index], hash ^ hash >> 32)
      }
    }
    for shingle in question { add(shingle ^ 0x5155_4553_5449_4F4E) }
    for shingle in answer { add(shingle) }
    return stride(from: 0, to: Self.hashes, by: rows).map { first in
      least[first..<first + rows].reduce(UInt64(first)) { StableHash.mix($0 ^ $1) }
    }
  }
}
