import Foundation

/// Keys as a terminal in raw mode sends them.
struct KeyReader {
  enum Key {
    /// A scalar, a control character or a whole escape sequence.
    case typed(String)
    /// A text that was pasted, with line feeds as its only control characters but tabs.
    case pasted(String)
  }

  private var bytes: [UInt8] = []
  private var position = 0

  /// The next key; nil at the end of input.
  mutating func next() -> Key? {
    guard let first = readByte() else { return nil }
    guard first == 0x1B else { return .typed(scalar(first)) }
    var sequence = "\u{1B}"
    guard isReady(within: 50), let second = readByte() else { return .typed(sequence) }
    sequence.unicodeScalars.append(Unicode.Scalar(second))
    guard second == UInt8(ascii: "[") || second == UInt8(ascii: "O") else { return .typed(sequence) }
    while sequence.utf8.count < 16, let byte = readByte() {
      sequence.unicodeScalars.append(Unicode.Scalar(byte))
      if (0x40...0x7E).contains(byte) { break }
    }
    return sequence == "\u{1B}[200~" ? .pasted(pastedText()) : .typed(sequence)
  }

  /// Whether more has come, or comes within some milliseconds.
  func isReady(within milliseconds: Int32 = 0) -> Bool {
    if position < bytes.count { return true }
    var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    return poll(&descriptor, 1, milliseconds) > 0
  }

  /// Forgets what was typed ahead.
  mutating func discard() { position = bytes.count }

  /// The scalar that a byte begins; U+FFFD for a byte that begins none, which takes no other along.
  private mutating func scalar(_ first: UInt8) -> String {
    let length = first < 0xC2 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 1
    var scalar = [first]
    while scalar.count < length, isReady(within: 50), let byte = peek(), (0x80...0xBF).contains(byte) {
      scalar.append(byte)
      position += 1
    }
    return String(decoding: scalar, as: UTF8.self)
  }

  /// What comes before the mark that ends a pasted text. Its lines end as the terminal likes it, in carriage returns mostly.
  private mutating func pastedText() -> String {
    let end = Array("\u{1B}[201~".utf8)
    var content: [UInt8] = []
    while let byte = readByte() {
      content.append(byte)
      if byte == end.last, content.suffix(end.count).elementsEqual(end) {
        content.removeLast(end.count)
        break
      }
    }
    let text = String(decoding: content, as: UTF8.self)
    return text.replacing("\r\n", with: "\n").replacing("\r", with: "\n").withoutControls
  }

  private mutating func readByte() -> UInt8? {
    guard let byte = peek() else { return nil }
    position += 1
    return byte
  }

  /// The next byte, which stays; waits for it. nil at the end of input.
  private mutating func peek() -> UInt8? {
    while position == bytes.count {
      var count = 0
      bytes = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, initializedCount in
        count = read(STDIN_FILENO, buffer.baseAddress, buffer.count)
        initializedCount = max(0, count)
      }
      position = 0
      if count == 0 || count < 0 && errno != EINTR { return nil }
    }
    return bytes[position]
  }
}
