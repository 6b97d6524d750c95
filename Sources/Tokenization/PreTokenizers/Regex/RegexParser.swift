/// Parses the part of Oniguruma's syntax that tokenizers' patterns use: alternatives, groups (captures are not kept),
/// `(?i)`, `(?i:…)`, lookahead and lookbehind, atomic groups, sets with categories, greedy, lazy and possessive
/// repetition, anchors. Anything else is refused by name.
struct RegexParser {
  private let scalars: [Unicode.Scalar]
  private var position = 0
  private var depth = 0
  private var ignoresCase = false
  private var dotMatchesNewline = false

  /// How many scalars were looked at for their other cases.
  private var foldedCount = 0

  private static let maximumDepth = 32
  private static let maximumRepetition = 1024
  /// Far above any tokenizer's, and low enough that no pattern takes long to compile.
  private static let maximumLength = 10_000
  /// Repetitions of one element, as in `a{2}{3}+`: each is a level of the tree.
  private static let maximumStackedRepetitions = 4
  private static let maximumFolded = 1 << 16
  private static let maximumSetSize = 64

  private init(_ pattern: String) { scalars = Array(pattern.unicodeScalars.prefix(Self.maximumLength + 1)) }

  static func parse(_ pattern: String) throws(RegexError) -> RegexNode {
    var parser = RegexParser(pattern)
    guard parser.scalars.count <= maximumLength else { throw parser.error("more than \(maximumLength) scalars") }
    let node = try parser.choice()
    if parser.position < parser.scalars.count { throw parser.error("')' without a group") }
    return node
  }

  private func error(_ reason: String) -> RegexError { RegexError(offset: position, reason: reason) }

  private var peek: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard peek == scalar else { return false }
    position += 1
    return true
  }

  private mutating func take(_ text: String) -> Bool {
    let wanted = text.unicodeScalars
    guard scalars[position...].starts(with: wanted) else { return false }
    position += wanted.count
    return true
  }

  private mutating func choice() throws(RegexError) -> RegexNode {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maximumDepth else { throw error("more than \(Self.maximumDepth) groups inside each other") }
    // A flag such as (?i) holds to the end of its group.
    let flags = (ignoresCase, dotMatchesNewline)
    defer { (ignoresCase, dotMatchesNewline) = flags }
    var branches = [try sequence()]
    while take("|") { branches.append(try sequence()) }
    return branches.count == 1 ? branches[0] : .choice(branches)
  }

  private mutating func sequence() throws(RegexError) -> RegexNode {
    var nodes: [RegexNode] = []
    while let next = peek, next != "|", next != ")" {
      var node = try element()
      var count = 0
      while let repeated = try repetition(of: node) {
        count += 1
        guard count <= Self.maximumStackedRepetitions else {
          throw error("more than \(Self.maximumStackedRepetitions) repetitions of one element")
        }
        node = repeated
      }
      nodes.append(node)
    }
    return nodes.count == 1 ? nodes[0] : nodes.isEmpty ? .empty : .sequence(nodes)
  }

  private mutating func repetition(of node: RegexNode) throws(RegexError) -> RegexNode? {
    var minimum = 0
    var maximum: Int?
    var isCounted = false
    switch peek {
    case "*": position += 1
    case "+":
      position += 1
      minimum = 1
    case "?":
      position += 1
      maximum = 1
    case "{":
      let start = position
      guard let bounds = try countedBounds() else {
        position = start
        return nil
      }
      (minimum, maximum) = bounds
      isCounted = true
    default: return nil
    }
    if maximum == nil, node.mayMatchNothing { throw error("an unbounded repetition of something that may match nothing") }
    if isCounted, minimum == maximum, peek == "?" {
      // {n}? is not lazy but "n times or not at all".
      position += 1
      return .repetition(.repetition(node, minimum: minimum, maximum: maximum, .greedy), minimum: 0, maximum: 1, .greedy)
    }
    if take("?") { return .repetition(node, minimum: minimum, maximum: maximum, .lazy) }
    // After a counted repetition a plus repeats once more; it is not possessive.
    if !isCounted, take("+") { return .repetition(node, minimum: minimum, maximum: maximum, .possessive) }
    return .repetition(node, minimum: minimum, maximum: maximum, .greedy)
  }

  /// `{n}`, `{n,}`, `{,m}` or `{n,m}`; nil when the brace stands for itself.
  private mutating func countedBounds() throws(RegexError) -> (Int, Int?)? {
    position += 1
    let low = try integer()
    if take("}") { return low.map { ($0, $0) } }
    guard take(",") else { return nil }
    let high = try integer()
    guard take("}"), low != nil || high != nil else { return nil }
    if let high, let low, high < low { throw error("a repetition from \(low) to \(high) times") }
    return (low ?? 0, high)
  }

  private mutating func integer() throws(RegexError) -> Int? {
    var value: Int?
    while let digit = peek, ("0"..."9").contains(digit) {
      let next = (value ?? 0) * 10 + Int(digit.value - 0x30)
      guard next <= Self.maximumRepetition else { throw error("a repetition of more than \(Self.maximumRepetition) times") }
      value = next
      position += 1
    }
    return value
  }

  private mutating func element() throws(RegexError) -> RegexNode {
    guard let next = peek else { return .empty }
    switch next {
    case "(": return try group()
    case "[":
      position += 1
      return .scalar(try bracketSet().finished())
    case ".":
      position += 1
      var set = ScalarSet()
      if !dotMatchesNewline { set.insert(0x0A...0x0A) }
      set.negate()
      return .scalar(set.finished())
    case "^":
      position += 1
      return .assertion(.lineStart)
    case "$":
      position += 1
      return .assertion(.lineEnd)
    case "*", "+", "?": throw error("'\(next)' with nothing to repeat")
    case "\\": return try escape()
    default:
      position += 1
      return try literal(next.value)
    }
  }

  private mutating func literal(_ value: UInt32) throws(RegexError) -> RegexNode {
    var set = ScalarSet(value)
    if ignoresCase { try fold(&set) }
    return .scalar(set.finished())
  }

  private mutating func fold(_ set: inout ScalarSet) throws(RegexError) {
    foldedCount += set.insertOtherCases()
    guard foldedCount <= Self.maximumFolded else { throw error("too large sets where case is ignored") }
  }

  private mutating func group() throws(RegexError) -> RegexNode {
    position += 1
    guard take("?") else { return try closed(try choice()) }
    if take(":") { return try closed(try choice()) }
    if take("=") { return .look(try closed(try choice()), ahead: true, negated: false) }
    if take("!") { return .look(try closed(try choice()), ahead: true, negated: true) }
    if take(">") { return .atomic(try closed(try choice())) }
    if take("<=") { return .look(try lookbehind(), ahead: false, negated: false) }
    if take("<!") { return .look(try lookbehind(), ahead: false, negated: true) }
    if take("<") {
      while let next = peek, next != ">" {
        guard next.properties.isAlphabetic || next == "_" || next.properties.numericType != nil else {
          throw error("'\(next)' in a group's name")
        }
        position += 1
      }
      guard take(">") else { throw error("a group's name without an end") }
      return try closed(try choice())
    }
    return try flags()
  }

  private mutating func lookbehind() throws(RegexError) -> RegexNode {
    let node = try closed(try choice())
    guard node.fixedWidth != nil else { throw error("a lookbehind of variable length is not supported") }
    return node
  }

  private mutating func closed(_ node: RegexNode) throws(RegexError) -> RegexNode {
    guard take(")") else { throw error("a group without ')'") }
    return node
  }

  private mutating func flags() throws(RegexError) -> RegexNode {
    let before = (ignoresCase, dotMatchesNewline)
    var on = true
    while let flag = peek {
      position += 1
      switch flag {
      case "-": on = false
      case "i": ignoresCase = on
      case "m": dotMatchesNewline = on
      case ")":
        // The flags hold for the rest of the group, alternatives included.
        return try choice()
      case ":":
        defer { (ignoresCase, dotMatchesNewline) = before }
        return try closed(try choice())
      default:
        position -= 1
        throw error("the group '(?\(flag)' is not supported")
      }
    }
    throw error("a group without ')'")
  }

  private mutating func escape() throws(RegexError) -> RegexNode {
    position += 1
    guard let next = peek else { throw error("a backslash at the end") }
    let assertion: RegexAssertion? =
      switch next {
      case "A": .textStart
      case "z": .textEnd
      case "Z": .textEndOrFinalNewline
      case "b": .wordBoundary
      case "B": .notWordBoundary
      default: nil
      }
    if let assertion {
      position += 1
      return .assertion(assertion)
    }
    if let set = try setEscape() { return .scalar(set.finished()) }
    return try literal(try scalarEscape())
  }

  /// After a backslash: `\s`, `\p{…}` and the like; nil when the escape is of one scalar.
  private mutating func setEscape() throws(RegexError) -> ScalarSet? {
    guard let letter = peek else { return nil }
    var set = ScalarSet()
    switch letter {
    case "s", "S": set.insertWhitespace()
    case "d", "D": set.insertCategories(1 << 8)
    case "w", "W": set.insertWord()
    case "h", "H":
      for range: ClosedRange<UInt32> in [0x30...0x39, 0x41...0x46, 0x61...0x66] { set.insert(range) }
    case "p", "P":
      position += 1
      return try property(isNegated: letter == "P")
    default: return nil
    }
    position += 1
    if ("A"..."Z").contains(letter) { set.negate() }
    return set
  }

  private mutating func property(isNegated: Bool) throws(RegexError) -> ScalarSet {
    guard take("{") else { throw error("\\p without {name}") }
    var negates = isNegated
    if take("^") { negates.toggle() }
    var name = ""
    while let next = peek, next != "}" {
      name.unicodeScalars.append(next)
      position += 1
    }
    guard take("}") else { throw error("\\p{ without }") }
    var set = ScalarSet()
    if let mask = CategoryMask.named(name) {
      set.insertCategories(mask)
    } else if name == "White_Space" || name == "Space" {
      set.insertWhitespace()
    } else {
      throw error("the property \\p{\(name)} is not supported, only general categories")
    }
    if negates { set.negate() }
    return set
  }

  /// After a backslash: the scalar it stands for.
  private mutating func scalarEscape() throws(RegexError) -> UInt32 {
    guard let letter = peek else { throw error("a backslash at the end") }
    position += 1
    switch letter {
    case "n": return 0x0A
    case "r": return 0x0D
    case "t": return 0x09
    case "f": return 0x0C
    case "v": return 0x0B
    case "a": return 0x07
    case "e": return 0x1B
    case "u": return try hexadecimal(digits: 4)
    case "x":
      guard take("{") else { return try hexadecimal(digits: 2) }
      let value = try hexadecimal(digits: 6)
      guard take("}") else { throw error("\\x{ without }") }
      return value
    default:
      if letter.properties.isAlphabetic || ("0"..."9").contains(letter) {
        throw error("the escape '\\\(letter)' is not supported")
      }
      return letter.value
    }
  }

  private mutating func hexadecimal(digits: Int) throws(RegexError) -> UInt32 {
    var value: UInt32 = 0
    var count = 0
    while count < digits, let next = peek, let digit = Character(next).hexDigitValue {
      value = value << 4 | UInt32(digit)
      position += 1
      count += 1
    }
    guard count > 0, Unicode.Scalar(value) != nil else { throw error("an escape that is no Unicode scalar") }
    return value
  }

  /// After `[`, to the closing bracket.
  private mutating func bracketSet() throws(RegexError) -> ScalarSet {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maximumDepth else { throw error("more than \(Self.maximumDepth) sets inside each other") }
    var set = ScalarSet()
    let isNegated = take("^")
    var isFirst = true
    while true {
      guard let next = peek else { throw error("a set without ']'") }
      if next == "]", !isFirst { break }
      isFirst = false
      if next == "[" {
        position += 1
        if peek == ":" { throw error("POSIX sets are not supported") }
        set.insert(try bracketSet())
        continue
      }
      if take("&&") { throw error("the intersection of sets is not supported") }
      if next == "\\" {
        position += 1
        if let subset = try setEscape() {
          set.insert(subset)
          continue
        }
      }
      let low = try setScalar(isEscaped: next == "\\")
      var high = low
      if peek == "-", position + 1 < scalars.count, scalars[position + 1] != "]" {
        position += 1
        let isEscaped = take("\\")
        if isEscaped, let subset = try setEscape() {
          // The hyphen stands for itself before a class.
          set.insert(0x2D...0x2D)
          set.insert(subset)
        } else {
          high = try setScalar(isEscaped: isEscaped)
        }
      }
      guard low <= high else { throw error("a range that ends before it starts") }
      set.insert(low...high)
    }
    position += 1
    if ignoresCase { try fold(&set) }
    if isNegated { set.negate() }
    guard set.size <= Self.maximumSetSize else { throw error("a set of more than \(Self.maximumSetSize) sets") }
    return set
  }

  private mutating func setScalar(isEscaped: Bool) throws(RegexError) -> UInt32 {
    if isEscaped {
      if take("b") { return 0x08 }
      return try scalarEscape()
    }
    guard let next = peek else { throw error("a set without ']'") }
    position += 1
    return next.value
  }
}
