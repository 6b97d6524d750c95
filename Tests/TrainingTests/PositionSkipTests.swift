import SwiftletTensors
import Testing

@testable import SwiftletTraining

@Suite struct PositionSkipTests {
  private static let documents = [0..<40, 40..<41, 41..<120]

  @Test func positionsAscendAndStayBelowTheLimit() {
    let skips = PositionSkips(most: 3, limit: 100)
    var furthest = 0, mostSkips = 0
    for step in 0..<200 {
      let positions = skips.positions(of: Self.documents, seed: 1, step: step, pass: 0)
      #expect(positions.count == 120)
      for document in Self.documents {
        let found = Array(positions[document])
        #expect(found[0] == 0)
        let gaps = zip(found, found.dropFirst()).map { $1 - $0 }
        #expect(gaps.allSatisfy { $0 >= 1 })
        mostSkips = max(mostSkips, gaps.count { $0 > 1 })
        furthest = max(furthest, found.max() ?? 0)
      }
    }
    #expect(mostSkips == 3)
    #expect((90..<100).contains(furthest))
  }

  @Test func theyAreAFunctionOfSeedStepAndPass() {
    let skips = PositionSkips(most: 3, limit: 1000)
    func positions(_ seed: UInt64, _ step: Int, _ pass: Int) -> [Int] {
      skips.positions(of: Self.documents, seed: seed, step: step, pass: pass)
    }
    #expect(positions(1, 2, 3) == positions(1, 2, 3))
    #expect(Set([positions(1, 2, 3), positions(2, 2, 3), positions(1, 3, 3), positions(1, 2, 4)]).count == 4)
    // No room, no skips.
    #expect(PositionSkips(most: 3, limit: 10).positions(of: [0..<40], seed: 1, step: 1, pass: 0) == Array(0..<40))
  }

  /// Rotary embedding sees differences of positions: documents that are moved as wholes have the same loss, what is pulled apart has
  /// another.
  @Test(arguments: ["llama-gqa-tied", "deepseek-v3-next-token"]) func theModelSeesDistances(_ name: String) throws {
    let fixture = try Fixture(name), model = try fixture.model()
    let tape = Tape(compute: Compute(threadCount: 2), precision: .float32)
    func loss(_ position: (Int) -> Int) -> Double {
      var batch = fixture.batch
      batch.positions = batch.documents.flatMap { (0..<$0.count).map(position) }
      return model.loss(batch, fixture.options, tape: tape).crossEntropy
    }
    let plain = model.loss(fixture.batch, fixture.options, tape: tape).crossEntropy
    #expect(loss { $0 } == plain)
    #expect(abs(loss { $0 + 30 } - plain) < 1e-5 * plain)
    #expect(abs(loss { 2 * $0 } - plain) > 1e-4 * plain)
  }
}
