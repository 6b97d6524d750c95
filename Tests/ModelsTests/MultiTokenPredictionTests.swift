import Foundation
import SwiftletCheckpoints
import SwiftletModels
import SwiftletTensors
import Testing

/// The layer that predicts further tokens against the oracle's `mtp_logits` (make_fixtures.py).
@Suite struct MultiTokenPredictionTests {
  private static let name = "deepseek-v3-next-token"

  private func expected() throws -> (ids: [Int], logits: [Float]) {
    let path = Fixtures.folder.appendingPathComponent("checkpoints/\(Self.name)/expected.safetensors").path
    let file = try SafetensorsFile(path: path)
    let logits = try #require(file.tensors.first { $0.name == "mtp_logits" }).tensor.floatArray()
    return (try #require(try file.integers(named: "ids")), logits)
  }

  /// Row i of the oracle comes from positions 0...i; given all at once, in pieces, or one by one.
  @Test(arguments: [1, 3, 11]) func equalsTheOracle(_ piece: Int) throws {
    let decoder = try Fixtures.decoder(checkpoint: Self.name), (ids, logits) = try expected()
    #expect(decoder.predictsFurtherTokens)
    let vocabulary = decoder.configuration.vocabularySize, compute = Compute(threadCount: 2)
    let cache = decoder.makeCache(capacity: 64)
    for start in stride(from: 0, to: 11, by: piece) {
      let rows = min(piece, 11 - start), tokens = Array(ids[start..<start + rows])
      let hidden = decoder.forward(
        [.init(tokens: tokens, cache: cache, output: .none)], keepingHidden: true, role: .prompt, compute: compute
      ).hidden
      let next = Array(ids[start + 1..<start + 1 + rows])
      let result = try #require(
        decoder.predict(
          [.init(rows: 0..<rows, nextTokens: next, cache: cache, startPosition: start)], hidden: hidden, role: .prompt,
          compute: compute))
      let last = start + rows - 1
      let difference = largestDifference(result.floatArray(), logits[last * vocabulary..<(last + 1) * vocabulary])
      #expect(difference < 1e-3, "row \(last): \(difference)")
    }
  }

  @Test func checkpointsWithoutTheLayerPredictNothing() throws {
    let decoder = try Fixtures.decoder(checkpoint: "deepseek-v3")
    #expect(!decoder.predictsFurtherTokens)
  }
}
