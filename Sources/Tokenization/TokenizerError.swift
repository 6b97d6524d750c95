/// What is wrong with the files a tokenizer is made from.
public struct TokenizerError: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Kind: Sendable, Hashable {
    /// A field is missing, of the wrong type, or contradicts another.
    case malformed
    /// The file is sound but asks for something this tokenizer does not do.
    case unsupported
    /// What was asked of a training cannot be done.
    case setting
  }

  public let kind: Kind
  /// The file, for example `tokenizer.json`.
  public let source: String
  /// The field in it, for example `model.merges[12]`.
  public let field: String
  /// What was found and what was expected.
  public let reason: String

  public init(_ kind: Kind, source: String, field: String, reason: String) {
    self.kind = kind
    self.source = source
    self.field = field
    self.reason = reason
  }

  public var description: String {
    switch kind {
    case .malformed: "\(source): \(field): \(reason) (the file is damaged or incomplete: fetch it again)"
    case .unsupported: "\(source): \(field): \(reason) (not supported)"
    case .setting: "\(source): \(field): \(reason)"
    }
  }

  /// Text from a file, cut so that a message stays readable.
  static func quote(_ text: some StringProtocol) -> String {
    let scalars = text.unicodeScalars
    let start = String(String.UnicodeScalarView(scalars.prefix(60)))
    return "\"\(start)\(scalars.count > 60 ? "…" : "")\""
  }
}
