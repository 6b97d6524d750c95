internal import SwiftletJSON

/// The members of a request's JSON object, read with their types. null is as good as absent, what is not asked for is ignored, and of
/// members of one name the last counts, as OpenAI does.
struct Fields {
  private let object: JSONValue
  /// Where the object stands in the request: `messages[2].`; empty for the request itself.
  private let path: String

  /// - Throws: `APIError` (400) unless the value is an object.
  init(_ value: JSONValue, path: String = "") throws(APIError) {
    guard value.members != nil else {
      let place = path.isEmpty ? "the body" : path
      throw .malformed("\(place): found \(Self.kind(value)), expected an object", parameter: path.isEmpty ? nil : path)
    }
    object = value
    self.path = path.isEmpty ? "" : path + "."
  }

  /// The name of a field as errors give it.
  func name(_ key: String) -> String { path + key }

  subscript(key: String) -> JSONValue? {
    guard let value = object[key], !value.isNull else { return nil }
    return value
  }

  static func kind(_ value: JSONValue) -> String {
    switch value {
    case .null: "null"
    case .array, .object, .integer: "an \(value.typeName == "number" ? "integer" : value.typeName)"
    default: "a \(value.typeName)"
    }
  }

  func failure(_ key: String, expected: String) -> APIError {
    let found = self[key].map(Self.kind) ?? "nothing"
    return .malformed("\(name(key)): found \(found), expected \(expected)", parameter: name(key), code: "invalid_type")
  }

  private func read<Value>(_ key: String, _ expected: String, _ value: (JSONValue) -> Value?) throws(APIError) -> Value? {
    guard let json = self[key] else { return nil }
    guard let value = value(json) else { throw failure(key, expected: expected) }
    return value
  }

  func string(_ key: String) throws(APIError) -> String? { try read(key, "a string") { $0.string } }
  func bool(_ key: String) throws(APIError) -> Bool? { try read(key, "a boolean") { $0.bool } }
  func number(_ key: String) throws(APIError) -> Double? { try read(key, "a number") { $0.double } }
  func integer(_ key: String) throws(APIError) -> Int? { try read(key, "an integer") { $0.integer } }
  func array(_ key: String) throws(APIError) -> [JSONValue]? { try read(key, "an array") { $0.elements } }
  func object(_ key: String) throws(APIError) -> Fields? {
    guard let value = self[key] else { return nil }
    return try Fields(value, path: name(key))
  }

  func required<Value>(_ key: String, _ value: Value?) throws(APIError) -> Value {
    guard let value else { throw .malformed("\(name(key)) is missing", parameter: name(key), code: "missing_parameter") }
    return value
  }

  /// A number in a range, or 422.
  func number(_ key: String, in range: ClosedRange<Double>) throws(APIError) -> Double? {
    guard let value = try number(key) else { return nil }
    guard range.contains(value) else {
      throw .outOfRange(
        name(key), "found \(Self.text(value)), expected \(Self.text(range.lowerBound)) to \(Self.text(range.upperBound))")
    }
    return value
  }

  func integer(_ key: String, in range: ClosedRange<Int>) throws(APIError) -> Int? {
    guard let value = try integer(key) else { return nil }
    guard range.contains(value) else {
      let expected = range.upperBound == .max ? "at least \(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
      throw .outOfRange(name(key), "found \(value), expected \(expected)")
    }
    return value
  }

  private static func text(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? "\(value)" }
}
