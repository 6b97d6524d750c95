/// A parsed regular expression.
indirect enum RegexNode {
  case empty
  case scalar(ScalarSet)
  case sequence([RegexNode])
  case choice([RegexNode])
  /// `maximum` nil means without bound.
  case repetition(RegexNode, minimum: Int, maximum: Int?, RepetitionMode)
  case atomic(RegexNode)
  case look(RegexNode, ahead: Bool, negated: Bool)
  case assertion(RegexAssertion)
}

enum RepetitionMode {
  case greedy
  case lazy
  case possessive
}

enum RegexAssertion {
  case lineStart
  case lineEnd
  case textStart
  case textEnd
  /// At the end of the text, or before a newline that ends it.
  case textEndOrFinalNewline
  case wordBoundary
  case notWordBoundary
}

/// What is wrong with a pattern, or not supported.
struct RegexError: Error {
  /// In scalars from the pattern's start.
  let offset: Int
  let reason: String
}

extension RegexNode {
  /// The number of scalars every match has, when it is one number: what a lookbehind needs.
  var fixedWidth: Int? {
    switch self {
    case .empty, .look, .assertion: return 0
    case .scalar: return 1
    case .sequence(let nodes):
      var sum = 0
      for node in nodes {
        guard let width = node.fixedWidth, !sum.addingReportingOverflow(width).overflow else { return nil }
        sum += width
      }
      return sum
    case .choice(let nodes):
      let widths = nodes.map(\.fixedWidth)
      return widths.allSatisfy { $0 == widths.first } ? widths.first ?? 0 : nil
    case .repetition(let node, let minimum, let maximum, _):
      guard minimum == maximum, let width = node.fixedWidth else { return nil }
      let (product, overflow) = width.multipliedReportingOverflow(by: minimum)
      return overflow ? nil : product
    case .atomic(let node): return node.fixedWidth
    }
  }

  var mayMatchNothing: Bool {
    switch self {
    case .empty, .look, .assertion: true
    case .scalar: false
    case .sequence(let nodes): nodes.allSatisfy(\.mayMatchNothing)
    case .choice(let nodes): nodes.contains(where: \.mayMatchNothing)
    case .repetition(let node, let minimum, _, _): minimum == 0 || node.mayMatchNothing
    case .atomic(let node): node.mayMatchNothing
    }
  }
}

/// A set of scalars that one element of a pattern accepts.
struct ScalarSet: Sendable {
  private var ranges: [ClosedRange<UInt32>] = []
  private var categories: UInt32 = 0
  private var includesWhitespace = false
  private var includesWord = false
  private var subsets: [ScalarSet] = []
  private var isNegated = false
  /// How many sets it is made of, itself among them: what `evaluate` costs.
  private(set) var size = 1
  /// Filled by `finished()`.
  private var sortedRanges = ScalarRanges([])
  private(set) var ascii: (low: UInt64, high: UInt64) = (0, 0)

  init() {}

  init(_ value: UInt32) { ranges = [value...value] }

  mutating func insert(_ range: ClosedRange<UInt32>) { ranges.append(range) }
  mutating func insertCategories(_ mask: UInt32) { categories |= mask }
  mutating func insertWhitespace() { includesWhitespace = true }
  mutating func insertWord() { includesWord = true }
  mutating func insert(_ set: ScalarSet) {
    subsets.append(set)
    size += set.size
  }
  mutating func negate() { isNegated.toggle() }

  /// Adds what case folding makes equal. Ranges too long for letters of a script only get their ASCII and Latin-1 part folded.
  /// - Returns: how many scalars were looked at.
  mutating func insertOtherCases() -> Int {
    var count = 0
    for range in ranges {
      for value in range.clamped(to: range.count <= 1024 ? range : 0x41...0xFF) where range.contains(value) {
        count += 1
        for other in Self.otherCases(value) { ranges.append(other...other) }
      }
    }
    return count
  }

  private static func otherCases(_ value: UInt32) -> [UInt32] {
    guard let scalar = Unicode.Scalar(value) else { return [] }
    let properties = scalar.properties
    var cases: [UInt32] = []
    for mapping in [properties.lowercaseMapping, properties.uppercaseMapping] where mapping.unicodeScalars.count == 1 {
      if let other = mapping.unicodeScalars.first, other != scalar { cases.append(other.value) }
    }
    // The two scalars outside ASCII that fold to ASCII letters.
    if value | 0x20 == 0x73 { cases.append(0x17F) }
    if value | 0x20 == 0x6B { cases.append(0x212A) }
    if value == 0x17F || value == 0x212A { cases.append(value == 0x17F ? 0x53 : 0x6B) }
    return cases
  }

  /// The set ready for `evaluate`.
  func finished() -> ScalarSet {
    var set = self
    set.subsets = subsets.map { $0.finished() }
    set.sortedRanges = ScalarRanges(ranges)
    for value in UInt32(0)..<128 where set.evaluate(value) {
      if value < 64 { set.ascii.low |= 1 << UInt64(value) } else { set.ascii.high |= 1 << UInt64(value - 64) }
    }
    return set
  }

  /// Whether the set has a scalar; after `finished()`.
  func evaluate(_ value: UInt32) -> Bool {
    let isMember =
      categories & ScalarCategories.mask(value) != 0 || sortedRanges.contains(value)
      || includesWhitespace && ScalarCategories.isWhitespace(value) || includesWord && Self.isWord(value)
      || subsets.contains { $0.evaluate(value) }
    return isMember != isNegated
  }

  /// What `\w` means: alphabetic scalars, marks, decimal digits and connector punctuation.
  static func isWord(_ value: UInt32) -> Bool {
    let mask = ScalarCategories.mask(value)
    if mask & (CategoryMask.letter | CategoryMask.mark | 1 << 8 | 1 << 11) != 0 { return true }
    guard mask & (CategoryMask.number | CategoryMask.symbol) != 0 else { return false }
    return Unicode.Scalar(value)?.properties.isAlphabetic ?? false
  }
}
