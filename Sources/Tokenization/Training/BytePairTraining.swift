/// Learns a vocabulary of byte-level BPE from the pieces of a corpus: the most frequent pair of neighbouring tokens becomes a token, again and
/// again (Sennrich et al., arXiv 1508.07909, over bytes as in GPT-2). The result equals that of `tokenizers` merge for merge:
/// `BpeTrainer(vocab_size, min_frequency, special_tokens, initial_alphabet=ByteLevel.alphabet())` on the same pieces.
public struct BytePairTraining: Sendable {
  /// How many tokens there are in the end, the special ones and the 256 bytes among them. Fewer when pairs run out.
  public var vocabularySize: Int
  /// Rarer pairs are not merged.
  public var minimumFrequency: Int
  /// They get the first ids, in this order.
  public var specialTokens: [String]
  /// Whether the first special token is put before every text.
  public var addsBeginningOfSequence: Bool

  /// DeepSeek-V3's: beginning and end of sequence, padding, those for filling in the middle and for the turns of a chat.
  public static let deepSeekTokens = [
    "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", "<｜User｜>",
    "<｜Assistant｜>",
  ]

  public init(
    vocabularySize: Int, minimumFrequency: Int = 0, specialTokens: [String] = BytePairTraining.deepSeekTokens,
    addsBeginningOfSequence: Bool = false
  ) {
    self.vocabularySize = vocabularySize
    self.minimumFrequency = minimumFrequency
    self.specialTokens = specialTokens
    self.addsBeginningOfSequence = addsBeginningOfSequence
  }

  /// - Throws: `TokenizerError` for settings that contradict each other.
  public func check() throws(TokenizerError) {
    func wrong(_ field: String, _ reason: String) -> TokenizerError {
      TokenizerError(.setting, source: "tokenizer training", field: field, reason: reason)
    }
    let distinct = Set(specialTokens.map { Array($0.utf8) })
    guard distinct.count == specialTokens.count, !distinct.contains([]) else {
      throw wrong("specialTokens", "found an empty token or one that is named twice, expected different ones")
    }
    for token in specialTokens where ByteAlphabet.decode(token)?.count == 1 {
      throw wrong("specialTokens", "\(TokenizerError.quote(token)) stands for a byte already, expected a longer text")
    }
    let sizes = distinct.count + 256...VocabularyBuilder.maximumSize
    guard sizes.contains(vocabularySize) else {
      throw wrong(
        "vocabularySize",
        "found \(vocabularySize), expected \(sizes.lowerBound) (256 bytes and \(distinct.count) special tokens) to \(sizes.upperBound)"
      )
    }
    guard !addsBeginningOfSequence || !specialTokens.isEmpty else {
      throw wrong("addsBeginningOfSequence", "there are no special tokens, the first of which it would be")
    }
  }

  /// - Parameters:
  ///   - words: the pieces of the corpus.
  ///   - progress: called after each merge with the number of tokens so far. What it throws ends the training.
  /// - Returns: the vocabulary; `tokenizerJSON()` is what is written to a file.
  /// - Throws: `TokenizerError` as `check` does, or when there is nothing in `words`; what `progress` throws.
  public func vocabulary(of words: WordCounts, progress: (Int) throws -> Void = { _ in }) throws -> VocabularyDescription {
    try check()
    guard words.distinctCount > 0 else {
      throw TokenizerError(.setting, source: "tokenizer training", field: "corpus", reason: "is empty, expected text")
    }
    // The bytes of every token that merges can reach. A special token is among them when it is written in the byte alphabet.
    var tokens: [[UInt8]?] = []
    var ids: [[UInt8]: UInt32] = [:]
    func add(_ bytes: [UInt8]?) {
      if let bytes, ids[bytes] == nil { ids[bytes] = UInt32(truncatingIfNeeded: tokens.count) }
      tokens.append(bytes)
    }
    for token in specialTokens { add(ByteAlphabet.decode(token)) }
    for byte in (0...UInt8.max).sorted(by: { ByteAlphabet.scalars[Int($0)] < ByteAlphabet.scalars[Int($1)] }) {
      add([byte])
    }
    var search = MergeSearch(words, byteTokens: (0...UInt8.max).map { ids[[$0]] ?? 0 })
    var merges: [UInt64] = []
    while tokens.count < vocabularySize, let candidate = search.next(), candidate.count >= max(1, minimumFrequency) {
      let left = tokens[Int(candidate.pair >> 32)] ?? [], right = tokens[Int(candidate.pair & 0xFFFF_FFFF)] ?? []
      let merged = left + right
      if ids[merged] == nil { add(merged) }
      search.merge(candidate, to: ids[merged] ?? 0)
      merges.append(candidate.pair)
      try progress(tokens.count)
    }
    return description(tokens, Self.lastOfEach(merges), words.preTokenizer)
  }

  /// A pair that was merged several times has the rank of its last merge.
  private static func lastOfEach(_ merges: [UInt64]) -> [UInt64] {
    var seen = Set<UInt64>()
    return merges.reversed().filter { seen.insert($0).inserted }.reversed()
  }

  private func description(
    _ tokens: [[UInt8]?], _ merges: [UInt64], _ preTokenizer: TrainablePreTokenizer
  ) -> VocabularyDescription {
    let texts = tokens.enumerated().map { id, bytes in
      id < specialTokens.count ? specialTokens[id] : ByteAlphabet.encode(bytes ?? [])
    }
    return VocabularyDescription(
      model: "gpt2", preTokenizer: preTokenizer.rawValue, tokens: texts,
      tokenTypes: tokens.indices.map { $0 < specialTokens.count ? 3 : 1 },
      merges: merges.map { texts[Int($0 >> 32)] + " " + texts[Int($0 & 0xFFFF_FFFF)] },
      beginningOfSequence: addsBeginningOfSequence ? 0 : nil, addsBeginningOfSequence: addsBeginningOfSequence,
      source: "tokenizer training")
  }
}
