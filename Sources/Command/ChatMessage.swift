/// What a person says in a chat: a line, or the lines between `"""` and `"""`.
struct ChatMessage {
  var text: String
  /// It stood between `"""`: no command, whatever it begins with.
  var isQuoted = false
  /// Its lines ended before it did.
  var isCut = false

  /// - Parameter next: the next line; nil when there is none.
  init(first: String, next: () -> String?) {
    text = first
    guard first.hasPrefix("\"\"\"") else { return }
    isQuoted = true
    text = String(first.dropFirst(3))
    while !text.hasSuffix("\"\"\"") {
      guard let line = next() else {
        isCut = true
        return
      }
      text += "\n" + line
    }
    text = String(text.dropLast(3))
  }

  /// A command and what follows it; nil for what the model shall answer.
  var command: (name: String, argument: String)? {
    let line = text.trimmingWhitespace
    guard !isQuoted, line.hasPrefix("/") else { return nil }
    let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
    return (parts[0], parts.count > 1 ? parts[1].trimmingWhitespace : "")
  }

  /// The text as it is typed to say it again.
  var typed: String { isQuoted && text.trimmingWhitespace.hasPrefix("/") ? "\"\"\"\(text)\"\"\"" : text }
}

extension String {
  var trimmingWhitespace: String {
    guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace }) else {
      return ""
    }
    return String(self[first...last])
  }
}
