import Foundation
import SwiftletModels
import SwiftletTensors
import Testing

/// Logits against transformers' on tiny random checkpoints (make_fixtures.py).
@Suite struct LogitsTests {
  /// BF16 weights multiply inputs rounded to BF16 and fill a BF16 cache, which transformers in float32 does not.
  static func bound(_ name: String) -> Float {
    name.hasSuffix("bf16") || name.contains("fp8") ? 0.15 : name.hasSuffix("f16") ? 0.03 : 1e-3
  }

  @Test(arguments: Fixtures.checkpoints) func equalTransformers(_ name: String) throws {
    let decoder = try Fixtures.decoder(checkpoint: name)
    let compute = Compute(threadCount: 2)
    for expected in try Fixtures.expected(checkpoint: name) {
      for chunk in [expected.ids.count, 1, 7] {
        let all = logits(decoder, ids: expected.ids, chunk: chunk, compute: compute)
        let vocabulary = decoder.configuration.vocabularySize
        let kept = expected.positions.flatMap { all[$0 * vocabulary..<($0 + 1) * vocabulary] }
        let difference = largestDifference(kept, expected.logits)
        #expect(difference < Self.bound(name), "\(name)/\(expected.name) in chunks of \(chunk)")
      }
    }
  }

  @Test(arguments: Fixtures.checkpoints) func greedyContinuationEqualsTransformers(_ name: String) throws {
    let decoder = try Fixtures.decoder(checkpoint: name)
    let compute = Compute(threadCount: 2)
    for expected in try Fixtures.expected(checkpoint: name) {
      guard let greedy = expected.greedy, decoder.cacheType == .float32 else { continue }
      let cache = decoder.makeCache(capacity: 1024)
      var row = decoder.forward([.init(tokens: expected.ids, cache: cache, output: .last)], role: .prompt, compute: compute)
      var ids: [Int] = []
      while ids.count < greedy.count {
        ids.append(compute.kernels.argmax(UnsafeBufferPointer(start: row.floats, count: row.shape.count)))
        row = decoder.forward(
          [.init(tokens: [ids[ids.count - 1]], cache: cache, output: .last)], role: .generated, compute: compute)
      }
      #expect(ids == greedy, "\(name)/\(expected.name)")
    }
  }

  @Test(arguments: Fixtures.ggufs) func ggufEqualsTransformers(_ name: String) throws {
    let decoder = try Fixtures.decoder(gguf: name)
    let compute = Compute(threadCount: 2)
    let twin = String(name.dropLast(".gguf".count)).replacingOccurrences(of: "-whole", with: "")
    for expected in try Fixtures.expected(checkpoint: twin) {
      let all = logits(decoder, ids: expected.ids, chunk: expected.ids.count, compute: compute)
      let vocabulary = decoder.configuration.vocabularySize
      let kept = expected.positions.flatMap { all[$0 * vocabulary..<($0 + 1) * vocabulary] }
      #expect(largestDifference(kept, expected.logits) < 1e-3, "\(name)/\(expected.name)")
    }
  }

  /// The absorbed form against the definition. In BF16 their roundings differ enough to change which experts are chosen.
  @Test(arguments: Fixtures.checkpoints.filter { $0.hasPrefix("deepseek") && !$0.hasSuffix("bf16") && !$0.contains("fp8") })
  func absorbedEqualsExpanded(
    _ name: String
  ) throws {
    var decoder = try Fixtures.decoder(checkpoint: name)
    let compute = Compute(threadCount: 2)
    for expected in try Fixtures.expected(checkpoint: name) {
      decoder.attentionForm = .absorbed
      let absorbed = logits(decoder, ids: expected.ids, chunk: expected.ids.count, compute: compute)
      decoder.attentionForm = .expanded
      let expanded = logits(decoder, ids: expected.ids, chunk: expected.ids.count, compute: compute)
      #expect(largestDifference(absorbed, expanded) < Self.bound(name), "\(name)/\(expected.name)")
    }
  }

  @Test(arguments: Kernels.available.map(\.name)) func everyVariantEqualsTransformers(_ variant: String) throws {
    let kernels = try #require(Kernels.available.first { $0.name == variant })
    let compute = Compute(threadCount: 2, kernels: kernels)
    for name in ["deepseek-v3", "llama-gqa-tied"] {
      let decoder = try Fixtures.decoder(checkpoint: name)
      for expected in try Fixtures.expected(checkpoint: name) {
        let all = logits(decoder, ids: expected.ids, chunk: expected.ids.count, compute: compute)
        let vocabulary = decoder.configuration.vocabularySize
        let kept = expected.positions.flatMap { all[$0 * vocabulary..<($0 + 1) * vocabulary] }
        #expect(largestDifference(kept, expected.logits) < 1e-3, "\(name)/\(expected.name) with \(variant)")
      }
    }
  }
}
