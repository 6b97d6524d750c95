public import SwiftletTokenization

/// Makes some documents to exercises in filling in the middle, as DeepSeek-V3 was trained (report, section 4.1): prefix, suffix, middle ("PSM"),
/// a tenth of the documents, cut at two random characters before they become tokens.
public struct FillInMiddleTransform: Sendable, Equatable {
  public var tokens: FillInMiddleTokens
  /// The share of documents, 0 to 1.
  public var rate: Double
  public var seed: UInt64

  public init(tokens: FillInMiddleTokens, rate: Double = 0.1, seed: UInt64 = 0) {
    self.tokens = tokens
    self.rate = rate
    self.seed = seed
  }

  /// All of it, for comparison with another run.
  var identity: String { "\(tokens.prefix) \(tokens.suffix) \(tokens.middle) \(rate) \(seed)" }

  /// The three parts of a document; nil for one that stays as it is.
  /// - Parameter hash: of the document. The choice and the cuts depend on it and on the seed alone.
  func parts(of text: String, hash: UInt64) -> (prefix: Substring, middle: Substring, suffix: Substring)? {
    var random = SeededGenerator(seed, hash)
    guard random.uniform() < rate else { return nil }
    let scalars = text.unicodeScalars, count = scalars.count
    let cuts = [Int.random(in: 0...count, using: &random), Int.random(in: 0...count, using: &random)].sorted()
    let first = scalars.index(scalars.startIndex, offsetBy: cuts[0])
    let second = scalars.index(first, offsetBy: cuts[1] - cuts[0])
    return (text[..<first], text[first..<second], text[second...])
  }
}
