/// A number of a plan, with where it comes from.
public struct Sourced: Sendable, Equatable {
  public enum Source: Sendable, Equatable {
    /// A paper, a data sheet, a price list.
    case published(String)
    /// Chosen for this plan; the text says why, and nobody has measured it.
    case assumed(String)
    /// Made so that a published figure comes out.
    case fitted(String)
    case measured(String)
    /// Given by whoever asked, such as by a flag.
    case given(String)
  }

  public var value: Double
  public var source: Source

  public init(_ value: Double, _ source: Source) {
    self.value = value
    self.source = source
  }
}

extension Sourced.Source: CustomStringConvertible {
  /// `published: DeepSeek-V3 report, table 1`.
  public var description: String { "\(kind): \(text)" }

  public var kind: String {
    switch self {
    case .published: "published"
    case .assumed: "assumed"
    case .fitted: "fitted"
    case .measured: "measured"
    case .given: "given"
    }
  }

  public var text: String {
    switch self {
    case .published(let text), .assumed(let text), .fitted(let text), .measured(let text), .given(let text): text
    }
  }
}

/// One number that a plan's results rest on.
public struct Assumption: Sendable, Equatable {
  public var name: String
  public var value: Double
  /// Of the value as it is: `bytes/s`, `USD/h`; empty for a ratio.
  public var unit: String
  public var source: Sourced.Source

  public init(_ name: String, _ number: Sourced, unit: String) {
    (self.name, value, self.unit, source) = (name, number.value, unit, number.source)
  }
}

/// A number that no plan can be made with.
public struct PlanError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The number's name: `tokens`, `dollars per hour`.
  public var name: String
  public var found: String
  public var expected: String

  public init(name: String, found: String, expected: String) {
    (self.name, self.found, self.expected) = (name, found, expected)
  }

  public var description: String { "\(name): found \(found), expected \(expected)." }

  /// - Throws: `PlanError` for a value outside the range, NaN among them.
  static func check(_ name: String, _ value: Double, _ range: ClosedRange<Double>) throws(PlanError) {
    guard range.contains(value) else {
      throw PlanError(
        name: name, found: text(value), expected: "a number from \(text(range.lowerBound)) to \(text(range.upperBound))")
    }
  }

  private static func text(_ value: Double) -> String {
    if let integer = Int(exactly: value), abs(value) < 1e10 { "\(integer)" } else { "\(value)" }
  }
}
