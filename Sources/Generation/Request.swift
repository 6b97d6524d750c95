/// What an engine is asked to generate.
public struct GenerationRequest: Sendable {
  public var prompt: [Int32]
  public var options: GenerationOptions
  /// Whether the prompt ends inside a thought.
  public var promptOpensThought: Bool
  /// Whether thoughts are told apart from the answer; else all is content.
  public var splitsReasoning: Bool

  public init(prompt: [Int32], options: GenerationOptions, promptOpensThought: Bool = false, splitsReasoning: Bool = true) {
    self.prompt = prompt
    self.options = options
    self.promptOpensThought = promptOpensThought
    self.splitsReasoning = splitsReasoning
  }
}

/// What happens while an answer is made, in order; `finished` comes last.
public enum GenerationEvent: Sendable {
  /// The prompt was computed; `cached` of its tokens were known from an earlier request.
  case promptDone(tokens: Int, cached: Int, seconds: Double)
  /// A token was chosen, and this much text became certain.
  case token(id: Int32, parts: [AnswerPart])
  case finished(GenerationSummary)
}

/// Why an answer ended.
public enum FinishReason: String, Sendable {
  /// The model ended it, or a stop text came.
  case stop
  /// `maximumResponseTokens` were generated or the context is full.
  case length
}

public struct GenerationSummary: Sendable {
  public var finishReason: FinishReason
  /// Text that was held back until the end was known.
  public var parts: [AnswerPart]
  public var promptTokens: Int
  public var cachedTokens: Int
  public var completionTokens: Int
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
