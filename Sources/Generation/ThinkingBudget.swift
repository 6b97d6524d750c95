public import SwiftletJSON
public import SwiftletTokenization

/// How long a model thinks before it answers: the one form that the command, the library and the API have for it.
public struct ThinkingBudget: Sendable, Equatable, CustomStringConvertible {
  /// Whether the model is asked to think; nil leaves it to its chat template, unless there is a minimum.
  public var isEnabled: Bool?
  /// The most tokens of a thought: then its end is forced. 0: a thought ends where it begins. nil for no limit of its own.
  public var maximum: Int?
  /// The fewest tokens of a thought: where the model would end it sooner, "Wait" stands in place of the end, and the thought goes
  /// on (Muennighoff et al. 2025, s1).
  public var minimum: Int

  /// Unless told otherwise, as the model's chat template has it, and as long as it takes.
  public init(isEnabled: Bool? = nil, maximum: Int? = nil, minimum: Int = 0) {
    self.isEnabled = isEnabled
    self.maximum = maximum
    self.minimum = minimum
  }

  public static let off = ThinkingBudget(isEnabled: false, maximum: 0)
  /// At most `lowTokens`.
  public static let low = tokens(lowTokens)
  /// At most `highTokens`.
  public static let high = tokens(highTokens)
  /// A thought as long as it takes.
  public static let max = ThinkingBudget(isEnabled: true)

  public static let lowTokens = 1024, highTokens = 8192

  /// So many tokens at most; 0 is `off`.
  public static func tokens(_ count: Int) -> ThinkingBudget {
    count == 0 ? off : ThinkingBudget(isEnabled: true, maximum: count)
  }

  /// `off`, `low`, `high`, `max`, or a number of tokens; nil for anything else.
  public init?(_ text: String) {
    switch text {
    case "off": self = .off
    case "low": self = .low
    case "high": self = .high
    case "max": self = .max
    default:
      guard let count = Int(text), count >= 0 else { return nil }
      self = .tokens(count)
    }
  }

  /// As `init(_:)` reads it, with the minimum behind it.
  public var description: String {
    let budget =
      switch (isEnabled, maximum) {
      case (false, _), (_, 0): "off"
      case (_, let maximum?): "\(maximum)"
      case (true, nil): "max"
      case (nil, nil): "default"
      }
    return minimum > 0 ? "\(budget), at least \(minimum)" : budget
  }

  /// Whether a thought is asked for. A minimum asks for one where nothing else was said.
  public var asksForThought: Bool? { isEnabled ?? (minimum > 0 ? true : nil) }

  /// What chat templates read. They know one name or the other, if any.
  public var templateVariables: [JSONMember] {
    guard let asksForThought else { return [] }
    return ["thinking", "enable_thinking"].map { JSONMember(key: $0, value: .bool(asksForThought)) }
  }

  /// - Throws: `GenerationError.invalidOption`.
  func validate() throws(GenerationError) {
    for (name, value) in [("think", maximum), ("think_min", minimum)] {
      if let value, value < 0 { throw .invalidOption(name: name, reason: "found \(value), expected a number from 0") }
    }
    if let maximum, minimum > maximum {
      throw .invalidOption(
        name: "think_min",
        reason: "found \(minimum), but a thought has at most \(maximum) tokens; raise the budget or lower the minimum")
    }
  }

  /// What ends a thought that is too long.
  static let closing = "\n</think>\n\n"
  /// What stands in place of an end that comes too soon.
  static let continuation = "Wait"

  /// The budget in a model's tokens; nil where it changes nothing.
  func limit(_ tokenizer: Tokenizer) -> ThoughtLimit? {
    if maximum == nil, minimum == 0 { return nil }
    return ThoughtLimit(
      tokens: maximum ?? .max, closing: tokenizer.encode(Self.closing), minimum: minimum,
      continuation: minimum > 0 ? tokenizer.encode(Self.continuation) : [])
  }
}

/// The bounds of a thought in a model's tokens.
public struct ThoughtLimit: Sendable, Equatable {
  /// After so many tokens of thought those of `closing` are taken instead of those that the model would choose.
  public var tokens: Int
  /// `</think>` and what stands around it.
  public var closing: [Int32]
  /// As long as there are fewer tokens of thought, those of `continuation` are taken in place of the one that would end it.
  public var minimum: Int
  /// What an end that comes too soon is replaced by.
  public var continuation: [Int32]

  public init(tokens: Int, closing: [Int32], minimum: Int = 0, continuation: [Int32] = []) {
    self.tokens = tokens
    self.closing = closing
    self.minimum = minimum
    self.continuation = continuation
  }
}

/// How an answer begins that the model is to go on with.
public struct AnswerPrefix: Sendable, Equatable {
  public var reasoning: String
  public var content: String

  public init(reasoning: String = "", content: String = "") {
    self.reasoning = reasoning
    self.content = content
  }
}

extension GenerationRequest {
  /// A request for the answer to a rendered prompt, which thinks as `options.thinking` says. The prompt should be rendered with its
  /// `templateVariables`.
  public init(renderedPrompt: String, prefix: AnswerPrefix? = nil, tokenizer: Tokenizer, options: GenerationOptions) {
    var text = renderedPrompt
    var opensThought = ReasoningParser.opensThought(text)
    func closeThought() {
      text += ThinkingBudget.closing
      opensThought = false
    }
    // Templates that know of no such choice open it in any case.
    if opensThought, options.thinking.isEnabled == false { closeThought() }
    if let prefix {
      if !prefix.reasoning.isEmpty {
        text += (opensThought ? "" : "<think>\n") + prefix.reasoning
        opensThought = true
      }
      if !prefix.content.isEmpty {
        if opensThought { closeThought() }
        text += prefix.content
      }
    }
    // A thought that the prefix began goes on, also where none was to be opened.
    let goesOn = opensThought && options.thinking.isEnabled == false
    self.init(
      prompt: tokenizer.encode(text), options: options, promptOpensThought: opensThought,
      mayOpenThought: options.thinking.isEnabled != false && prefix == nil && !ReasoningParser.closesThought(text),
      thoughtLimit: goesOn ? nil : options.thinking.limit(tokenizer))
    continuesThought = opensThought && prefix?.reasoning.isEmpty == false
  }

  /// Whether the answer may have a thought: the prompt opens one, or the model may, with a token of its vocabulary.
  ///
  /// A constrained answer may begin with a thought exactly where this is so. A free one always may: of a model that writes
  /// `<think>` in several tokens, unasked, its files do not tell.
  public func mayThink(with tokenizer: Tokenizer) -> Bool {
    startsInThought || mayBeginThought(with: tokenizer.openThought)
  }
}

extension Tokenizer {
  /// The token that opens a thought, in vocabularies that have one. A control token is none: it leaves no text in the answer.
  var openThought: Int32? { id(of: "<think>").flatMap { isSpecial($0) ? nil : $0 } }
}
