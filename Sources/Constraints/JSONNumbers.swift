/// The least or the greatest number allowed.
struct NumberBound: Sendable, Hashable {
  var value: Double
  var isExclusive: Bool
}

/// Numbers between bounds as regular languages of their decimal notation.
enum JSONNumbers {
  /// Digits before and behind the point. Fifteen are exact in a double.
  static let maximumDigits = 15
  private static let limit = 999_999_999_999_999

  private static let naturals = ByteExpression.choice([
    .text("0"), .sequence([.bytes(UInt8(ascii: "1")...UInt8(ascii: "9")), .digits(0, maximumDigits - 1)]),
  ])
  private static let anyFraction = ByteExpression.optional(.sequence([.text("."), .digits(1, maximumDigits)]))
  private static let zeros = ByteExpression.repetition(.text("0"), minimum: 0, maximum: maximumDigits)

  /// Any number whose value a double holds.
  static let any = ByteExpression.sequence([
    .optional(.text("-")), naturals, anyFraction,
    .optional(.sequence([.oneOf("eE"), .optional(.oneOf("+-")), .digits(1, 2)])),
  ])

  /// Whole numbers from `minimum` to `maximum`.
  static func integers(_ minimum: Int?, _ maximum: Int?) -> ByteExpression {
    let low = max(minimum ?? -limit, -limit), high = min(maximum ?? limit, limit)
    var parts: [ByteExpression] = []
    if low <= high {
      if high >= 0 { parts.append(range(max(low, 0), high)) }
      if low < 0 { parts.append(.sequence([.text("-"), range(max(-high, 1), -low)])) }
    }
    return .choice(parts)
  }

  /// Natural numbers from `low` to `high`.
  private static func range(_ low: Int, _ high: Int) -> ByteExpression {
    var parts: [ByteExpression] = [], low = low
    while low <= high {
      // Numbers of one length, digit by digit.
      let length = String(low).utf8.count
      var last = 9
      for _ in 1..<length { last = last * 10 + 9 }
      let end = min(last, high)
      parts.append(range(Array(String(low).utf8)[...], Array(String(end).utf8)[...]))
      low = end + 1
    }
    return .choice(parts)
  }

  private static func range(_ low: ArraySlice<UInt8>, _ high: ArraySlice<UInt8>) -> ByteExpression {
    guard let first = low.first, let last = high.first else { return .empty }
    let nine = UInt8(ascii: "9"), zero = UInt8(ascii: "0"), rest = low.count - 1
    if first == last { return .sequence([.bytes(first...first), range(low.dropFirst(), high.dropFirst())]) }
    if low.dropFirst().allSatisfy({ $0 == zero }), high.dropFirst().allSatisfy({ $0 == nine }) {
      return .sequence([.bytes(first...last), .digits(rest, rest)])
    }
    var parts: [ByteExpression] = [
      .sequence([.bytes(first...first), range(low.dropFirst(), ArraySlice(repeating: nine, count: rest))]),
      .sequence([.bytes(last...last), range(ArraySlice(repeating: zero, count: rest), high.dropFirst())]),
    ]
    if last - first > 1 { parts.append(.sequence([.bytes(first + 1...last - 1), .digits(rest, rest)])) }
    return .choice(parts)
  }

  /// Whole numbers that a natural number divides.
  static func multiples(of divisor: Int, _ minimum: Int?, _ maximum: Int?) throws(ByteAutomaton.TooLarge) -> ByteAutomaton {
    try ByteAutomaton(integers(minimum, maximum)).filteringMultiples(of: divisor)
  }

  /// Numbers between bounds, without an exponent.
  static func numbers(_ minimum: NumberBound?, _ maximum: NumberBound?) throws(ByteAutomaton.TooLarge) -> ByteAutomaton {
    let below = maximum.map { NumberBound(value: -$0.value, isExclusive: $0.isExclusive) }
    let positive = try magnitudes(minimum, maximum)
    let negative = try magnitudes(below, minimum.map { NumberBound(value: -$0.value, isExclusive: $0.isExclusive) })
    guard !negative.isEmpty else { return positive }
    return try positive.union(negative.prefixed(with: UInt8(ascii: "-")))
  }

  /// Numbers without a sign between bounds that may lie below zero.
  private static func magnitudes(
    _ minimum: NumberBound?, _ maximum: NumberBound?
  ) throws(ByteAutomaton.TooLarge) -> ByteAutomaton {
    var numbers = try ByteAutomaton(.sequence([naturals, anyFraction]))
    if let minimum, minimum.value > 0 || (minimum.value == 0 && minimum.isExclusive) {
      numbers = try numbers.intersection(ByteAutomaton(atLeast(minimum)))
    }
    if let maximum {
      numbers = try numbers.intersection(ByteAutomaton(maximum.value < 0 ? .nothing : atMost(maximum)))
    }
    return numbers
  }

  private static func atLeast(_ bound: NumberBound) -> ByteExpression {
    guard let (whole, fraction) = digits(bound.value) else { return .nothing }
    var parts: [ByteExpression] = []
    if whole < limit { parts.append(.sequence([integers(whole + 1, nil), anyFraction])) }
    let nonzero = ByteExpression.sequence([
      zeros, .bytes(UInt8(ascii: "1")...UInt8(ascii: "9")), .digits(0, maximumDigits),
    ])
    var fractions: [ByteExpression] = []
    if fraction.isEmpty {
      fractions.append(bound.isExclusive ? .sequence([.text("."), nonzero]) : anyFraction)
    } else {
      for index in fraction.indices where fraction[index] < UInt8(ascii: "9") {
        fractions.append(prefix(fraction[..<index], .bytes(fraction[index] + 1...UInt8(ascii: "9")), .digits(0, maximumDigits)))
      }
      fractions.append(prefix(fraction[...], bound.isExclusive ? nonzero : .digits(0, maximumDigits)))
    }
    parts.append(.sequence([.text(String(whole)), .choice(fractions)]))
    return .choice(parts)
  }

  private static func atMost(_ bound: NumberBound) -> ByteExpression {
    guard let (whole, fraction) = digits(bound.value) else { return .sequence([naturals, anyFraction]) }
    var parts: [ByteExpression] = []
    if whole > 0 { parts.append(.sequence([integers(0, whole - 1), anyFraction])) }
    var fractions: [ByteExpression] = []
    if fraction.isEmpty {
      if !bound.isExclusive { fractions = [.empty, .sequence([.text(".0"), zeros])] }
    } else {
      fractions.append(.empty)
      for index in fraction.indices {
        if fraction[index] > UInt8(ascii: "0") {
          fractions.append(prefix(fraction[..<index], .bytes(UInt8(ascii: "0")...fraction[index] - 1), .digits(0, maximumDigits)))
        }
        if index > 0 { fractions.append(prefix(fraction[..<index])) }
      }
      if !bound.isExclusive { fractions.append(prefix(fraction[...], zeros)) }
    }
    parts.append(.sequence([.text(String(whole)), .choice(fractions)]))
    return .choice(parts)
  }

  private static func prefix(_ digits: ArraySlice<UInt8>, _ rest: ByteExpression...) -> ByteExpression {
    .sequence([.text(".")] + digits.map { .bytes($0...$0) } + rest)
  }

  /// The digits of a number that is not negative; nil for one with more digits than are written here.
  private static func digits(_ value: Double) -> (whole: Int, fraction: [UInt8])? {
    guard value < Double(limit) else { return nil }
    // The shortest digits that give the value, with the exponent taken out.
    let parts = value.description.split(separator: "e", maxSplits: 1)
    let exponent = parts.count == 2 ? Int(parts[1]) ?? 0 : 0
    let mantissa = parts[0].split(separator: ".", maxSplits: 1)
    var whole = Array(mantissa[0].utf8), fraction = mantissa.count == 2 ? Array(mantissa[1].utf8) : []
    for _ in 0..<max(exponent, 0) { whole.append(fraction.isEmpty ? UInt8(ascii: "0") : fraction.removeFirst()) }
    for _ in 0..<max(-exponent, 0) { fraction.insert(whole.popLast() ?? UInt8(ascii: "0"), at: 0) }
    while fraction.last == UInt8(ascii: "0") { fraction.removeLast() }
    return (Int(String(decoding: whole, as: UTF8.self)) ?? 0, fraction)
  }
}
