public import SwiftletConstraints

/// How an answer is sampled and when it ends.
public struct GenerationOptions: Sendable, Equatable {
  /// 0 takes the most likely token every time. Above: logits are divided by it before everything else.
  public var temperature: Double
  /// Only the k most likely tokens; 0 for all.
  public var topK: Int
  /// Only the most likely tokens that together have this probability; 1 for all.
  public var topP: Double
  /// Only tokens at least this likely relative to the most likely one; 0 for all.
  public var minP: Double
  /// Divides positive and multiplies negative logits of tokens seen in prompt or answer (Keskar et al. 2019); 1 changes nothing.
  public var repetitionPenalty: Double
  /// Subtracted from a token's logit for each time it stands in the answer.
  public var frequencyPenalty: Double
  /// Subtracted from the logit of tokens that stand in the answer.
  public var presencePenalty: Double
  /// Added to the logits of these tokens.
  public var logitBias: [Int32: Double]
  /// The same request with the same seed gives the same tokens.
  public var seed: UInt64
  /// Which of several samples of one seed this is.
  public var sampleIndex: Int
  /// The answer ends before the first of these texts.
  public var stop: [String]
  /// The most tokens to generate; nil: as many as the context holds.
  public var maximumResponseTokens: Int?
  /// Whether tokens that end a text are ignored (for measuring).
  public var ignoresEnd: Bool
  /// Where guesses of the next tokens come from. They save time and change no answer.
  public var drafting: Drafting
  /// The most tokens to guess at once.
  public var maximumDraftTokens: Int
  /// Each token comes with its log-probability and those of so many most likely ones; nil computes none.
  public var topLogProbabilities: Int?
  /// Whether the prompt's tokens have log-probabilities too (`GenerationEvent.promptScored`), which `topLogProbabilities` must ask for.
  /// Nothing of the prompt is taken from a cache then, and `maximumResponseTokens` may be 0.
  public var scoresPrompt: Bool
  /// What the answer must be, behind a thought; nil for anything. Stop texts still end it, whole or not.
  public var constraint: Grammar?
  /// How long the model thinks before it answers, where its prompt or its answer opens a thought.
  public var thinking: ThinkingBudget

  /// Temperature 0.6 and top-p 0.95 are what DeepSeek advises for R1.
  public init(
    temperature: Double = 0.6, topK: Int = 0, topP: Double = 0.95, minP: Double = 0, repetitionPenalty: Double = 1,
    frequencyPenalty: Double = 0, presencePenalty: Double = 0, logitBias: [Int32: Double] = [:], seed: UInt64 = 0,
    sampleIndex: Int = 0, stop: [String] = [], maximumResponseTokens: Int? = nil, ignoresEnd: Bool = false,
    drafting: Drafting = .automatic, maximumDraftTokens: Int = 8, topLogProbabilities: Int? = nil,
    scoresPrompt: Bool = false, constraint: Grammar? = nil, thinking: ThinkingBudget = ThinkingBudget()
  ) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
    self.repetitionPenalty = repetitionPenalty
    self.frequencyPenalty = frequencyPenalty
    self.presencePenalty = presencePenalty
    self.logitBias = logitBias
    self.seed = seed
    self.sampleIndex = sampleIndex
    self.stop = stop
    self.maximumResponseTokens = maximumResponseTokens
    self.ignoresEnd = ignoresEnd
    self.drafting = drafting
    self.maximumDraftTokens = maximumDraftTokens
    self.topLogProbabilities = topLogProbabilities
    self.scoresPrompt = scoresPrompt
    self.constraint = constraint
    self.thinking = thinking
  }

  /// How a token is chosen, in the shape of Apple's Foundation Models.
  public struct SamplingMode: Sendable, Equatable {
    fileprivate var isGreedy = false
    fileprivate var topK = 0
    fileprivate var topP = 1.0
    fileprivate var seed: UInt64?

    /// Always the most likely token.
    public static var greedy: SamplingMode { SamplingMode(isGreedy: true) }

    /// One of the `count` most likely tokens.
    public static func random(top count: Int, seed: UInt64? = nil) -> SamplingMode { SamplingMode(topK: count, seed: seed) }

    /// One of the most likely tokens that together have this probability.
    public static func random(probabilityThreshold: Double, seed: UInt64? = nil) -> SamplingMode {
      SamplingMode(topP: probabilityThreshold, seed: seed)
    }
  }

  /// In the shape of Apple's Foundation Models.
  ///
  /// A mode without a seed takes one by chance, so that answers differ from call to call. All other ways of making options have seed
  /// 0 unless they are given one, so that answers repeat.
  public init(sampling: SamplingMode?, temperature: Double? = nil, maximumResponseTokens: Int? = nil) {
    self.init(maximumResponseTokens: maximumResponseTokens)
    if let temperature { self.temperature = temperature }
    guard let sampling else { return }
    if sampling.isGreedy { self.temperature = 0 }
    topK = sampling.topK
    topP = sampling.topP
    seed = sampling.seed ?? UInt64.random(in: 0 ... .max)
  }

  /// Always the most likely token.
  public static var greedy: GenerationOptions { GenerationOptions(temperature: 0) }

  /// - Throws: `GenerationError.invalidOption` naming the first option out of its range.
  public func validate(vocabularySize: Int) throws(GenerationError) {
    func check(_ name: String, _ value: Double, _ range: ClosedRange<Double>) throws(GenerationError) {
      guard range.contains(value) else {
        let upper = range.upperBound == .greatestFiniteMagnitude ? "" : " to \(range.upperBound)"
        throw .invalidOption(name: name, reason: "found \(value), expected a number from \(range.lowerBound)\(upper)")
      }
    }
    try check("temperature", temperature, 0...100)
    try check("top_k", Double(topK), 0...Double(Int32.max))
    try check("top_p", topP, 0...1)
    try check("min_p", minP, 0...1)
    guard repetitionPenalty > 0, repetitionPenalty <= 100 else {
      throw .invalidOption(name: "repetition_penalty", reason: "found \(repetitionPenalty), expected a number above 0, up to 100")
    }
    try check("frequency_penalty", frequencyPenalty, -100...100)
    try check("presence_penalty", presencePenalty, -100...100)
    let least = scoresPrompt ? 0 : 1
    if let maximumResponseTokens, maximumResponseTokens < least {
      throw .invalidOption(name: "max_tokens", reason: "found \(maximumResponseTokens), expected at least \(least)")
    }
    guard !scoresPrompt || topLogProbabilities != nil else {
      throw .invalidOption(name: "scores_prompt", reason: "found no top_logprobs, which say how many are wanted of each token")
    }
    guard (1...64).contains(maximumDraftTokens) else {
      throw .invalidOption(name: "draft_tokens", reason: "found \(maximumDraftTokens), expected 1 to 64")
    }
    guard (0...20).contains(topLogProbabilities ?? 0) else {
      throw .invalidOption(name: "top_logprobs", reason: "found \(topLogProbabilities ?? 0), expected 0 to 20")
    }
    for (id, bias) in logitBias {
      guard (0..<vocabularySize).contains(Int(id)) else {
        throw .invalidOption(name: "logit_bias", reason: "found token \(id), expected ids below \(vocabularySize)")
      }
      guard Float(bias).isFinite || bias == -.infinity else {
        throw .invalidOption(name: "logit_bias", reason: "found \(bias) for token \(id), expected a number")
      }
    }
    try thinking.validate()
    guard !stop.contains("") else { throw .invalidOption(name: "stop", reason: "found an empty text") }
  }
}

/// Why nothing, or nothing more, can be generated.
public enum GenerationError: Error, Sendable, Equatable, CustomStringConvertible {
  case invalidOption(name: String, reason: String)
  /// The prompt leaves no room for an answer.
  case promptTooLong(tokens: Int, contextLength: Int)
  case emptyPrompt
  /// A token id that the model has no embedding for.
  case tokenOutOfRange(id: Int, vocabularySize: Int)
  /// The model's logits are not numbers: its weights are broken.
  case notANumber(position: Int)
  /// The engine was stopped while the answer was being made.
  case engineStopped
  /// As many requests wait as may.
  case queueFull(waiting: Int)
  /// Prompt and answer together take more of the cache than there is memory for.
  case cacheTooSmall(tokens: Int, bytes: Int, allowed: Int)
  /// No answer can keep to the constraint.
  case constraintRefused(ConstraintError)
  /// The shortest answer that keeps to the constraint has more tokens than there may be.
  case limitTooSmall(tokens: Int, needed: Int)

  public var description: String {
    switch self {
    case .invalidOption(let name, let reason): "\(name): \(reason)"
    case .promptTooLong(let tokens, let contextLength):
      "the prompt has \(tokens) tokens, but the context holds \(contextLength); shorten the prompt or choose a larger context"
    case .emptyPrompt: "the prompt is empty; give at least one token"
    case .tokenOutOfRange(let id, let size): "found token \(id), but the model's vocabulary has \(size)"
    case .notANumber(let position):
      "the model computed no valid number for any token at position \(position); its weights are broken"
    case .engineStopped: "the engine was stopped"
    case .queueFull(let waiting): "\(waiting) requests are waiting already; try again later"
    case .cacheTooSmall(let tokens, let bytes, let allowed):
      "prompt and answer of up to \(tokens) tokens take \(MemoryError.text(bytes)) of cache, but there is room for "
        + "\(MemoryError.text(allowed)); shorten the prompt or ask for fewer tokens"
    case .constraintRefused(let error): "\(error)"
    case .limitTooSmall(let tokens, let needed):
      "the answer may have \(tokens) tokens, but the shortest that the schema or grammar allows has \(needed); raise the limit of "
        + "tokens or shorten the prompt"
    }
  }
}
