internal import SwiftletCheckpoints
internal import SwiftletJSON

/// Reads fields of a config.json with errors that name the field, what was found and what was expected.
struct ConfigurationFields {
  let source: String
  /// The path to `value` inside the file, for error messages: empty or `rope_scaling.`.
  let prefix: String
  let value: JSONValue

  init(source: String, prefix: String, value: JSONValue) {
    self.source = source
    self.prefix = prefix
    self.value = value
  }

  /// The fields of a whole file.
  /// - Throws: `CheckpointError` when it is no object.
  init(root: JSONValue, source: String) throws(CheckpointError) {
    self.init(source: source, prefix: "", value: root)
    guard root.members != nil else {
      throw CheckpointError(file: source, field: "JSON", reason: "found a JSON \(root.typeName), expected an object")
    }
  }

  func failure(_ field: String, _ expected: String) -> CheckpointError {
    guard let found = value[field] else {
      return CheckpointError(file: source, field: prefix + field, reason: "is missing, expected \(expected)")
    }
    return CheckpointError(
      file: source, field: prefix + field, reason: "found \(CheckpointError.excerpt(found.serialized())), expected \(expected)")
  }

  /// Whether the field is there and not null.
  func has(_ field: String) -> Bool { value[field].map { !$0.isNull } ?? false }

  /// - Parameter fallback: for a missing field; without one it is required.
  func integer(_ field: String, default fallback: Int? = nil) throws(CheckpointError) -> Int {
    if !has(field), let fallback { return fallback }
    guard let result = value[field]?.integer else { throw failure(field, "an integer") }
    return result
  }

  func double(_ field: String, default fallback: Double? = nil) throws(CheckpointError) -> Double {
    if !has(field), let fallback { return fallback }
    guard let result = value[field]?.double else { throw failure(field, "a number") }
    return result
  }

  func bool(_ field: String, default fallback: Bool? = nil) throws(CheckpointError) -> Bool {
    if !has(field), let fallback { return fallback }
    guard let result = value[field]?.bool else { throw failure(field, "true or false") }
    return result
  }

  func string(_ field: String, default fallback: String? = nil) throws(CheckpointError) -> String {
    if !has(field), let fallback { return fallback }
    guard let result = value[field]?.string else { throw failure(field, "a string") }
    return result
  }

  /// A field that is one integer or a list of them.
  func integers(_ field: String) throws(CheckpointError) -> [Int] {
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
  func object(_ field: String) throws(CheckpointError) -> ConfigurationFields? {
    guard has(field), let found = value[field] else { return nil }
    guard found.members != nil else { throw failure(field, "an object") }
    return ConfigurationFields(source: source, prefix: prefix + field + ".", value: found)
  }
}
