internal import Foundation
internal import HummingbirdCore

/// The fields of an address behind its `?`, as forms and `URLSearchParams` write them (WHATWG URL, section 5.1): `+` is a blank, `%2B` a
/// plus sign.
struct Query {
  private let fields: [(name: String, value: String)]

  init(_ uri: URI) {
    fields = (uri.query ?? "").split(separator: "&").map { field in
      let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return (Self.decoded(parts[0]), parts.count == 2 ? Self.decoded(parts[1]) : "")
    }
  }

  /// The value of the first field of this name; nil when there is none.
  subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

  /// What is no escape of a text stays as it is.
  private static func decoded(_ text: Substring) -> String {
    let text = String(text.map { $0 == "+" ? " " : $0 })
    return text.removingPercentEncoding ?? text
  }
}
