/// Positions of documents that leave some out: a model that learns from short texts sees far positions, and cannot tell how much there
/// was by how far it has come (PoSE, Zhu et al. 2023; with very many skips randomised positions, Ruoss et al. 2023).
public struct PositionSkips: Sendable, Equatable {
  /// The most places of a document at which positions are skipped.
  public var most: Int
  /// All positions are below this. A document that is as long has no room for skips.
  public var limit: Int

  public init(most: Int, limit: Int) {
    self.most = most
    self.limit = limit
  }

  /// The position of every row: ascending in a document, from 0 on.
  /// - Parameters:
  ///   - documents: ranges of rows, one after the other.
  ///   - pass: of the step; places and lengths of skips are a function of seed, step, pass and the documents' lengths.
  func positions(of documents: [Range<Int>], seed: UInt64, step: Int, pass: Int) -> [Int] {
    var random = SeededGenerator(seed, UInt64(step), UInt64(pass), 0x706F_7369)
    return documents.flatMap { document in
      let room = max(0, limit - document.count)
      let count = Int.random(in: 0...min(most, document.count - 1), using: &random)
      let all = Int.random(in: 0...room, using: &random)
      // In front of which row, and how many are left out up to there.
      let places = (0..<count).map { _ in Int.random(in: 1..<document.count, using: &random) }.sorted()
      let skipped = (0..<count).map { _ in Int.random(in: 0...all, using: &random) }.sorted()
      var next = 0
      return (0..<document.count).map { row in
        while next < count, places[next] <= row { next += 1 }
        return row + (next == 0 ? 0 : skipped[next - 1])
      }
    }
  }
}
