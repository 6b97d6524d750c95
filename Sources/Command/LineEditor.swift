import Foundation

/// A text being typed, with the usual keys and a history.
struct LineEditor {
  enum Outcome {
    case line(String)
    /// Ctrl-C.
    case interrupted
    /// Ctrl-D on an empty line, or the end of input.
    case end
  }

  private var history: [String]
  private var keys = KeyReader()
  private var text: [Character] = []
  private var cursor = 0
  private var place = 0
  private var draft: [Character] = []
  /// The first row of prompt and text that is shown, and rows between it and the cursor's, as last drawn.
  private var top = 0
  private var cursorRow = 0

  init(history: [String]) { self.history = history }

  /// Adds a text to the history, once in a row; false when it is the last one already.
  mutating func remember(_ line: String) -> Bool {
    guard !line.isEmpty, history.last != line else { return false }
    history.append(line)
    return true
  }

  /// Forgets what was typed ahead.
  mutating func discardInput() { keys.discard() }

  /// Reads one line, or a pasted text of several.
  mutating func read(prompt: String) -> Outcome {
    text = []
    cursor = 0
    place = history.count
    (top, cursorRow) = (0, 0)
    draw(prompt)
    while true {
      guard let key = keys.next() else { return finish(prompt, .end) }
      switch key {
      case .pasted(let text): insert(text)
      case .typed("\r"), .typed("\n"): return finish(prompt, .line(String(text)))
      case .typed("\u{3}"): return finish(prompt, .interrupted)
      case .typed("\u{4}") where text.isEmpty: return finish(prompt, .end)
      case .typed(let key): edit(key)
      }
      // What came at once is drawn once.
      if !keys.isReady() { draw(prompt) }
    }
  }

  private mutating func edit(_ key: String) {
    switch key {
    case "\u{4}", "\u{1B}[3~": if cursor < text.count { text.remove(at: cursor) }
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
    case "\u{1B}[A", "\u{10}": recall(place - 1)
    case "\u{1B}[B", "\u{E}": recall(place + 1)
    case "\u{C}":
      Output.write("\u{1B}[H\u{1B}[2J")
      cursorRow = 0
    default:
      guard key.withoutControls == key else { return }
      insert(key)
    }
  }

  private mutating func insert(_ new: String) {
    // A mark joins the character before it.
    if cursor > 0, let scalar = new.unicodeScalars.first, !scalar.isASCII, new.count == 1 {
      let joined = String(text[cursor - 1]) + new
      if joined.count == 1 {
        text[cursor - 1] = Character(joined)
        return
      }
    }
    let count = text.count
    text.insert(contentsOf: new, at: cursor)
    cursor += text.count - count
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

  // MARK: Drawing

  /// Draws prompt and text anew and puts the cursor in its place. Of a text that is taller than the screen the rows around the cursor
  /// are shown.
  private mutating func draw(_ prompt: String) {
    let width = Terminal.width(STDOUT_FILENO), height = Terminal.height(STDOUT_FILENO)
    let starts = rowStarts(prompt, width)
    let row = (starts.lastIndex { $0 <= cursor }) ?? 0
    var output = cursorRow > 0 ? "\u{1B}[\(cursorRow)A" : ""
    top = max(0, min(max(top, row - height + 1), row, starts.count - height))
    let bottom = min(top + height, starts.count)
    output += "\r\u{1B}[J" + (top == 0 ? prompt : "")
    let end = bottom < starts.count ? starts[bottom] : text.count
    var visible = text[starts[top]..<end]
    if bottom < starts.count, visible.last == "\n" { visible.removeLast() }
    for character in visible { output += Terminal.shown(character) }
    // A full last row leaves the terminal's cursor at its end until something follows.
    if bottom == starts.count, starts[bottom - 1] == text.count, let last = text.last, last != "\n" { output += " \r" }
    if bottom - 1 > row { output += "\u{1B}[\(bottom - 1 - row)A" }
    let before = text[starts[row]..<cursor].reduce(row == 0 ? prompt.count : 0) { $0 + Terminal.columns($1) }
    let column = min(before, width - 1)
    output += "\r" + (column > 0 ? "\u{1B}[\(column)C" : "")
    cursorRow = row - top
    Output.write(output)
  }

  /// The index of the first character of each row, as a terminal wraps prompt and text.
  private func rowStarts(_ prompt: String, _ width: Int) -> [Int] {
    var starts = [0], column = prompt.count
    for (index, character) in text.enumerated() {
      if character == "\n" {
        starts.append(index + 1)
        column = 0
        continue
      }
      let columns = Terminal.columns(character)
      // A wide character does not stand half on a row.
      if column + columns > width {
        starts.append(index)
        column = 0
      }
      column += columns
    }
    if column >= width { starts.append(text.count) }
    return starts
  }
}
