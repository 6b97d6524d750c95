internal import SwiftletJSON

/// Strings, numbers and listed values.
extension SchemaCompiler {
  // MARK: - Strings

  /// What `pattern`, `format` and lengths leave of strings.
  struct StringLanguage {
    /// nil for any string.
    var automaton: ByteAutomaton?
    var minimum: Int
    var maximum: Int?
  }

  /// Strings of so many characters are told apart by counting up to here; with a pattern, longer ones are not made.
  static let countedLength = 64

  func string(_ parts: [Part]) throws(SchemaError) -> Int {
    let language = try stringLanguage(parts)
    if let automaton = language.automaton { return rules.add(.automaton(automaton)) }
    if language.minimum == 0, language.maximum == nil { return try add(JSONText.string, parts, "type") }
    if let maximum = language.maximum, maximum < language.minimum { return rules.add(.choice([])) }
    return rules.add(.string(minimum: language.minimum, maximum: language.maximum))
  }

  /// The strings in the form in which equal ones have equal bytes.
  func canonicalStrings(_ parts: [Part], ignoringFormat: Bool = false) throws(SchemaError) -> ByteAutomaton {
    let language = try stringLanguage(parts, ignoringFormat: ignoringFormat)
    if let automaton = language.automaton { return automaton }
    return try automaton(parts, "maxLength") { () throws(ByteAutomaton.TooLarge) in
      try ByteAutomaton(
        JSONText.quoted(.repetition(JSONText.canonicalCharacter, minimum: language.minimum, maximum: language.maximum)))
    }
  }

  func stringLanguage(_ parts: [Part], ignoringFormat: Bool = false) throws(SchemaError) -> StringLanguage {
    let minimum = try count("minLength", of: parts, max) ?? 0, maximum = try count("maxLength", of: parts, min)
    var languages: [(keyword: String, expression: ByteExpression)] = []
    for part in parts {
      if let pattern = part["pattern"] { languages.append(("pattern", try patternBody(pattern, part))) }
      guard let format = part["format"], !ignoringFormat else { continue }
      guard let name = format.string else { throw part.error("format", "is \(format.typeName), expected a string") }
      if Formats.refused.contains(name) { throw part.error("format", "'\(name)' is not kept; use pattern") }
      // Formats that the standard does not know say nothing about what is valid.
      if let expression = Formats.expression(name) { languages.append(("format", expression)) }
    }
    if languages.isEmpty { return StringLanguage(automaton: nil, minimum: minimum, maximum: maximum) }
    if let maximum, maximum < minimum { return StringLanguage(automaton: nil, minimum: minimum, maximum: maximum) }
    var result: ByteAutomaton?
    for (keyword, expression) in languages {
      result = try automaton(parts, keyword) { () throws(ByteAutomaton.TooLarge) in
        let next = try ByteAutomaton(JSONText.quoted(expression))
        return try result?.intersection(next) ?? next
      }
    }
    guard let plain = result else { return StringLanguage(automaton: nil, minimum: minimum, maximum: maximum) }
    let keyword = maximum == nil ? "minLength" : "maxLength"
    result = try automaton(parts, keyword) { () throws(ByteAutomaton.TooLarge) in
      // A byte is at most one character, and there are two quotes.
      let isShort = maximum.map { limit in plain.longestLength.map { $0 - 2 <= limit } ?? false } ?? true
      if isShort, minimum == 0 { return plain }
      func within(_ limit: Int?) throws(ByteAutomaton.TooLarge) -> ByteAutomaton {
        try plain.intersection(
          ByteAutomaton(JSONText.quoted(.repetition(JSONText.canonicalCharacter, minimum: minimum, maximum: limit))))
      }
      if isShort { return try within(nil) }
      let counted = try within(min(maximum ?? 0, max(Self.countedLength, minimum)))
      return counted.isEmpty ? try within(maximum) : counted
    }
    return StringLanguage(automaton: result, minimum: 0, maximum: nil)
  }

  func patternBody(_ pattern: JSONValue, _ part: Part, keyword: String = "pattern") throws(SchemaError) -> ByteExpression {
    guard let text = pattern.string else { throw part.error(keyword, "is \(pattern.typeName), expected a string") }
    do { return try RegularExpression.body(text) } catch { throw part.error(keyword, "'\(text.prefix(200))': \(error.reason)") }
  }

  // MARK: - Numbers

  func bounds(of parts: [Part]) throws(SchemaError) -> (minimum: NumberBound?, maximum: NumberBound?) {
    var minimum: NumberBound?, maximum: NumberBound?
    func number(_ keyword: String, _ part: Part) throws(SchemaError) -> Double? {
      guard let value = part[keyword], value.bool == nil else { return nil }
      guard let number = value.double else { throw part.error(keyword, "is \(value.typeName), expected a number") }
      return number
    }
    func raise(_ value: Double, _ isExclusive: Bool) {
      guard let old = minimum, old.value > value || (old.value == value && old.isExclusive) else {
        minimum = NumberBound(value: value, isExclusive: isExclusive)
        return
      }
    }
    func lower(_ value: Double, _ isExclusive: Bool) {
      guard let old = maximum, old.value < value || (old.value == value && old.isExclusive) else {
        maximum = NumberBound(value: value, isExclusive: isExclusive)
        return
      }
    }
    for part in parts {
      // Draft 4 says by a boolean whether the bound beside it is exclusive.
      if let value = try number("minimum", part) { raise(value, part["exclusiveMinimum"]?.bool == true) }
      if let value = try number("maximum", part) { lower(value, part["exclusiveMaximum"]?.bool == true) }
      if let value = try number("exclusiveMinimum", part) { raise(value, true) }
      if let value = try number("exclusiveMaximum", part) { lower(value, true) }
    }
    return (minimum, maximum)
  }

  func number(_ parts: [Part], isInteger: Bool) throws(SchemaError) -> Int {
    let (minimum, maximum) = try bounds(of: parts)
    var divisor: Int?
    for part in parts {
      guard let value = part["multipleOf"] else { continue }
      guard let number = value.double, number > 0 else { throw part.error("multipleOf", "is no number above 0") }
      guard let next = Int(exactly: number), next <= 10_000 else {
        throw part.error("multipleOf", "is \(value.serialized()): whole numbers up to 10000 are kept")
      }
      let common = divisor.map { $0 / Self.greatestCommonDivisor($0, next) * next } ?? next
      guard common <= 10_000 else {
        throw part.error("multipleOf", "is \(next), and \(common) with the others: whole numbers up to 10000 are kept")
      }
      divisor = common
    }
    let limit = 999_999_999_999_999.0
    let low = minimum.map { bound in
      let value = min(max(bound.value, -limit), limit + 1), whole = value.rounded(.up)
      return Int(whole) + (bound.isExclusive && whole == bound.value ? 1 : 0)
    }
    let high = maximum.map { bound in
      let value = min(max(bound.value, -limit - 1), limit), whole = value.rounded(.down)
      return Int(whole) - (bound.isExclusive && whole == bound.value ? 1 : 0)
    }
    if let divisor {
      return rules.add(
        .automaton(
          try automaton(parts, "multipleOf") { () throws(ByteAutomaton.TooLarge) in
            try JSONNumbers.multiples(of: divisor, low, high)
          }))
    }
    if isInteger { return try add(JSONNumbers.integers(low, high), parts, "minimum") }
    if minimum == nil, maximum == nil { return try add(JSONNumbers.any, parts, "type") }
    return rules.add(
      .automaton(
        try automaton(parts, "minimum") { () throws(ByteAutomaton.TooLarge) in try JSONNumbers.numbers(minimum, maximum) }))
  }

  private static func greatestCommonDivisor(_ first: Int, _ second: Int) -> Int {
    second == 0 ? first : greatestCommonDivisor(second, first % second)
  }

  // MARK: - Listed values

  /// More than this have no automaton, and would take much memory until that is found.
  private static let mostValues = 30_000

  /// The values that `enum` and `const` leave; nil where neither stands.
  func enumeration(of parts: [Part]) throws(SchemaError) -> [JSONValue]? {
    var result: [JSONValue]?
    for part in parts {
      for keyword in ["enum", "const"] {
        guard let value = part[keyword] else { continue }
        guard let values = keyword == "const" ? [value] : value.elements else {
          throw part.error(keyword, "is \(value.typeName), expected an array")
        }
        guard values.count <= Self.mostValues else { throw part.error(keyword, "has more than \(Self.mostValues) values") }
        guard let earlier = result else {
          result = values
          continue
        }
        // By bytes: Swift takes other texts for equal, too.
        let kept = Set(values.map { Array(Self.identity($0).utf8) })
        result = earlier.filter { kept.contains(Array(Self.identity($0).utf8)) }
      }
    }
    return result
  }

  /// A text that equal values share: numbers by value, objects whatever the order of their members.
  static func identity(_ value: JSONValue) -> String {
    switch value {
    case .object(let members):
      "{" + members.map { JSONText.literal($0.key) + ":" + identity($0.value) }.sorted().joined(separator: ",") + "}"
    case .array(let values): "[" + values.map(identity).joined(separator: ",") + "]"
    default: JSONText.literal(value)
    }
  }

  /// Those of the listed values that the other keywords allow.
  func enumerated(_ values: [JSONValue], types: Set<ValueType>, _ parts: [Part]) throws(SchemaError) -> [Int] {
    // Without a type, other keywords say nothing about values of other types.
    let declared = try declaredTypes(of: parts)
    let (minimum, maximum) = try bounds(of: parts)
    var texts: [String] = []
    for value in values {
      let type: ValueType
      switch value {
      case .null: type = .null
      case .bool: type = .boolean
      case .integer: type = .integer
      case .number(let number): type = number == number.rounded() ? .integer : .number
      case .string: type = .string
      case .array: type = .array
      case .object: type = .object
      }
      if let declared, !declared.contains(type), !(type == .integer && declared.contains(.number)) { continue }
      if let number = value.double {
        if let minimum, number < minimum.value || (number == minimum.value && minimum.isExclusive) { continue }
        if let maximum, number > maximum.value || (number == maximum.value && maximum.isExclusive) { continue }
        if let part = parts.first(where: { $0["multipleOf"] != nil }) {
          throw part.error("multipleOf", "is not kept beside enum; leave the other values out of enum")
        }
      }
      let further: [String] =
        type == .array
        ? ["items", "prefixItems", "minItems", "maxItems", "uniqueItems", "additionalItems"]
        : type == .object
          ? [
            "properties", "required", "additionalProperties", "patternProperties", "minProperties", "maxProperties",
            "propertyNames",
          ]
          : []
      for keyword in further {
        if let part = parts.first(where: { $0[keyword] != nil }) {
          throw part.error(keyword, "is not kept beside an enum of arrays or objects; leave it out")
        }
      }
      texts.append(JSONText.literal(value))
    }
    var result = try automaton(parts, "enum") { () throws(ByteAutomaton.TooLarge) in
      try ByteAutomaton(.choice(texts.map { .text($0) }))
    }
    let isNarrowed = parts.contains { $0["pattern"] != nil || $0["minLength"] != nil || $0["maxLength"] != nil }
    if isNarrowed, values.contains(where: { $0.string != nil }) {
      let strings = try canonicalStrings(parts, ignoringFormat: true)
      result = try automaton(parts, "enum") { () throws(ByteAutomaton.TooLarge) in
        let other = try ByteAutomaton(.choice(texts.filter { !$0.hasPrefix("\"") }.map { .text($0) }))
        return try result.intersection(strings).union(other)
      }
    }
    return [rules.add(.automaton(result))]
  }
}
