/// A metadata value of a GGUF file.
public enum GGUFValue: Sendable, Equatable {
  /// Any of the integer types that fits `Int`; larger unsigned values are refused when read.
  case integer(Int)
  case float(Double)
  case bool(Bool)
  case string(String)
  case array(GGUFArray)

  public var integer: Int? { if case .integer(let value) = self { value } else { nil } }
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  public var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .float(let value): value
    default: nil
    }
  }
  public var strings: [String]? { if case .array(.strings(let values)) = self { values } else { nil } }
  public var integers: [Int]? { if case .array(.integers(let values)) = self { values } else { nil } }

  /// The value, or for an array its length, for error messages.
  public var summary: String {
    switch self {
    case .integer(let value): "\(value)"
    case .float(let value): "\(value)"
    case .bool(let value): "\(value)"
    case .string(let value): "\"\(CheckpointError.excerpt(value))\""
    case .array(let values): "an array of \(values.count) values"
    }
  }
}

/// An array of one element type; vocabularies have 100,000 entries, so each kind is stored flat.
public enum GGUFArray: Sendable, Equatable {
  case integers([Int])
  case floats([Double])
  case bools([Bool])
  case strings([String])
  case arrays([GGUFArray])

  public var count: Int {
    switch self {
    case .integers(let values): values.count
    case .floats(let values): values.count
    case .bools(let values): values.count
    case .strings(let values): values.count
    case .arrays(let values): values.count
    }
  }
}
