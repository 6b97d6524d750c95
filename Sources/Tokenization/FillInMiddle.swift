/// The tokens of a model that was trained to fill in what stands between two texts. All known ones are given the prefix, then the
/// suffix, and write the middle ("PSM", DeepSeek-V3 report, section 4.1).
public struct FillInMiddleTokens: Sendable, Equatable {
  /// Stands before the prefix.
  public var prefix: Int32
  /// Stands before the suffix, where the hole is.
  public var suffix: Int32
  /// Stands last; the middle follows.
  public var middle: Int32

  public init(prefix: Int32, suffix: Int32, middle: Int32) {
    self.prefix = prefix
    self.suffix = suffix
    self.middle = middle
  }

  /// What models call the three: DeepSeek's, Qwen-Coder's, StarCoder's and Granite's.
  static let names = [
    ["<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"], ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"],
    ["<fim_prefix>", "<fim_suffix>", "<fim_middle>"],
  ]
}

extension Tokenizer {
  /// The prompt for the text between two texts; nil for a vocabulary without tokens for it.
  ///
  /// The texts are only texts: a token's name in them is spelled out. The beginning of sequence comes first for DeepSeek's models, which were
  /// trained so, and else where the tokenizer adds it.
  public func encode(prefix: String, suffix: String) -> [Int32]? {
    fillInMiddle.map { encode(prefix: prefix, suffix: suffix, marks: $0) }
  }

  /// The same with tokens of one's own choice, for training: a model is to learn from the prompts that it will be given.
  public func encode(prefix: String, suffix: String, marks: FillInMiddleTokens) -> [Int32] {
    let isDeepSeek = bytes(of: marks.prefix).elementsEqual(FillInMiddleTokens.names[0][0].utf8)
    var ids: [Int32] = []
    if let beginningOfSequence, isDeepSeek || addsBeginningOfSequence { ids.append(beginningOfSequence) }
    ids.append(marks.prefix)
    ids += encode(prefix, addedTokens: .text)
    ids.append(marks.suffix)
    ids += encode(suffix, addedTokens: .text)
    ids.append(marks.middle)
    return ids
  }
}
