import Foundation

/// What comes on standard input when it is no terminal.
enum StandardInput {
  /// How long a pipe may stay silent before it is taken for one that nobody writes to.
  private static let patience: Int32 = 1000

  /// All of standard input; nil for a terminal, and for a pipe that stays open and silent.
  /// - Parameter isExpected: nothing else gives a prompt, so wait as long as it takes.
  static func text(isExpected: Bool) -> String? {
    if isatty(STDIN_FILENO) == 1 { return nil }
    if !isExpected {
      var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
      let ready = poll(&descriptor, 1, patience)
      if ready == 0 { Output.note("Nothing came on standard input for \(patience / 1000) s; going on without it.") }
      if ready <= 0 || descriptor.revents & Int16(POLLNVAL) != 0 { return nil }
    }
    let text = String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
    return text.isEmpty ? nil : text
  }
}
