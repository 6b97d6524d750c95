public import SwiftletJSON

/// What an answer says, for counting.
public struct Ballot: Sendable, Equatable {
  /// As it was written; of a sentence the number in it.
  public var answer: String
  /// The same for answers that mean the same.
  public var canonical: String

  public init(answer: String, canonical: String) {
    self.answer = answer
    self.canonical = canonical
  }

  /// What a response says where nothing is known of the question: what stands between `<answer>` tags or in a box, or behind
  /// "answer is", else the last line. A number is compared as one, LaTeX without what only changes its looks, of an unmarked line
  /// the last number counts, and other text without case and white space. An answer that is a JSON object or array as a whole is
  /// compared as one. So is one on lines of its own among other words that is not empty: in the only fence of `json`, or, without
  /// such a fence, an object that no number follows; unless an answer is marked before or behind it. nil where nothing was said:
  /// no letter and no digit.
  public init?(response: String) {
    if let value = Self.json(in: response) {
      self.init(answer: value.serialized(), canonical: Self.sorted(value).serialized())
      return
    }
    guard let found = AnswerExtraction.lenient.find(in: response) else { return nil }
    let text = found.text[...].trimmed(\.isWhitespace)
    guard !text.isEmpty, text.utf8.count <= Self.longest else { return nil }
    let whole = String(text)
    let number = NumberText.canonical(whole) == nil && !found.isMarked ? NumberText.last(in: whole) : nil
    let answer = number ?? whole
    let canonical =
      NumberText.canonical(answer) ?? (answer.contains("\\") ? MathematicsText.canonical(answer) : nil)
      ?? AnswerText.normalized(answer)
    guard canonical.contains(where: { $0.isLetter || $0.isNumber }) else { return nil }
    self.init(answer: answer, canonical: canonical)
  }

  /// Longer ones, in bytes, are no answers that others could agree with.
  private static let longest = 4096
  /// The same of JSON, whose answers others can well agree with.
  private static let longestJSON = 1 << 16

  /// The object or array that an answer is, in a fence or between `<answer>` tags or not, or that stands among its words.
  private static func json(in response: String) -> JSONValue? {
    guard let said = AnswerExtraction.tagged.answer(in: response) ?? AnswerExtraction.said(in: response) else { return nil }
    let text = said[...].trimmed(\.isWhitespace)
    var whole = text
    if text.hasPrefix("```"), text.hasSuffix("```"), let end = text.firstIndex(where: \.isNewline) {
      whole = text[end...].dropLast(3)
    }
    return container(whole) ?? container(amongWords: text)
  }

  private static func container(_ text: Substring) -> JSONValue? {
    let text = text.trimmed(\.isWhitespace)
    guard text.first == "{" || text.first == "[", text.utf8.count <= longestJSON else { return nil }
    return try? JSONValue(parsing: String(text))
  }

  /// The one object or array that stands on lines of its own; nil where an answer is marked before or behind it.
  private static func container(amongWords text: Substring) -> JSONValue? {
    guard text.utf8.count <= longestJSON else { return nil }
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map { $0.trimmed(\.isWhitespace) }
    let fences = lines.indices.filter { lines[$0].lowercased() == "```json" }
    let start: Int?, end: Int?
    if let fence = fences.first {
      start = fence + 1
      end = lines[fence...].firstIndex(of: "```").map { $0 - 1 }
    } else {
      start = lines.firstIndex { $0.hasPrefix("{") || $0.hasPrefix("[") }
      end = lines.lastIndex { $0.hasSuffix("}") || $0.hasSuffix("]") }
    }
    guard fences.count < 2, let first = start, let last = end, first <= last,
      let value = container(text[lines[first].startIndex..<lines[last].endIndex]),
      value.members?.isEmpty != true, value.elements?.isEmpty != true
    else { return nil }
    let before = text[..<lines[first].startIndex], behind = text[lines[last].endIndex...]
    guard !AnswerExtraction.saysAnswer(before), !AnswerExtraction.marksAnswer(behind) else { return nil }
    guard fences.isEmpty else { return value }
    // Lists of numbers are mostly part of what is explained, and an object is what a number behind it is about.
    let isObject = value.members != nil || value.elements?.first?.members != nil
    guard isObject, NumberText.last(in: String(behind)) == nil else { return nil }
    return value
  }

  /// The same value with the members of objects in the order of their names, and whole numbers written as such.
  private static func sorted(_ value: JSONValue) -> JSONValue {
    if let elements = value.elements { return .array(elements.map(sorted)) }
    if let members = value.members {
      return .object(members.map { JSONMember(key: $0.key, value: sorted($0.value)) }.sorted { $0.key < $1.key })
    }
    return value.integer.map { .integer($0) } ?? value.double.flatMap(Int.init(exactly:)).map { .integer($0) } ?? value
  }
}

/// A majority vote over several answers to one question (self-consistency, Wang et al. 2022).
public struct Vote: Sendable, Equatable {
  public struct Candidate: Sendable, Equatable {
    /// As the first that said so wrote it.
    public var answer: String
    public var votes: Int
    /// Which answer was the first to say so, from 0.
    public var sample: Int
  }

  /// The most frequent answer first; of equally frequent ones the one that stood first.
  public let candidates: [Candidate]
  /// Answers that say nothing, which have no vote.
  public let blanks: Int

  /// - Parameter ballots: of all answers, in their order; nil, or one that says nothing, has no vote.
  public init(_ ballots: [Ballot?]) {
    var places: [String: Int] = [:], candidates: [Candidate] = []
    for (sample, ballot) in ballots.enumerated() {
      guard let ballot, !ballot.canonical.isEmpty else { continue }
      if let place = places[ballot.canonical] {
        candidates[place].votes += 1
      } else {
        places[ballot.canonical] = candidates.count
        candidates.append(Candidate(answer: ballot.answer, votes: 1, sample: sample))
      }
    }
    blanks = ballots.count - candidates.reduce(0) { $0 + $1.votes }
    self.candidates = candidates.sorted { ($1.votes, $0.sample) < ($0.votes, $1.sample) }
  }

  /// nil where no answer says anything.
  public var winner: Candidate? { candidates.first }

  public var json: JSONValue {
    [
      "answer": winner.map { .string($0.answer) } ?? .null, "votes": .integer(winner?.votes ?? 0), "blank": .integer(blanks),
      "counts": .array(candidates.map { ["answer": .string($0.answer), "votes": .integer($0.votes)] }),
    ]
  }
}
