internal import Foundation
internal import SwiftletJSON

/// What a model's files say about its licence. Nothing is inferred from the model's name.
public struct ModelLicense: Sendable, Equatable {
  /// An identifier such as `apache-2.0`, `mit` or `other`, or the first line of a licence's text.
  public var name: String
  /// What `other` is called.
  public var longName: String?
  public var link: String?
  /// Where it says so: a key of the GGUF file, or a file.
  public var source: String

  /// `general.license` and its companions in a GGUF file.
  public init?(gguf file: GGUFFile) {
    func text(_ key: String) -> String? { file[key]?.string.flatMap { $0.isEmpty ? nil : $0 } }
    let name = text("general.license"), longName = text("general.license.name"), link = text("general.license.link")
    guard let first = name ?? longName ?? link else { return nil }
    self.init(name: first, longName: longName == first ? nil : longName, link: link, source: "general.license")
  }

  /// The head of the model card, README.md, else the first line of a licence file.
  public init?(folder path: String) {
    if let card = Self(cardOf: path) {
      self = card
      return
    }
    for name in ["LICENSE", "LICENSE.txt", "LICENSE.md", "LICENSE-MODEL", "LICENCE"] {
      guard let text = Self.text(name, in: path) else { continue }
      let line = text.split(whereSeparator: \.isNewline).lazy.map { $0.trimmingCharacters(in: .whitespaces) }.first {
        !$0.isEmpty
      }
      guard let line else { continue }
      self.init(name: line, longName: nil, link: nil, source: name)
      return
    }
    return nil
  }

  /// The head of the model card, README.md, alone.
  public init?(cardOf folder: String) {
    guard let card = Self.text("README.md", in: folder) else { return nil }
    let fields = Self.frontMatter(card)
    guard let first = fields["license"] ?? fields["license_name"] else { return nil }
    self.init(
      name: first, longName: fields["license_name"] == first ? nil : fields["license_name"], link: fields["license_link"],
      source: "README.md")
  }

  init(name: String, longName: String?, link: String?, source: String) {
    (self.name, self.longName, self.link, self.source) = (name, longName, link, source)
  }

  /// A model card that says this and no more.
  public var card: String {
    let fields: [(String, String?)] = [("license", name), ("license_name", longName), ("license_link", link)]
    // A JSON text is one of YAML too.
    let lines = fields.compactMap { key, value in value.map { "\(key): \(JSONValue.string($0).serialized())\n" } }
    return "---\n" + lines.joined() + "---\n"
  }

  /// The plain fields, `key: value`, of the YAML between two lines of `---` at the start of a model card; of a list the first
  /// entry.
  static func frontMatter(_ text: String) -> [String: String] {
    var lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)[...]
    guard lines.popFirst()?.trimmingCharacters(in: .whitespaces) == "---" else { return [:] }
    var fields: [String: String] = [:], lastKey: String?
    for line in lines {
      let content = line.drop(while: \.isWhitespace)
      if content.trimmingCharacters(in: .whitespaces) == "---" { return fields }
      if content.hasPrefix("- ") {
        if let key = lastKey, fields[key] == nil { fields[key] = scalar(content.dropFirst(2).drop(while: \.isWhitespace)) }
      } else if content.startIndex == line.startIndex, !content.hasPrefix("#"), let colon = content.firstIndex(of: ":") {
        let key = String(content[..<colon]), value = content[colon...].dropFirst().drop(while: \.isWhitespace)
        fields[key] = scalar(value)
        // The lines behind `|` and `>` are no list.
        lastKey = value.hasPrefix("|") || value.hasPrefix(">") ? nil : key
      }
    }
    return [:]
  }

  /// A plain or quoted value without the comment behind it, of a list in brackets the first; nil for none, and for blocks of
  /// lines (`|`, `>`).
  private static func scalar(_ entry: Substring) -> String? {
    let isList = entry.hasPrefix("["), text = isList ? entry.dropFirst().drop(while: \.isWhitespace) : entry
    var value: String?
    switch text.first {
    case "'": value = String(text.dropFirst().prefix { $0 != "'" })
    case "\"":
      var isEscaped = false
      let inside = text.dropFirst().prefix { letter in
        defer { isEscaped = letter == "\\" && !isEscaped }
        return letter != "\"" || isEscaped
      }
      value = (try? JSONValue(parsing: "\"\(inside)\""))?.string
    case "|", ">", "#": break
    default:
      let plain = text.prefix { !isList || $0 != "," && $0 != "]" }
      value = plain[..<(plain.firstRange(of: " #")?.lowerBound ?? plain.endIndex)].trimmingCharacters(in: .whitespaces)
    }
    return value.flatMap { $0.isEmpty ? nil : $0 }
  }

  /// The text of a small file; nil when it is missing, empty or cannot be read.
  private static func text(_ name: String, in folder: String) -> String? {
    let bytes = try? RegularFile(path: (folder.isEmpty ? "." : folder) + "/" + name).bytes(maximumBytes: 32 << 20)
    return bytes.flatMap { $0.isEmpty ? nil : String(decoding: $0, as: UTF8.self) }
  }
}
