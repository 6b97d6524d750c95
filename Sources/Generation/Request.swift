/// What an engine is asked to generate.
public struct GenerationRequest: Sendable {
  public var prompt: [Int32]
  public var options: GenerationOptions
  /// Whether the prompt ends inside a thought.
  public var promptOpensThought: Bool
  /// Whether the prompt has a beginning of that thought, so that white space at the start of the answer belongs to it.
  public var continuesThought = false
  /// Whether thoughts are told apart from the answer; else all is content.
  public var splitsReasoning: Bool
  /// Whether the model may begin a constrained answer with a thought of its own. Without a constraint it always may.
  public var mayOpenThought: Bool
  /// Ends a long thought and keeps up a short one; nil lets it take as long as the model wants and the answer may be.
  public var thoughtLimit: ThoughtLimit?
  /// Whose request it is: tenants whose requests wait take turns, and what was computed for one serves no other, unless the engine's
  /// limits say so.
  public var tenant = 0

  public init(
    prompt: [Int32], options: GenerationOptions, promptOpensThought: Bool = false, splitsReasoning: Bool = true,
    mayOpenThought: Bool = true, thoughtLimit: ThoughtLimit? = nil
  ) {
    self.prompt = prompt
    self.options = options
    self.promptOpensThought = promptOpensThought
    self.splitsReasoning = splitsReasoning
    self.mayOpenThought = mayOpenThought
    self.thoughtLimit = thoughtLimit
  }

  /// Whether the answer begins inside of a thought that is told apart.
  var startsInThought: Bool { promptOpensThought && splitsReasoning }

  /// Whether a constrained answer may begin with a thought that the model opens by itself.
  /// - Parameter token: the one that opens a thought; nil for vocabularies that have none.
  func mayBeginThought(with token: Int32?) -> Bool { splitsReasoning && mayOpenThought && token != nil }

  /// The most tokens of an answer. The last one of a full context is not computed.
  func maximumAnswerTokens(contextLength: Int) -> Int {
    min(options.maximumResponseTokens ?? .max, contextLength + 1 - prompt.count)
  }
}

/// What happens while an answer is made, in order; `finished` comes last.
public enum GenerationEvent: Sendable {
  /// The prompt was computed; `cached` of its tokens were known from an earlier request.
  case promptDone(tokens: Int, cached: Int, seconds: Double)
  /// How likely the model held the next tokens of the prompt, the first of which are those behind its first token. All of them come
  /// before `promptDone`, where `GenerationOptions.scoresPrompt` asks.
  case promptScored([TokenLogProbabilities])
  /// A token was chosen.
  case token(GeneratedToken)
  case finished(GenerationSummary)
}

/// A token of an answer.
public struct GeneratedToken: Sendable {
  public var id: Int32
  /// The text that became certain with it.
  public var parts: [AnswerPart]
  /// Whether it belongs to a thought, whose tags included.
  public var isReasoning: Bool
  /// Whether it is a token that ends the answer, which has no text.
  public var isEnd: Bool
  /// Whether it was not the model's choice: it ends a thought that was long enough, or keeps up one that was not.
  public var isForced = false
  /// How likely the model held it; nil unless `GenerationOptions.topLogProbabilities` asks.
  public var logProbabilities: TokenLogProbabilities?
}

/// Logarithms of probabilities, of the softmax of the model's logits as they are: before temperature, penalties and biases.
public struct TokenLogProbabilities: Sendable, Equatable {
  public struct Candidate: Sendable, Equatable {
    public var id: Int32
    public var logProbability: Double
  }

  /// Of the token that was chosen.
  public var chosen: Double
  /// The most likely tokens, the likeliest first, of equals the lower id first.
  public var top: [Candidate]
}

/// Why an answer ended.
public enum FinishReason: String, Sendable {
  /// The model ended it, a stop text came, or it is whole by its constraint.
  case stop
  /// `maximumResponseTokens` were generated or the context is full.
  case length
}

public struct GenerationSummary: Sendable {
  public var finishReason: FinishReason
  /// The stop text that ended the answer, where one did.
  public var stopText: String?
  /// Text that was held back until the end was known.
  public var parts: [AnswerPart]
  public var promptTokens: Int
  public var cachedTokens: Int
  public var completionTokens: Int
  /// How many of these belong to the thought.
  public var reasoningTokens: Int
  /// Seconds from the first prompt token computed to the first token chosen.
  public var prefillSeconds: Double
  /// Seconds from the first token chosen to the last.
  public var decodeSeconds: Double
  /// How drafting went; nil without.
  public var drafts: DraftCounts?

  public var prefillTokensPerSecond: Double {
    prefillSeconds > 0 ? Double(promptTokens - cachedTokens) / prefillSeconds : 0
  }
  /// Of the tokens after the first, which the prefill yields.
  public var decodeTokensPerSecond: Double { decodeSeconds > 0 ? Double(completionTokens - 1) / decodeSeconds : 0 }
}
