internal import SwiftletJSON

/// Reads fields of a file, where a wrong type is an error and never a default.
struct TokenizerFields {
  let value: JSONValue
  let source: String
  /// Stands before the fields' names in errors, with its dot.
  var prefix = ""

  /// True or false; `default` where the field is missing or null.
  func flag(_ name: String, default: Bool = false) throws(TokenizerError) -> Bool {
    guard let value = present(name) else { return `default` }
    guard let flag = value.bool else { throw wrongType(name, value, "true or false") }
    return flag
  }

  /// A text; nil where the field is missing or null.
  func text(_ name: String) throws(TokenizerError) -> String? {
    guard let value = present(name) else { return nil }
    guard let text = value.string else { throw wrongType(name, value, "a string") }
    return text
  }

  private func present(_ name: String) -> JSONValue? {
    guard let value = value[name], !value.isNull else { return nil }
    return value
  }

  private func wrongType(_ name: String, _ value: JSONValue, _ expected: String) -> TokenizerError {
    TokenizerError(.malformed, source: source, field: prefix + name, reason: "found a \(value.typeName), expected \(expected)")
  }
}
