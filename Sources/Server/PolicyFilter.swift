internal import SwiftletConstraints
internal import SwiftletGeneration

/// Keeps from an answer what the policy denies. A token is held back while its text may be the beginning of something denied, and its
/// probabilities with it, since these name it.
struct PolicyFilter {
  /// What is held back at most, in bytes of text. Of a longer text that is denied the beginning has been sent when its end comes; the
  /// answer ends there all the same.
  private static let longestHold = 4096

  enum Output {
    case event(GenerationEvent)
    /// The answer ends here, by a rule.
    case denied(Policy.Rule)
  }

  /// A rule that was found, and where.
  private struct Find {
    var index: Int
    var start: Int
  }

  /// The answer and its thought are texts of their own. Scanners go on where they stopped, so a token costs as much as its own bytes and
  /// rules, however long the answer is.
  private struct Text {
    var scanners: [TextScanner]
    var count = 0
    var hasEnded = false

    /// Goes through the rules before `limit`.
    /// - Returns: the first that is found at the end of what `look` adds.
    private mutating func find(before limit: Int, _ look: (inout TextScanner) -> Int?) -> Find? {
      var first: Find?
      for index in 0..<limit {
        guard let start = look(&scanners[index]), first == nil else { continue }
        first = Find(index: index, start: start)
      }
      return first
    }

    mutating func append(_ byte: UInt8, before limit: Int) -> Find? {
      find(before: limit) { $0.append(byte) }
    }

    mutating func end(before limit: Int) -> Find? {
      if hasEnded { return nil }
      hasEnded = true
      return find(before: limit) { $0.finish() }
    }
  }

  private let rules: [Policy.Rule]
  /// The rules before the first that was found.
  private var openRules: Int
  private var reasoning: Text
  private var content: Text
  /// With the lengths of both texts behind it.
  private var held: [(event: GenerationEvent, reasoningEnd: Int, contentEnd: Int)] = []

  init(_ rules: [Policy.Rule]) {
    self.rules = rules
    openRules = rules.count
    let scanners = rules.map { TextScanner($0.pattern) }
    reasoning = Text(scanners: scanners)
    content = Text(scanners: scanners)
  }

  /// What is certain with a further event. Nothing comes after a rule.
  mutating func add(_ event: GenerationEvent) -> [Output] {
    if rules.isEmpty { return [.event(event)] }
    let parts: [AnswerPart]
    switch event {
    case .promptScored, .promptDone: return [.event(event)]
    case .token(let token): parts = token.parts
    case .finished(let summary): parts = summary.parts
    }
    var denial: Denial?
    for part in parts where denial == nil {
      switch part {
      case .reasoning(let text): denial = appendReasoning(text)
      case .content(let text):
        // A thought is not continued once the answer has begun.
        denial = endReasoning() ?? appendContent(text)
      }
    }
    var isLast = false
    if case .finished = event { isLast = true }
    if isLast, denial == nil { denial = endReasoning() ?? endContent() }
    held.append((event, reasoning.count, content.count))
    if let denial { return release(before: denial) }
    return release(all: isLast)
  }

  private struct Denial {
    var rule: Policy.Rule
    var reasoningStart = Int.max
    var contentStart = Int.max
  }

  private mutating func appendReasoning(_ text: String) -> Denial? {
    defer { reasoning.count += text.utf8.count }
    // By bytes, so that it does not matter how the text was cut into tokens.
    for byte in text.utf8 {
      if let denial = decide(reasoning.append(byte, before: openRules), inReasoning: true) { return denial }
    }
    return nil
  }

  private mutating func appendContent(_ text: String) -> Denial? {
    defer { content.count += text.utf8.count }
    for byte in text.utf8 {
      if let denial = decide(content.append(byte, before: openRules), inReasoning: false) { return denial }
    }
    return nil
  }

  private mutating func endReasoning() -> Denial? { decide(reasoning.end(before: openRules), inReasoning: true) }

  private mutating func endContent() -> Denial? { decide(content.end(before: openRules), inReasoning: false) }

  /// Of the rules that are found in the answer so far, the first decides; those behind it matter no more.
  private mutating func decide(_ find: Find?, inReasoning: Bool) -> Denial? {
    guard let find else { return nil }
    openRules = find.index
    guard rules[find.index].isDenied else { return nil }
    var denial = Denial(rule: rules[find.index])
    if inReasoning { denial.reasoningStart = find.start } else { denial.contentStart = find.start }
    return denial
  }

  private func certainCount(_ text: Text) -> Int {
    if text.hasEnded { return text.count }
    return (0..<openRules).filter { rules[$0].isDenied }.map { text.scanners[$0].certainCount }.min() ?? text.count
  }

  /// What stands before the denied text; of the other tokens only that they were computed.
  private mutating func release(before denial: Denial) -> [Output] {
    defer { held = [] }
    let events = held.compactMap { event, reasoningEnd, contentEnd -> Output? in
      if case .finished = event { return nil }
      if reasoningEnd <= denial.reasoningStart, contentEnd <= denial.contentStart { return .event(event) }
      guard case .token(var token) = event else { return .event(event) }
      token.parts = []
      token.logProbabilities = nil
      return .event(.token(token))
    }
    return events + [.denied(denial.rule)]
  }

  private mutating func release(all: Bool) -> [Output] {
    let certain = (reasoning: certainCount(reasoning), content: certainCount(content))
    let least = (reasoning: reasoning.count - Self.longestHold, content: content.count - Self.longestHold)
    let count = held.prefix { event in
      all
        || event.reasoningEnd <= max(certain.reasoning, least.reasoning)
          && event.contentEnd <= max(certain.content, least.content)
    }.count
    defer { held.removeFirst(count) }
    return held.prefix(count).map { .event($0.event) }
  }
}
