/// A literal text or a regular expression, found in time that grows with the text's length, whatever the pattern is: it becomes a
/// deterministic automaton, so there is nothing to go back for.
public struct TextPattern: Sendable {
  /// One alternative of the pattern.
  struct Part: Sendable {
    let isAtStart: Bool
    let isAtEnd: Bool
    /// Of the texts that are found.
    let found: ByteAutomaton
    /// Of all texts that end with one.
    let search: ByteAutomaton
  }

  let parts: [Part]

  /// Why a pattern cannot be used.
  public struct Refusal: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String
  }

  private static let anything = ByteExpression.repetition(.bytes(0x00...0xFF), minimum: 0, maximum: nil)

  /// - Parameter ignoringCase: for letters that have one counterpart in the other case.
  /// - Throws: `Refusal`, among others for what only going back could find (`\1`, `(?=…)`) and for what is found in every text.
  public init(regularExpression: String, ignoringCase: Bool = false) throws(Refusal) {
    let alternatives: [RegularExpression.Alternative]
    do {
      alternatives = try RegularExpression.alternatives(regularExpression, ignoringCase: ignoringCase, encoding: Self.utf8)
    } catch {
      throw Refusal(description: error.reason)
    }
    try self.init(alternatives)
  }

  public init(literal: String, ignoringCase: Bool = false) throws(Refusal) {
    let characters = literal.unicodeScalars.map { scalar in
      let ranges = [scalar.value...scalar.value]
      return Self.utf8(ignoringCase ? Self.bothCases(ranges) : ranges)
    }
    try self.init([RegularExpression.Alternative(expression: .sequence(characters))])
  }

  private init(_ alternatives: [RegularExpression.Alternative]) throws(Refusal) {
    var parts: [Part] = []
    for alternative in alternatives {
      do throws(ByteAutomaton.TooLarge) {
        let found = try ByteAutomaton(alternative.expression)
        let search = alternative.isAtStart ? found : try ByteAutomaton(.sequence([Self.anything, alternative.expression]))
        parts.append(
          Part(isAtStart: alternative.isAtStart, isAtEnd: alternative.isAtEnd, found: found, search: search))
      } catch {
        throw Refusal(description: "the pattern is too large; shorten its repetitions")
      }
    }
    guard parts.allSatisfy({ !$0.found.accepts([]) }) else {
      throw Refusal(description: "the pattern is found in every text, since it may be empty")
    }
    self.parts = parts
  }

  private static func utf8(_ ranges: [ClosedRange<UInt32>]) -> ByteExpression { .choice(ranges.map { .utf8($0) }) }

  /// The ranges with the other case of their letters.
  static func bothCases(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
    // Large ranges, such as all that is not ASCII, hold both cases already.
    ranges
      + ranges.filter { $0.count <= 1000 }.flatMap { range in
        range.compactMap { Unicode.Scalar($0) }.flatMap { scalar in
          [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping].compactMap { text in
            let scalars = text.unicodeScalars
            guard let other = scalars.first, scalars.count == 1, other != scalar else { return nil }
            return other.value...other.value
          }
        }
      }
  }

  /// Whether the pattern is found in a text.
  public func isFound(in bytes: some Sequence<UInt8>) -> Bool {
    parts.contains { part in
      let automaton = part.search
      if automaton.isEmpty { return false }
      var state: Int32 = 0
      for byte in bytes {
        state = automaton.next(state, byte)
        if state < 0 { return false }
        if automaton.accepting[Int(state)], !part.isAtEnd { return true }
      }
      return automaton.accepting[Int(state)]
    }
  }
}

/// Looks for a pattern in a text that comes piece by piece.
public struct TextScanner: Sendable {
  private let parts: [TextPattern.Part]
  /// Of each part, the places where what is found may have begun, the earliest first; of those that are alike from now on, one.
  private var open: [[(state: Int32, start: Int)]]
  private var count = 0

  public init(_ pattern: TextPattern) {
    parts = pattern.parts
    open = Array(repeating: [], count: parts.count)
  }

  /// Bytes of the text before what may still turn out to be found; all bytes so far when there is no such thing.
  public var certainCount: Int { open.compactMap(\.first?.start).min() ?? count }

  /// - Returns: where the first text begins that is found, when one ends in these bytes. Nothing is looked for behind it.
  public mutating func append(_ bytes: some Sequence<UInt8>) -> Int? {
    for byte in bytes {
      if let start = append(byte) { return start }
    }
    return nil
  }

  /// The same for one byte.
  public mutating func append(_ byte: UInt8) -> Int? {
    var start: Int?
    for index in parts.indices {
      advance(index, byte)
      guard !open[index].isEmpty, !parts[index].isAtEnd else { continue }
      let found = open[index].first { parts[index].found.accepting[Int($0.state)] }?.start
      if let found, found < start ?? .max { start = found }
    }
    count += 1
    return start
  }

  private mutating func advance(_ index: Int, _ byte: UInt8) {
    if parts[index].found.isEmpty { return }
    let begins = !parts[index].isAtStart || count == 0
    if open[index].isEmpty {
      // Most bytes begin nothing: with many patterns this is what takes the time, so nothing is allocated.
      let target = begins ? parts[index].found.next(0, byte) : -1
      if target >= 0 { open[index].append((target, count)) }
      return
    }
    var next: [(state: Int32, start: Int)] = [], known = Set<Int32>()
    var candidates = open[index]
    if begins { candidates.append((0, count)) }
    for (state, start) in candidates {
      let target = parts[index].found.next(state, byte)
      if target >= 0, known.insert(target).inserted { next.append((target, start)) }
    }
    open[index] = next
  }

  /// Ends the text.
  /// - Returns: where the first text begins that is found at the end only.
  public mutating func finish() -> Int? {
    defer { open = Array(repeating: [], count: parts.count) }
    return parts.indices.compactMap { index in
      parts[index].isAtEnd ? open[index].first { parts[index].found.accepting[Int($0.state)] }?.start : nil
    }.min()
  }
}
