/// A vocabulary as GGUF files hold it: plain arrays, handed over by whoever reads the file.
public struct VocabularyDescription: Sendable {
  /// `tokenizer.ggml.model`; `gpt2` is byte-level BPE.
  public var model: String
  /// `tokenizer.ggml.pre`, the name of the rule that cuts texts into pieces.
  public var preTokenizer: String?
  /// `tokenizer.ggml.tokens`, by id; ordinary tokens in GPT-2's byte alphabet.
  public var tokens: [String]
  /// `tokenizer.ggml.token_type`, by id: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. Empty: all normal.
  public var tokenTypes: [Int32]
  /// `tokenizer.ggml.merges`, two tokens with a space between them, the first rank first.
  public var merges: [String]
  public var beginningOfSequence: Int?
  public var endOfSequence: Int?
  /// Ids of further tokens that end a generation: end of turn, end of message.
  public var furtherEnds: [Int]
  /// `tokenizer.ggml.fim_pre_token_id`, `fim_suf_token_id` and `fim_mid_token_id`; nil leaves them to their names.
  public var fillInMiddle: [Int]?
  /// `tokenizer.ggml.add_bos_token`; nil leaves it to the pre-tokenizer's convention.
  public var addsBeginningOfSequence: Bool?
  /// The file's name, for error messages.
  public var source: String

  public init(
    model: String, preTokenizer: String?, tokens: [String], tokenTypes: [Int32], merges: [String],
    beginningOfSequence: Int? = nil, endOfSequence: Int? = nil, furtherEnds: [Int] = [],
    fillInMiddle: [Int]? = nil, addsBeginningOfSequence: Bool? = nil, source: String = "GGUF"
  ) {
    self.model = model
    self.preTokenizer = preTokenizer
    self.tokens = tokens
    self.tokenTypes = tokenTypes
    self.merges = merges
    self.beginningOfSequence = beginningOfSequence
    self.endOfSequence = endOfSequence
    self.furtherEnds = furtherEnds
    self.fillInMiddle = fillInMiddle
    self.addsBeginningOfSequence = addsBeginningOfSequence
    self.source = source
  }
}
