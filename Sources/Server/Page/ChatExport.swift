internal import Foundation
internal import SwiftletJSON

/// A chat as a file.
enum ChatExport: String {
  /// All of it, with every branch.
  case json
  /// The branch that is shown, to be read.
  case markdown

  var type: String {
    switch self {
    case .json: "application/json"
    case .markdown: "text/markdown; charset=utf-8"
    }
  }

  var ending: String {
    switch self {
    case .json: "json"
    case .markdown: "md"
    }
  }

  func text(_ chat: WholeChat) throws -> String {
    switch self {
    case .json: try chat.json.serialized() + "\n"
    case .markdown: try Self.markdown(chat)
    }
  }

  private static func markdown(_ chat: WholeChat) throws -> String {
    var text = ""
    let listed = chat.chat.listed
    if !listed.title.isEmpty { text += "# \(listed.title.replacing("\n", with: " "))\n\n" }
    let time = Date(timeIntervalSince1970: Double(listed.created) / 1000)
    text += "\(time.formatted(.iso8601))\n"
    let settings = try JSONValue(parsing: chat.chat.settings)
    if let system = settings["system"]?.string, !system.isEmpty { text += "\n## System\n\n\(system)\n" }
    for message in chat.shown {
      let details = try JSONValue(parsing: message.details)
      let model = details["model"]?.string ?? "Assistant"
      text += "\n## \(message.role == "user" ? "User" : model)\n"
      for file in details["files"]?.elements ?? [] {
        let content = file["text"]?.string ?? ""
        let fence = fence(content)
        text += "\n`\(file["name"]?.string ?? "")`\n\n\(fence)\n\(content)\(content.hasSuffix("\n") ? "" : "\n")\(fence)\n"
      }
      let reasoning = message.reasoning.trimmingCharacters(in: .whitespacesAndNewlines)
      if !reasoning.isEmpty {
        let lines = reasoning.split(separator: "\n", omittingEmptySubsequences: false)
        text += "\n" + lines.map { $0.isEmpty ? ">" : "> \($0)" }.joined(separator: "\n") + "\n"
      }
      if !message.content.isEmpty { text += "\n\(message.content)\n" }
    }
    return text
  }

  /// A fence that nothing in `text` closes.
  private static func fence(_ text: String) -> String {
    var longest = 2, run = 0
    for byte in text.utf8 {
      run = byte == UInt8(ascii: "`") ? run + 1 : 0
      longest = max(longest, run)
    }
    return String(repeating: "`", count: longest + 1)
  }
}
