/// What becomes of the matches of a split, as tokenizer.json names it.
enum SplitBehavior: String, Sendable {
  /// Every match is a piece.
  case isolated = "Isolated"
  case removed = "Removed"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  /// Neighbouring matches are one piece.
  case contiguous = "Contiguous"
}

/// One step of a pre-tokenizer: it runs inside every piece that the step before it left.
struct SplitStep: Sendable {
  let pattern: String
  let behavior: SplitBehavior
  /// Whether what lies between the matches counts as matched.
  let isInverted: Bool
  let program: RegexProgram

  init(_ pattern: String, _ behavior: SplitBehavior = .isolated, isInverted: Bool = false) throws(RegexError) {
    self.pattern = pattern
    self.behavior = behavior
    self.isInverted = isInverted
    program = try RegexProgram(pattern)
  }
}

/// A pre-tokenizer without a scanner of its own: its regular expressions are run as they are written.
struct SplitPipeline: Sendable {
  let steps: [SplitStep]

  /// The pieces of a text of valid UTF-8, in order, none empty.
  func pieces(_ text: UnsafeBufferPointer<UInt8>, _ budget: inout RegexBudget) -> [Range<Int>] {
    guard let bytes = text.baseAddress, !text.isEmpty else { return [] }
    var pieces = [0..<text.count]
    for step in steps {
      var matcher = RegexMatcher(step.program, bytes, budget)
      var next: [Range<Int>] = []
      for piece in pieces { Self.split(piece, step, &matcher, bytes, into: &next) }
      pieces = next
      budget = matcher.budget
    }
    return pieces
  }

  private static func split(
    _ piece: Range<Int>, _ step: SplitStep, _ matcher: inout RegexMatcher, _ bytes: UnsafePointer<UInt8>,
    into pieces: inout [Range<Int>]
  ) {
    let first = pieces.count
    var wasMatch = false
    func append(_ range: Range<Int>, isMatch: Bool) {
      let counts = isMatch != step.isInverted
      defer { wasMatch = counts }
      let hasPrevious = pieces.count > first
      switch step.behavior {
      case .removed where counts: return
      case .mergedWithPrevious where counts && !wasMatch && hasPrevious,
        .mergedWithNext where !counts && wasMatch && hasPrevious,
        .contiguous where counts == wasMatch && hasPrevious:
        pieces[pieces.count - 1] = pieces[pieces.count - 1].lowerBound..<range.upperBound
      default:
        // An empty match cuts the text but is no piece.
        if !range.isEmpty { pieces.append(range) }
      }
    }
    var position = piece.lowerBound
    var searchStart = piece.lowerBound
    while let match = matcher.firstMatch(from: searchStart, limits: piece) {
      if match.lowerBound > position { append(position..<match.lowerBound, isMatch: false) }
      append(match, isMatch: true)
      position = match.upperBound
      searchStart = match.upperBound
      if match.isEmpty {
        guard searchStart < piece.upperBound else { break }
        searchStart = decodeScalar(bytes, searchStart).next
      }
      if searchStart >= piece.upperBound { break }
    }
    if position < piece.upperBound { append(position..<piece.upperBound, isMatch: false) }
  }
}
