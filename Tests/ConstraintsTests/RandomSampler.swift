import SwiftletJSON
import SwiftletTokenization

@testable import SwiftletConstraints

/// SplitMix64 (Steele, Lea and Flood 2014).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }
}

/// Takes any of the allowed tokens, as a model of random logits would at the highest temperature.
struct RandomSampler {
  enum Failure: Error { case noToken, refusedToken, tooLong, disagreement }

  let tokenizer: Tokenizer
  let trie: TokenTrie
  /// Tokens that hold a quote, bracket, comma or colon: without a liking for them, strings would hardly ever end.
  private let structural: [Int32]

  init(_ tokenizer: Tokenizer) {
    self.tokenizer = tokenizer
    trie = TokenTrie(tokenizer, excluding: tokenizer.generationEnds)
    structural = (0..<Int32(tokenizer.vocabularySize)).filter { id in
      tokenizer.bytes(of: id).contains { "\"{}[],:0".utf8.contains($0) } && tokenizer.bytes(of: id).count < 4
    }
  }

  /// A text of the grammar in at most `limit` tokens.
  /// - Returns: its bytes, how many tokens it has, and the longest time that a mask took.
  func text(_ grammar: CompiledGrammar, limit: Int, seed: UInt64) throws -> (bytes: [UInt8], tokens: Int, slowest: Duration) {
    var random = SeededGenerator(seed: seed), matcher = Matcher(grammar), bytes: [UInt8] = [], count = 0
    var mask = TokenMask(count: tokenizer.vocabularySize), slowest = Duration.zero
    while !matcher.isFinished, count < limit {
      mask.removeAll()
      slowest = max(slowest, ContinuousClock().measure { matcher.allow(within: limit - count - 1, into: &mask) })
      let allowed = Self.list(mask)
      if matcher.isComplete, allowed.isEmpty || Int.random(in: 0..<4, using: &random) == 0 { break }
      guard var token = allowed.randomElement(using: &random) else { throw Failure.noToken }
      if Int.random(in: 0..<3, using: &random) == 0,
        let other = structural.filter({ mask.contains($0) }).randomElement(using: &random)
      {
        token = other
      }
      // One token asked about alone gets the same answer.
      if count % 8 == 0 {
        for other in [token, Int32.random(in: 0..<Int32(tokenizer.vocabularySize), using: &random)]
        where !tokenizer.isSpecial(other) {
          let isAllowed = matcher.allows(other, bytes: tokenizer.bytes(of: other), within: limit - count - 1)
          if isAllowed != mask.contains(other), !tokenizer.generationEnds.contains(other) { throw Failure.disagreement }
        }
      }
      guard matcher.accept(tokenizer.bytes(of: token)) else { throw Failure.refusedToken }
      bytes += tokenizer.bytes(of: token)
      count += 1
    }
    guard matcher.isComplete else { throw Failure.tooLong }
    return (bytes, count, slowest)
  }

  private static func list(_ mask: TokenMask) -> [Int32] {
    var result: [Int32] = []
    for (index, word) in mask.words.enumerated() where word != 0 {
      var rest = word
      while rest != 0 {
        result.append(Int32(index * 64 + rest.trailingZeroBitCount))
        rest &= rest - 1
      }
    }
    return result
  }
}
