/// An amount of US dollars, in whole pico-dollars: what one token costs at a millionth of a dollar per million. So a charge is a
/// product of integers and nothing is ever rounded.
public struct Money: Sendable, Hashable, Comparable, CustomStringConvertible {
  public var picodollars: Int64

  public static let zero = Money(picodollars: 0)
  static let picodollarsPerDollar: Int64 = 1_000_000_000_000
  /// The most that a person may name, a million dollars, so that sums have room.
  static let largest = Money(picodollars: 1_000_000 * picodollarsPerDollar)
  private static let decimals = 12

  public init(picodollars: Int64) { self.picodollars = picodollars }

  /// Reads dollars such as `12`, `12.50` or `-0.0001`; nil for anything else, and for more than a million or twelve decimals.
  public init?(dollars text: String) {
    let isNegative = text.hasPrefix("-")
    let parts = text.dropFirst(isNegative ? 1 : 0).split(separator: ".", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), case let fraction = parts.count == 2 ? parts[1] : "0",
      [parts[0], fraction].allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
      parts[0].count <= 7, fraction.count <= Self.decimals,
      let whole = Int64(parts[0]), whole <= Self.largest.picodollars / Self.picodollarsPerDollar,
      let rest = Int64(fraction + String(repeating: "0", count: Self.decimals - fraction.count))
    else { return nil }
    let amount = whole * Self.picodollarsPerDollar + rest
    guard amount <= Self.largest.picodollars else { return nil }
    picodollars = isNegative ? -amount : amount
  }

  /// Dollars with all decimals that are not zero, two at least.
  public var description: String {
    let (whole, rest) = picodollars.magnitude.quotientAndRemainder(dividingBy: UInt64(Self.picodollarsPerDollar))
    let digits = String(rest)
    var fraction = String(repeating: "0", count: Self.decimals - digits.count) + digits
    while fraction.count > 2, fraction.hasSuffix("0") { fraction.removeLast() }
    return "\(picodollars < 0 ? "-" : "")\(whole).\(fraction)"
  }

  public static func < (a: Money, b: Money) -> Bool { a.picodollars < b.picodollars }

  /// What does not fit stays at the limit.
  public static func + (a: Money, b: Money) -> Money {
    let (sum, overflows) = a.picodollars.addingReportingOverflow(b.picodollars)
    return Money(picodollars: overflows ? (b.picodollars < 0 ? .min : .max) : sum)
  }

  public static func - (a: Money, b: Money) -> Money {
    let (difference, overflows) = a.picodollars.subtractingReportingOverflow(b.picodollars)
    return Money(picodollars: overflows ? (b.picodollars < 0 ? .max : .min) : difference)
  }
}

/// What a model's tokens cost.
public struct Prices: Sendable, Equatable {
  /// Millionths of a dollar per million tokens, which is pico-dollars a token.
  public var cacheHit: Int64
  public var cacheMiss: Int64
  public var output: Int64

  /// The most a million tokens may cost, a thousand dollars.
  static let largest: Int64 = 1_000_000_000

  public init(cacheHit: Int64, cacheMiss: Int64, output: Int64) {
    self.cacheHit = cacheHit
    self.cacheMiss = cacheMiss
    self.output = output
  }

  /// What a request costs, exactly.
  func charge(_ usage: Usage) -> Money {
    func product(_ price: Int64, _ tokens: Int) -> Money {
      let (product, overflows) = price.multipliedReportingOverflow(by: Int64(tokens))
      return Money(picodollars: overflows ? .max : product)
    }
    return product(cacheHit, usage.cachedTokens) + product(cacheMiss, usage.promptTokens - usage.cachedTokens)
      + product(output, usage.completionTokens)
  }
}

/// The prices of all models; a model without any costs nothing.
public struct PriceList: Sendable, Equatable {
  public var models: [String: Prices]
  /// For models that are not named.
  public var others: Prices?

  public init(models: [String: Prices] = [:], others: Prices? = nil) {
    self.models = models
    self.others = others
  }

  subscript(model: String) -> Prices? { models[model] ?? others }

  var isEmpty: Bool { models.isEmpty && others == nil }
}
