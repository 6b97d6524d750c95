internal import SwiftletCheckpoints

/// What is wrong with training data: the file, the line where there is one, what was found and what was expected.
public struct DataError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// There is nothing to train on.
    case empty
    /// Zero bytes: no text.
    case binary
    case notUTF8
    /// Longer than `DocumentOptions.maximumLineBytes`.
    case longLine
    /// No JSON.
    case json
    /// JSON without a text or a conversation in it.
    case field
    /// A conversation that the chat template refuses.
    case conversation
    /// More tokens than a sequence has.
    case longDocument
    /// Made with another vocabulary, or a token that the vocabulary does not have.
    case vocabulary
    /// A token file or its folder is damaged, incomplete, or of another version.
    case damaged
    /// A setting that cannot be.
    case setting
    /// The system could not read or write.
    case file
  }

  public let kind: Kind
  /// The path of the file or folder; the setting's name for settings.
  public let file: String
  /// Counted from 1.
  public let line: Int?
  public let reason: String

  public init(_ kind: Kind, file: String, line: Int? = nil, reason: String) {
    self.kind = kind
    self.file = file
    self.line = line
    self.reason = reason
  }

  init(_ error: CheckpointError) {
    self.init(error.reason == "is empty" ? .empty : .file, file: error.file, reason: error.reason)
  }

  public var description: String {
    let place = line.map { ", line \($0)" } ?? ""
    return "\(CheckpointError.excerpt(file, 4096))\(place): \(CheckpointError.excerpt(reason, 1000))"
  }

  /// Whether one document is to blame, which may be left out, and not the files or the settings.
  var concernsOneDocument: Bool {
    switch kind {
    case .binary, .notUTF8, .longLine, .json, .field, .conversation, .longDocument: true
    case .empty, .vocabulary, .damaged, .setting, .file: false
    }
  }
}

/// Runs what throws the errors of files, and throws them as those of data.
func asDataError<Result>(_ body: () throws(CheckpointError) -> Result) throws(DataError) -> Result {
  do throws(CheckpointError) {
    return try body()
  } catch {
    throw DataError(error)
  }
}
