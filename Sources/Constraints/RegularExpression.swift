/// The part of ECMA-262's regular expressions that `pattern` may use, read into the language of strings in which it finds a match.
///
/// Where ECMA-262 and other engines read a class differently (`\w` of letters outside ASCII, `\D`, `.` at a line's end), the
/// language has only what all of them accept.
struct RegularExpression {
  private let scalars: [UInt32]
  /// How characters out of some ranges are written.
  private let encoding: ([ClosedRange<UInt32>]) -> ByteExpression
  private let ignoresCase: Bool
  private var position = 0
  private var depth = 0
  /// Bytes of a pattern. Longer ones hardly fit into an automaton, and each character takes a hundred times its memory.
  private static let longestPattern = 10_000

  /// Why a pattern cannot be kept.
  struct Refusal: Error { let reason: String }

  /// The body of a JSON string, without quotes, that a pattern matches somewhere.
  static func body(_ pattern: String) throws(Refusal) -> ByteExpression {
    let parts = try alternatives(pattern, encoding: JSONText.canonical).map { part in
      ByteExpression.sequence((part.isAtStart ? [] : [anything]) + [part.expression] + (part.isAtEnd ? [] : [anything]))
    }
    return parts.count == 1 ? parts[0] : .choice(parts)
  }

  /// One of the texts `a|b|c` that a pattern finds.
  struct Alternative {
    var expression: ByteExpression
    /// Whether it is found at the beginning of a text only, and at the end only.
    var isAtStart = false
    var isAtEnd = false
  }

  /// What a pattern finds.
  /// - Parameter encoding: how characters out of some ranges are written.
  static func alternatives(
    _ pattern: String, ignoringCase: Bool = false, encoding: @escaping ([ClosedRange<UInt32>]) -> ByteExpression
  ) throws(Refusal) -> [Alternative] {
    guard pattern.utf8.count <= longestPattern else {
      throw Refusal(reason: "the pattern is longer than \(longestPattern) bytes")
    }
    var parser = RegularExpression(
      scalars: pattern.unicodeScalars.map(\.value), encoding: encoding, ignoresCase: ignoringCase)
    let alternatives = try parser.alternatives(isOutermost: true)
    guard parser.position == parser.scalars.count else { throw Refusal(reason: "found ')' without '('") }
    return alternatives
  }

  private init(scalars: [UInt32], encoding: @escaping ([ClosedRange<UInt32>]) -> ByteExpression, ignoresCase: Bool) {
    self.scalars = scalars
    self.encoding = encoding
    self.ignoresCase = ignoresCase
  }

  private static let anything = ByteExpression.repetition(JSONText.canonicalCharacter, minimum: 0, maximum: nil)

  private func peek(_ character: Unicode.Scalar, ahead: Int = 0) -> Bool {
    position + ahead < scalars.count && scalars[position + ahead] == character.value
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    if peek(character) {
      position += 1
      return true
    }
    return false
  }

  /// - Parameter isOutermost: `^` and `$` may stand at the ends of alternatives; what lacks them matches inside of a longer text.
  private mutating func alternatives(isOutermost: Bool) throws(Refusal) -> [Alternative] {
    depth += 1
    defer { depth -= 1 }
    if depth > 50 { throw Refusal(reason: "groups are nested more than 50 deep") }
    var parts: [Alternative] = []
    repeat {
      var terms: [ByteExpression] = []
      var isAnchored = (start: false, end: false)
      while position < scalars.count, !peek("|"), !peek(")") {
        if peek("^") || peek("$") {
          let isStart = peek("^")
          position += 1
          guard isOutermost, isStart ? terms.isEmpty : position == scalars.count || peek("|") else {
            throw Refusal(reason: "\(isStart ? "^" : "$") is kept at the ends of a pattern or of its alternatives only")
          }
          if isStart { isAnchored.start = true } else { isAnchored.end = true }
        } else {
          terms.append(try term())
        }
      }
      parts.append(Alternative(expression: .sequence(terms), isAtStart: isAnchored.start, isAtEnd: isAnchored.end))
    } while take("|")
    return parts
  }

  private mutating func term() throws(Refusal) -> ByteExpression {
    let atom = try atom()
    var minimum = 1, maximum: Int? = 1
    if take("*") {
      (minimum, maximum) = (0, nil)
    } else if take("+") {
      maximum = nil
    } else if take("?") {
      minimum = 0
    } else if peek("{"), let count = count() {
      (minimum, maximum) = count
      if let maximum, maximum < minimum { throw Refusal(reason: "a repetition's limits are the wrong way round") }
      if max(minimum, maximum ?? 0) > 1000 { throw Refusal(reason: "repetitions of more than 1000 are too large") }
    } else {
      if peek("{"), peek(",", ahead: 1) { throw Refusal(reason: "{,n} is read differently by different engines; write {0,n}") }
      return atom
    }
    // Whether a repetition is lazy does not change what is matched.
    _ = take("?")
    var isRepeated = peek("*") || peek("+") || peek("?")
    if peek("{"), count() != nil { isRepeated = true }
    if isRepeated { throw Refusal(reason: "found a repetition behind a repetition") }
    return .repetition(atom, minimum: minimum, maximum: maximum)
  }

  /// `{n}`, `{n,}` or `{n,m}`; else nothing is read, and the brace stands for itself.
  private mutating func count() -> (Int, Int?)? {
    let start = position
    func number() -> Int? {
      var value: Int?
      while position < scalars.count, (0x30...0x39).contains(scalars[position]), value ?? 0 < 1_000_000 {
        value = (value ?? 0) * 10 + Int(scalars[position] - 0x30)
        position += 1
      }
      return value
    }
    position += 1
    if let minimum = number() {
      if take("}") { return (minimum, minimum) }
      if take(",") {
        if take("}") { return (minimum, nil) }
        if let maximum = number(), take("}") { return (minimum, maximum) }
      }
    }
    position = start
    return nil
  }

  private mutating func atom() throws(Refusal) -> ByteExpression {
    let scalar = scalars[position]
    position += 1
    switch Unicode.Scalar(scalar) {
    case "(":
      if take("?") {
        if take(":") {
        } else if peek("<"), !peek("=", ahead: 1), !peek("!", ahead: 1) {
          while position < scalars.count, !take(">") { position += 1 }
        } else {
          throw Refusal(reason: "looking ahead or behind and inline flags are not kept")
        }
      }
      let group = try alternatives(isOutermost: false).map(\.expression)
      guard take(")") else { throw Refusal(reason: "found '(' without ')'") }
      return group.count == 1 ? group[0] : .choice(group)
    case "[": return encoding(try set())
    case ".":
      return encoding(Self.complement([0x0A...0x0A, 0x0D...0x0D, 0x85...0x85, 0x2028...0x2029]))
    case "\\": return encoding(folded(try escape(inSet: false)))
    case "*", "+", "?": throw Refusal(reason: "found a repetition of nothing")
    default: return encoding(folded([scalar...scalar]))
    }
  }

  private func folded(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
    ignoresCase ? TextPattern.bothCases(ranges) : ranges
  }

  private mutating func set() throws(Refusal) -> [ClosedRange<UInt32>] {
    let isNegated = take("^")
    if peek("]") { throw Refusal(reason: "an empty set of characters is read differently by different engines") }
    var ranges: [ClosedRange<UInt32>] = [], hasClass = false
    while !take("]") {
      guard position < scalars.count else { throw Refusal(reason: "found '[' without ']'") }
      let first = try member(&hasClass)
      if peek("-"), !peek("]", ahead: 1), position + 1 < scalars.count, let low = Self.single(first) {
        position += 1
        guard let high = Self.single(try member(&hasClass)), low <= high else {
          throw Refusal(reason: "found a range of characters whose ends are the wrong way round or no characters")
        }
        ranges.append(low...high)
      } else {
        ranges += first
      }
    }
    ranges = folded(ranges)
    if !isNegated { return ranges }
    let others = Self.complement(ranges)
    return hasClass ? others.filter { $0.lowerBound < 0x80 }.map { $0.clamped(to: 0...0x7F) } : others
  }

  private mutating func member(_ hasClass: inout Bool) throws(Refusal) -> [ClosedRange<UInt32>] {
    let scalar = scalars[position]
    position += 1
    guard scalar == 0x5C else { return [scalar...scalar] }
    let ranges = try escape(inSet: true)
    if Self.single(ranges) == nil { hasClass = true }
    return ranges
  }

  private static func single(_ ranges: [ClosedRange<UInt32>]) -> UInt32? {
    ranges.count == 1 && ranges[0].count == 1 ? ranges[0].lowerBound : nil
  }

  private static let digits: [ClosedRange<UInt32>] = [0x30...0x39]
  private static let words: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A]
  private static let spaces: [ClosedRange<UInt32>] = [0x09...0x0D, 0x20...0x20]

  private mutating func escape(inSet: Bool) throws(Refusal) -> [ClosedRange<UInt32>] {
    guard position < scalars.count else { throw Refusal(reason: "found \\ at the end") }
    let scalar = scalars[position]
    position += 1
    func ascii(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
      // FS to US are white space to some engines.
      Self.complement(ranges + [0x1C...0x1F]).filter { $0.lowerBound < 0x80 }.map { $0.clamped(to: 0...0x7F) }
    }
    func hexadecimal(_ count: Int) throws(Refusal) -> UInt32 {
      var value: UInt32 = 0
      for _ in 0..<count {
        guard position < scalars.count, let digit = Unicode.Scalar(scalars[position]).flatMap({ Character($0).hexDigitValue })
        else { throw Refusal(reason: "found an escape with too few hexadecimal digits") }
        value = value << 4 | UInt32(digit)
        position += 1
      }
      return value
    }
    switch Unicode.Scalar(scalar) {
    case "d": return Self.digits
    case "w": return Self.words
    case "s": return Self.spaces
    case "D": return ascii(Self.digits)
    case "W": return ascii(Self.words)
    case "S": return ascii(Self.spaces)
    case "t": return [0x09...0x09]
    case "n": return [0x0A...0x0A]
    case "v": return [0x0B...0x0B]
    case "f": return [0x0C...0x0C]
    case "r": return [0x0D...0x0D]
    case "x":
      let value = try hexadecimal(2)
      return [value...value]
    case "u":
      if peek("{") { throw Refusal(reason: "\\u{…} is not kept") }
      let value = try hexadecimal(4)
      if (0xD800..<0xE000).contains(value) { throw Refusal(reason: "\\u of surrogates is not kept") }
      return [value...value]
    case "b" where inSet: return [0x08...0x08]
    default:
      if let known = Unicode.Scalar(scalar), known.properties.isAlphabetic || (0x30...0x39).contains(scalar) {
        throw Refusal(reason: "\\\(known) is not kept")
      }
      return [scalar...scalar]
    }
  }

  private static func complement(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
    var result: [ClosedRange<UInt32>] = [], next: UInt32 = 0
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if range.lowerBound > next { result.append(next...range.lowerBound - 1) }
      next = max(next, range.upperBound + 1)
    }
    if next <= 0x10FFFF { result.append(next...0x10FFFF) }
    return result
  }
}
