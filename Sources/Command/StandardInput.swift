import Foundation

/// What comes on standard input when it is no terminal.
enum StandardInput {
  /// How long a pipe may stay silent before it is taken for one that nobody writes to.
  private static let patience: Int32 = 1000

  /// All of standard input without the line end at its end; nil for a terminal, and for a pipe that stays open and silent.
  /// - Parameter isExpected: nothing else gives a prompt, so wait as long as it takes.
  static func text(isExpected: Bool) throws -> String? {
    if isatty(STDIN_FILENO) == 1 { return nil }
    if !isExpected {
      var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
      let ready = poll(&descriptor, 1, patience)
      if ready == 0 { Output.note("Nothing came on standard input for \(patience / 1000) s; going on without it.") }
      if ready <= 0 || descriptor.revents & Int16(POLLNVAL) != 0 { return nil }
    }
    var text = String(decoding: try all(), as: UTF8.self)
    if text.last == "\n" || text.last == "\r\n" { text.removeLast() }
    return text.isEmpty ? nil : text
  }

  /// Everything until the end.
  static func all() throws -> [UInt8] {
    var bytes: [UInt8] = []
    while case let new = try next(), !new.isEmpty { bytes += new }
    return bytes
  }

  /// Calls `body` with the whole lines of each piece that comes, without their line feeds, so that answers can be written while
  /// the writer still waits for them. Lines end at 0x0A only; a last line without one counts.
  static func forEachLines(_ body: ([ArraySlice<UInt8>]) throws -> Void) throws {
    var pending: [UInt8] = []
    while case let new = try next(), !new.isEmpty {
      guard let end = new.lastIndex(of: 0x0A) else {
        pending += new
        continue
      }
      pending += new[..<end]
      try body(pending.split(separator: 0x0A, omittingEmptySubsequences: false))
      pending = Array(new[(end + 1)...])
    }
    if !pending.isEmpty { try body([pending[...]]) }
  }

  /// What has come, or is next to come; empty at the end.
  private static func next() throws -> [UInt8] {
    while true {
      var result = 0
      let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
        result = read(STDIN_FILENO, buffer.baseAddress, buffer.count)
        count = max(0, result)
      }
      if result >= 0 { return bytes }
      if errno != EINTR { throw CommandError("standard input cannot be read: \(String(cString: strerror(errno)))") }
    }
  }
}
