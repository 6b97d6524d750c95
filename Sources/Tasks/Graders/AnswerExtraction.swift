/// Finding the answer in what a model said. Every search is one pass over the bytes.
public enum AnswerExtraction: String, Sendable, CaseIterable {
  /// What stands in the last whole `<answer>…</answer>` behind the thought, and nothing else; for rewards.
  case tagged
  /// That, else the last `\boxed{…}`, else what follows the last `####` or "answer is", else the last line; for models that were
  /// not taught the tags. Lines without a letter or a digit, fences and `\end{…}` are passed over where there are others.
  case lenient

  /// So many bytes at the end are looked at where there are no tags.
  private static let tail = 1 << 16

  /// The answer's text; nil when there is none.
  public func answer(in response: String) -> String? { find(in: response)?.text }

  /// The answer's text, and whether it stood apart rather than being the last line of what was said.
  func find(in response: String) -> (text: String, isMarked: Bool)? {
    let bytes = Array(response.utf8)
    guard let said = Self.behindThought(bytes) else { return nil }
    if let block = Self.lastBlock(said) { return (Self.text(block), true) }
    if self == .tagged { return nil }
    let end = said.suffix(Self.tail)
    let text = Self.text(end)
    if let boxed = Self.lastBoxed(text) { return (boxed, true) }
    if let start = Self.endOfLastMark(end) {
      let lines = Self.text(end[start...]).split(whereSeparator: \.isNewline).lazy.map { $0.drop { ":： *".contains($0) } }
      return (
        (lines.first(where: Self.saysSomething) ?? lines.first { !$0.allSatisfy(\.isWhitespace) }).map(String.init) ?? "", false
      )
    }
    let lines = text.split(whereSeparator: \.isNewline)
    return (lines.last(where: Self.saysSomething) ?? lines.last { !$0.allSatisfy(\.isWhitespace) }).map { (String($0), false) }
  }

  /// Whether a text marks an answer: by a box, `####`, "answer is".
  static func marksAnswer(_ text: Substring) -> Bool {
    lastBoxed(String(text)) != nil || endOfLastMark(Array(text.utf8)[...]) != nil
  }

  /// Whether a text says an answer that it marks: in a box, or behind the last mark, on its line. "The answer is:" and "The
  /// answer is the following:" announce one.
  static func saysAnswer(_ text: Substring) -> Bool {
    if lastBoxed(String(text)) != nil { return true }
    let bytes = Array(text.utf8)[...]
    guard let start = endOfLastMark(bytes) else { return false }
    let line = Self.text(bytes[start...]).prefix { !$0.isNewline }.trimmed { $0.isWhitespace || $0 == "*" }
    if NumberText.last(in: String(line)) != nil { return true }
    return line.contains(where: \.isLetter) && line.last != ":" && line.last != "："
  }

  private static func endOfLastMark(_ bytes: ArraySlice<UInt8>) -> Int? {
    ["####", "nswer is", "答案是", "nswer:", "答案："].compactMap { lastRange(of: Array($0.utf8), in: bytes)?.upperBound }.max()
  }

  /// Whether a line is more than a bracket or the mark of a block.
  private static func saysSomething(_ line: Substring) -> Bool {
    let line = line.trimmed(\.isWhitespace)
    let isFence = ["```", "~~~"].contains { line.hasPrefix($0) && !line.dropFirst(3).contains("`") }
    let isEnvironment = ["\\begin{", "\\end{"].contains { line.hasPrefix($0) }
    let rest = isEnvironment ? line.drop { $0 != "}" } : line
    return !isFence && rest.contains { $0.isLetter || $0.isNumber }
  }

  /// All that was said after the thought; nil while the thought is open.
  static func said(in response: String) -> String? { behindThought(Array(response.utf8)).map(text) }

  /// Whether a response has the form that was asked for: one thought, then one answer, and nothing else. A thought that the prompt
  /// opened may lack its first tag.
  public static func isWellFormed(_ response: String) -> Bool {
    let text = response.utf8
    var rest = Array(text)[...]
    func skipSpace() { rest = rest.drop { $0 == 0x20 || (0x09...0x0D).contains($0) } }
    func take(upTo mark: String) -> ArraySlice<UInt8>? {
      guard let range = firstRange(of: Array(mark.utf8), in: rest) else { return nil }
      defer { rest = rest[range.upperBound...] }
      return rest[..<range.lowerBound]
    }
    func take(_ mark: String) -> Bool {
      guard rest.starts(with: mark.utf8) else { return false }
      rest = rest.dropFirst(mark.utf8.count)
      return true
    }
    skipSpace()
    _ = take("<think>")
    guard let thought = take(upTo: "</think>") else { return false }
    skipSpace()
    guard take("<answer>"), let answer = take(upTo: "</answer>") else { return false }
    skipSpace()
    let tags = ["<think>", "</think>", "<answer>", "</answer>"].map { Array($0.utf8) }
    func isClean(_ part: ArraySlice<UInt8>) -> Bool { tags.allSatisfy { firstRange(of: $0, in: part) == nil } }
    return rest.isEmpty && isClean(thought) && isClean(answer)
      && !answer.allSatisfy { $0 == 0x20 || (0x09...0x0D).contains($0) }
  }

  /// What the model said after its thought; nil while the thought is open.
  private static func behindThought(_ bytes: [UInt8]) -> ArraySlice<UInt8>? {
    if let close = firstRange(of: Array("</think>".utf8), in: bytes[...]) { return bytes[close.upperBound...] }
    return bytes.drop { $0 == 0x20 || (0x09...0x0D).contains($0) }.starts(with: "<think>".utf8) ? nil : bytes[...]
  }

  /// The inside of the last `<answer>…</answer>`, of nested ones the innermost.
  private static func lastBlock(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    let open = Array("<answer>".utf8), close = Array("</answer>".utf8)
    guard let end = lastRange(of: close, in: bytes), let start = lastRange(of: open, in: bytes[..<end.lowerBound]) else {
      return nil
    }
    let inside = bytes[start.upperBound..<end.lowerBound]
    // Of two closing tags the first ends the answer.
    return inside[..<(firstRange(of: close, in: inside)?.lowerBound ?? inside.endIndex)]
  }

  /// The inside of the last `\boxed{…}` or `\fbox{…}` whose braces are whole, or what stands behind a later `\boxed ` up to the end
  /// of the formula or the line, as the MATH data set reads it.
  static func lastBoxed(_ text: String) -> String? {
    let bytes = Array(text.utf8)
    let bare = lastRange(of: Array("\\boxed ".utf8), in: bytes[...])?.upperBound
    if let bare, lastRange(of: Array("boxed{".utf8), in: bytes[bare...]) == nil {
      let inside = bytes[bare...].prefix { ![0x24, 0x0A, 0x0D].contains($0) }
      let answer = Self.text(inside)[...].trimmed { $0.isWhitespace || $0 == "." }
      if !answer.isEmpty { return String(answer) }
    }
    let starts = ["\\boxed{", "\\fbox{"].compactMap { lastRange(of: Array($0.utf8), in: bytes[...])?.upperBound }
    guard let start = starts.max() else { return nil }
    var depth = 1
    for index in start..<bytes.count {
      if bytes[index] == UInt8(ascii: "{") { depth += 1 }
      if bytes[index] == UInt8(ascii: "}") { depth -= 1 }
      if depth == 0 { return Self.text(bytes[start..<index]) }
    }
    return nil
  }

  private static func firstRange(of mark: [UInt8], in bytes: ArraySlice<UInt8>) -> Range<Int>? {
    guard let first = mark.first, bytes.count >= mark.count else { return nil }
    for index in bytes.startIndex...(bytes.endIndex - mark.count) where bytes[index] == first {
      if bytes[index...].starts(with: mark) { return index..<(index + mark.count) }
    }
    return nil
  }

  private static func lastRange(of mark: [UInt8], in bytes: ArraySlice<UInt8>) -> Range<Int>? {
    guard let first = mark.first, bytes.count >= mark.count else { return nil }
    for index in stride(from: bytes.endIndex - mark.count, through: bytes.startIndex, by: -1) where bytes[index] == first {
      if bytes[index...].starts(with: mark) { return index..<(index + mark.count) }
    }
    return nil
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}
