internal import SwiftletConstraints

/// Keeps an answer to a grammar, token by token. A thought before it is free, as long as there is room for the answer behind it.
struct AnswerConstraint {
  private enum Phase {
    /// Nothing was said yet, and a thought may begin.
    case start
    case thinking(ThoughtEnd)
    /// A thought has ended; so many bytes of white space stand behind it.
    case behindThought(spaces: Int)
    case answer
  }

  /// White space behind a thought, in bytes.
  private static let maximumSpaces = 2

  private let vocabulary: ConstraintVocabulary
  private let leastTokens: Int
  private var phase: Phase
  private var matcher: Matcher
  private var mask = TokenMask(count: 0)
  /// Tokens that the answer may still have.
  private(set) var left: Int

  /// - Parameter limit: the most tokens of the answer, thought included.
  init(_ prepared: PreparedConstraint, request: GenerationRequest, limit: Int) {
    vocabulary = prepared.vocabulary
    leastTokens = prepared.grammar.leastTokens
    matcher = Matcher(prepared.grammar)
    left = limit
    if request.startsInThought {
      phase = .thinking(ThoughtEnd())
    } else {
      phase = request.mayBeginThought(with: vocabulary.openThought) ? .start : .answer
    }
  }

  /// Whether what comes next belongs to a thought.
  var isThinking: Bool { if case .thinking = phase { true } else { false } }
  /// Whether the answer is whole.
  var isComplete: Bool { !isThinking && matcher.isComplete }
  /// Whether the answer is whole and nothing can be added.
  var isFinished: Bool { !isThinking && matcher.isFinished }

  /// The tokens that end a thought when what is left is needed for the answer; empty while there is time.
  var closing: [Int32] {
    guard case .thinking = phase, left <= vocabulary.closing.count + leastTokens else { return [] }
    return vocabulary.closing
  }

  /// Whether a thought may go on for so many tokens, and the answer still has room behind it.
  func hasRoomForThought(of count: Int) -> Bool { left - count > vocabulary.closing.count + leastTokens }

  /// Makes the logits of tokens that must not come next minus infinity.
  /// - Returns: a token that may come, for logits that leave none; nil when the answer must end.
  mutating func restrict(_ logits: UnsafeMutableBufferPointer<Float>, ends: Set<Int32>) -> Int32? {
    if case .thinking(let end) = phase {
      for token in vocabulary.closers[end.begun] + vocabulary.ends where logits.indices.contains(Int(token)) {
        logits[Int(token)] = -.infinity
      }
      return vocabulary.closing.first
    }
    if mask.words.count * 64 < logits.count { mask = TokenMask(count: logits.count) }
    mask.removeAll()
    let rest = left - 1
    matcher.allow(within: rest, into: &mask)
    switch phase {
    case .start where rest >= vocabulary.closing.count + leastTokens:
      if let token = vocabulary.openThought { mask.insert(token) }
    case .behindThought(let spaces) where rest >= leastTokens:
      for token in vocabulary.spaces where spaces + vocabulary.tokenizer.bytes(of: token).count <= Self.maximumSpaces {
        mask.insert(token)
      }
    default: break
    }
    let first = mask.first
    if matcher.isComplete { for token in ends { mask.insert(token) } }
    mask.apply(to: logits)
    return first
  }

  /// Goes on with a token that was chosen, or forced to end a thought.
  mutating func accept(_ token: Int32) {
    left -= 1
    let bytes = vocabulary.tokenizer.bytes(of: token)
    switch phase {
    case .start:
      if token == vocabulary.openThought {
        phase = .thinking(ThoughtEnd())
      } else {
        answer(bytes)
      }
    case .thinking(var end):
      let rest = end.append(bytes)
      phase = rest.map { .behindThought(spaces: $0.count) } ?? .thinking(end)
    case .behindThought(let spaces):
      if matcher.accept(bytes) {
        phase = .answer
      } else {
        phase = .behindThought(spaces: spaces + bytes.count)
      }
    case .answer: answer(bytes)
    }
  }

  private mutating func answer(_ bytes: ArraySlice<UInt8>) {
    phase = .answer
    _ = matcher.accept(bytes)
  }
}
