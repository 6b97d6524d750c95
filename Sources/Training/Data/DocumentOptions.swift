/// How files are cut into documents, and which of them are left out.
public struct DocumentOptions: Sendable, Equatable {
  public enum Format: String, Sendable, CaseIterable {
    /// By the name: `.jsonl`, `.ndjson` and `.json` are JSON lines, all others text.
    case automatic
    case text
    /// A JSON object a line, with a text or with the messages of a conversation.
    case jsonLines = "jsonl"
  }

  public var format: Format
  /// The line between two documents of a text file, such as `<|endoftext|>`; nil where there is none.
  public var separator: String?
  /// Texts longer than this become several documents, each of whole lines, in bytes.
  public var passageBytes: Int
  /// Longer lines are errors, in bytes.
  public var maximumLineBytes: Int
  /// The member of a JSON line that is its text.
  public var textKey: String
  /// Whether broken documents are counted and left out; else the first one is an error.
  public var skipsBroken: Bool

  public init(
    format: Format = .automatic, separator: String? = nil, passageBytes: Int = 1 << 20, maximumLineBytes: Int = 16 << 20,
    textKey: String = "text", skipsBroken: Bool = false
  ) {
    self.format = format
    self.separator = separator
    self.passageBytes = passageBytes
    self.maximumLineBytes = maximumLineBytes
    self.textKey = textKey
    self.skipsBroken = skipsBroken
  }

  /// All of it, for comparison with another run.
  var identity: String {
    "\(format.rawValue) \(separator ?? "") \(passageBytes) \(maximumLineBytes) \(textKey) \(skipsBroken)"
  }

  func isJSONLines(_ file: String) -> Bool {
    switch format {
    case .text: false
    case .jsonLines: true
    case .automatic: [".jsonl", ".ndjson", ".json"].contains { file.lowercased().hasSuffix($0) }
    }
  }

  func check() throws(DataError) {
    func require(_ condition: Bool, _ name: String, _ reason: String) throws(DataError) {
      guard condition else { throw DataError(.setting, file: name, reason: reason) }
    }
    try require(passageBytes > 0, "passageBytes", "found \(passageBytes), expected at least 1")
    try require(maximumLineBytes > 0, "maximumLineBytes", "found \(maximumLineBytes), expected at least 1")
    try require(
      separator.map { !$0.isEmpty && !$0.utf8.contains(0x0A) } ?? true, "separator", "is empty or has a line end, expected a line"
    )
  }
}
