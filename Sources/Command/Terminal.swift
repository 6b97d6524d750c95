import Foundation

/// The terminal as a place to type: raw mode and the width of what is printed.
enum Terminal {
  /// Columns; 80 when it cannot be known.
  static func width(_ descriptor: Int32) -> Int {
    var size = winsize()
    return ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
  }

  /// Runs `body` with keys delivered one by one and not shown.
  static func raw<Result>(_ body: () throws -> Result) rethrows -> Result {
    var original = termios()
    guard tcgetattr(STDIN_FILENO, &original) == 0 else { return try body() }
    var changed = original
    cfmakeraw(&changed)
    // Output keeps its line ends.
    changed.c_oflag = original.c_oflag
    tcsetattr(STDIN_FILENO, TCSADRAIN, &changed)
    defer { tcsetattr(STDIN_FILENO, TCSADRAIN, &original) }
    return try body()
  }

  /// Columns a character takes: 0 for marks, 2 for East Asian wide ones and emoji.
  static func columns(_ character: Character) -> Int {
    guard let scalar = character.unicodeScalars.first else { return 0 }
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF, 0xAC00...0xD7A3,
      0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
      return 2
    default: return scalar.properties.generalCategory == .nonspacingMark ? 0 : 1
    }
  }
}

/// A line of text being typed, with the usual keys and a history.
struct LineEditor {
  enum Outcome {
    case line(String)
    /// Ctrl-C.
    case interrupted
    /// Ctrl-D on an empty line, or the end of input.
    case end
  }

  private(set) var history: [String] = []

  /// Adds a line to the history, once in a row.
  mutating func remember(_ line: String) {
    if !line.isEmpty, history.last != line { history.append(line) }
  }

  private var text: [Character] = []
  private var cursor = 0
  private var place = 0
  private var draft: [Character] = []
  /// Rows between the first row of the prompt and the cursor's, as last drawn.
  private var cursorRow = 0

  /// Reads one line.
  mutating func read(prompt: String) -> Outcome {
    text = []
    cursor = 0
    place = history.count
    cursorRow = 0
    draw(prompt)
    while true {
      guard let key = Self.readKey() else { return finish(prompt, .end) }
      switch key {
      case "\r", "\n": return finish(prompt, .line(String(text)))
      case "\u{3}": return finish(prompt, .interrupted)
      case "\u{4}":
        if text.isEmpty { return finish(prompt, .end) }
        if cursor < text.count { text.remove(at: cursor) }
      case "\u{7F}", "\u{8}":
        if cursor > 0 {
          cursor -= 1
          text.remove(at: cursor)
        }
      case "\u{1}", "\u{1B}[H", "\u{1B}[1~", "\u{1B}OH": cursor = 0
      case "\u{5}", "\u{1B}[F", "\u{1B}[4~", "\u{1B}OF": cursor = text.count
      case "\u{15}":
        text.removeSubrange(..<cursor)
        cursor = 0
      case "\u{B}": text.removeSubrange(cursor...)
      case "\u{17}":
        let start = wordStart()
        text.removeSubrange(start..<cursor)
        cursor = start
      case "\u{1B}[D", "\u{2}": cursor = max(0, cursor - 1)
      case "\u{1B}[C", "\u{6}": cursor = min(text.count, cursor + 1)
      case "\u{1B}[3~": if cursor < text.count { text.remove(at: cursor) }
      case "\u{1B}[A", "\u{10}": recall(place - 1)
      case "\u{1B}[B", "\u{E}": recall(place + 1)
      case "\u{C}": Output.write("\u{1B}[H\u{1B}[2J")
      default:
        guard let first = key.unicodeScalars.first, first.value >= 0x20 || key == "\t", !key.hasPrefix("\u{1B}") else { continue }
        // Marks join the character before them.
        var joined = String(text[..<cursor])
        let before = joined.count
        joined += key
        text.replaceSubrange(..<cursor, with: Array(joined))
        cursor += joined.count - before
      }
      draw(prompt)
    }
  }

  private mutating func recall(_ index: Int) {
    guard index >= 0, index <= history.count else { return }
    if place == history.count { draft = text }
    place = index
    text = index == history.count ? draft : Array(history[index])
    cursor = text.count
  }

  private func wordStart() -> Int {
    var start = cursor
    while start > 0, text[start - 1].isWhitespace { start -= 1 }
    while start > 0, !text[start - 1].isWhitespace { start -= 1 }
    return start
  }

  private mutating func finish(_ prompt: String, _ outcome: Outcome) -> Outcome {
    cursor = text.count
    draw(prompt)
    Output.write("\n")
    return outcome
  }

  /// Draws prompt and text anew and puts the cursor in its place; long lines wrap, and a recalled message may have several.
  private mutating func draw(_ prompt: String) {
    let width = Terminal.width(STDOUT_FILENO)
    let end = place(of: text.count, prompt, width), at = place(of: cursor, prompt, width)
    var output = cursorRow > 0 ? "\u{1B}[\(cursorRow)A" : ""
    output += "\r\u{1B}[J" + prompt + String(text)
    // A full last row leaves the terminal's cursor at its end until something follows.
    if end.column == 0, end.row > 0, text.last != "\n" { output += " \r" }
    if end.row > at.row { output += "\u{1B}[\(end.row - at.row)A" }
    output += "\r" + (at.column > 0 ? "\u{1B}[\(at.column)C" : "")
    cursorRow = at.row
    Output.write(output)
  }

  /// Where the character at an index stands, counted from the prompt's start.
  private func place(of index: Int, _ prompt: String, _ width: Int) -> (row: Int, column: Int) {
    var row = 0, column = 0
    for character in prompt + String(text[..<index]) {
      let columns = Terminal.columns(character)
      // A wide character does not stand half on a row.
      if character == "\n" || column + columns > width { (row, column) = (row + 1, 0) }
      if character != "\n" { column += columns }
    }
    return column == width ? (row + 1, 0) : (row, column)
  }

  /// A scalar, a control character or a whole escape sequence; nil at the end of input.
  private static func readKey() -> String? {
    guard let first = readByte() else { return nil }
    if first == 0x1B {
      var sequence = "\u{1B}"
      guard isReady(), let second = readByte() else { return sequence }
      sequence.unicodeScalars.append(Unicode.Scalar(second))
      guard second == UInt8(ascii: "[") || second == UInt8(ascii: "O") else { return sequence }
      while sequence.utf8.count < 16, let byte = readByte() {
        sequence.unicodeScalars.append(Unicode.Scalar(byte))
        if (0x40...0x7E).contains(byte) { break }
      }
      return sequence
    }
    var bytes = [first]
    let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
    while bytes.count < length, let byte = readByte() { bytes.append(byte) }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func readByte() -> UInt8? {
    var byte: UInt8 = 0
    while true {
      let count = Foundation.read(STDIN_FILENO, &byte, 1)
      if count == 1 { return byte }
      if count < 0, errno == EINTR { continue }
      return nil
    }
  }

  private static func isReady() -> Bool {
    var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    return poll(&descriptor, 1, 50) > 0
  }
}
