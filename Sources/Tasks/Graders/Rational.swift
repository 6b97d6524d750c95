/// A fraction, reduced, its denominator above 0. What does not fit into 64 bits is nil.
struct Rational: Equatable, Sendable, CustomStringConvertible {
  let numerator: Int
  let denominator: Int

  /// nil for a denominator of 0.
  init?(_ numerator: Int, _ denominator: Int = 1) {
    guard denominator != 0, numerator != .min, denominator != .min else { return nil }
    let divisor = Self.greatestCommonDivisor(abs(numerator), abs(denominator)) * (denominator < 0 ? -1 : 1)
    self.numerator = numerator / divisor
    self.denominator = denominator / divisor
  }

  static func greatestCommonDivisor(_ first: Int, _ second: Int) -> Int {
    var (a, b) = (first, second)
    while b != 0 { (a, b) = (b, a % b) }
    return a
  }

  var description: String { denominator == 1 ? "\(numerator)" : "\(numerator)/\(denominator)" }

  func negated() -> Rational? { Rational(-numerator, denominator) }

  func plus(_ other: Rational) -> Rational? {
    guard let left = product(numerator, other.denominator), let right = product(other.numerator, denominator),
      let below = product(denominator, other.denominator)
    else { return nil }
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? nil : Rational(sum, below)
  }

  func times(_ other: Rational) -> Rational? {
    guard let above = product(numerator, other.numerator), let below = product(denominator, other.denominator) else { return nil }
    return Rational(above, below)
  }

  func divided(by other: Rational) -> Rational? {
    Rational(other.denominator, other.numerator).flatMap { times($0) }
  }

  private func product(_ a: Int, _ b: Int) -> Int? {
    let (result, overflow) = a.multipliedReportingOverflow(by: b)
    return overflow ? nil : result
  }
}
