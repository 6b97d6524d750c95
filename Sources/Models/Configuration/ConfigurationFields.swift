internal import SwiftletJSON

/// Reads fields of a config.json with errors that name the field, what was found and what was expected.
struct ConfigurationFields {
  let source: String
  /// The path to `value` inside the file, for error messages: empty or `rope_scaling.`.
  var prefix = ""
  let value: JSONValue

  private func failure(_ field: String, _ expected: String) -> ModelError {
    guard let found = value[field] else {
      return ModelError(source: source, field: prefix + field, reason: "is missing, expected \(expected)")
    }
    return ModelError(
      source: source, field: prefix + field, reason: "found \(found.serialized().prefix(60)), expected \(expected)")
  }

  /// Whether the field is there and not null.
  func has(_ field: String) -> Bool { value[field].map { !$0.isNull } ?? false }

  /// - Parameter fallback: for a missing field; without one it is required.
  func integer(_ field: String, default fallback: Int? = nil) throws(ModelError) -> Int {
    if !has(field), let fallback { return fallback }
    guard let result = value[field]?.integer else { throw failure(field, "an integer") }
    return result
  }

  func double(_ field: String, default fallback: Double? = nil) throws(ModelError) -> Double {
    if !has(field), let fallback { return fallback }
    guard let result = value[field]?.double else { throw failure(field, "a number") }
    return result
  }

  func bool(_ field: String, default fallback: Bool) throws(ModelError) -> Bool {
    if !has(field) { return fallback }
    guard let result = value[field]?.bool else { throw failure(field, "true or false") }
    return result
  }

  func string(_ field: String, default fallback: String? = nil) throws(ModelError) -> String {
    if !has(field), let fallback { return fallback }
    guard let result = value[field]?.string else { throw failure(field, "a string") }
    return result
  }

  /// A field that is one integer or a list of them.
  func integers(_ field: String) throws(ModelError) -> [Int] {
    guard has(field), let found = value[field] else { return [] }
    if let one = found.integer { return [one] }
    guard let elements = found.elements else { throw failure(field, "an integer or a list of integers") }
    var result: [Int] = []
    for element in elements {
      guard let integer = element.integer else { throw failure(field, "an integer or a list of integers") }
      result.append(integer)
    }
    return result
  }

  /// The fields of a nested object; nil when it is missing or null.
  func object(_ field: String) throws(ModelError) -> ConfigurationFields? {
    guard has(field), let found = value[field] else { return nil }
    guard found.members != nil else { throw failure(field, "an object") }
    return ConfigurationFields(source: source, prefix: prefix + field + ".", value: found)
  }
}
