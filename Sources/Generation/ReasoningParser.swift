/// A piece of an answer: thought or said.
public enum AnswerPart: Sendable, Equatable {
  case reasoning(String)
  case content(String)
}

/// Splits a streamed answer into what stands between `<think>` and `</think>` and what comes after.
///
/// Thinking starts with the answer: either the prompt already ends with `<think>`, or the answer begins with it. White space
/// around the thought is dropped. Works on UTF-8 bytes: the tags are ASCII, and text comes in whole scalars.
struct ReasoningParser {
  private static let open = Array("<think>".utf8), close = Array("</think>".utf8)

  private enum State {
    case start
    case thinking(hasText: Bool)
    case betweenThoughtAndContent
    case content
  }

  private var state: State
  private var held: [UInt8] = []

  /// - Parameters:
  ///   - promptOpensThought: whether the prompt ends inside of a thought.
  ///   - continuesThought: whether that has text already; then white space at the start of the answer belongs to it.
  init(promptOpensThought: Bool, continuesThought: Bool = false) {
    state = promptOpensThought ? .thinking(hasText: continuesThought) : .start
  }

  /// Whether a rendered prompt leaves a thought open.
  static func opensThought(_ prompt: String) -> Bool { ends(prompt, with: open) }

  /// Whether a rendered prompt ends with a thought that is closed.
  static func closesThought(_ prompt: String) -> Bool { ends(prompt, with: close) }

  private static func ends(_ prompt: String, with tag: [UInt8]) -> Bool {
    trimmedEnd(Array(prompt.utf8.suffix(64))).suffix(tag.count).elementsEqual(tag)
  }

  /// Whether what comes next belongs to a thought.
  var isThinking: Bool { if case .thinking = state { true } else { false } }

  mutating func append(_ text: String) -> [AnswerPart] {
    held += text.utf8
    var parts: [AnswerPart] = []
    while step(into: &parts) {}
    return parts
  }

  /// What was held back, at the end of the answer.
  mutating func finish() -> [AnswerPart] {
    defer { held = [] }
    switch state {
    case .thinking: return Self.trimmedEnd(held).isEmpty ? [] : [.reasoning(Self.text(Self.trimmedEnd(held)))]
    case .start, .content: return held.isEmpty ? [] : [.content(Self.text(held[...]))]
    case .betweenThoughtAndContent: return []
    }
  }

  /// Takes what is certain from the held text; false when more text is needed.
  private mutating func step(into parts: inout [AnswerPart]) -> Bool {
    switch state {
    case .start:
      let begin = held.drop(while: Self.isSpace)
      if begin.starts(with: Self.open) {
        held = Array(begin.dropFirst(Self.open.count))
        state = .thinking(hasText: false)
      } else {
        if Self.open.starts(with: begin) { return false }
        state = .content
      }
    case .thinking(let hasText):
      if !hasText { held = Array(held.drop(while: Self.isSpace)) }
      if held.isEmpty { return false }
      if let start = held.indices.first(where: { held[$0...].starts(with: Self.close) }) {
        let thought = Self.trimmedEnd(held[..<start])
        if !thought.isEmpty { parts.append(.reasoning(Self.text(thought))) }
        held.removeFirst(start + Self.close.count)
        state = .betweenThoughtAndContent
      } else {
        // White space at the end may end the thought, and what begins like the closing tag may be it.
        let tag = (1..<Self.close.count).last { held.suffix($0).elementsEqual(Self.close.prefix($0)) } ?? 0
        let certain = Self.trimmedEnd(held.dropLast(tag))
        if certain.isEmpty { return false }
        parts.append(.reasoning(Self.text(certain)))
        held.removeFirst(certain.count)
        state = .thinking(hasText: true)
      }
    case .betweenThoughtAndContent:
      held = Array(held.drop(while: Self.isSpace))
      if held.isEmpty { return false }
      state = .content
    case .content:
      if held.isEmpty { return false }
      parts.append(.content(Self.text(held[...])))
      held = []
    }
    return true
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

  private static func trimmedEnd(_ bytes: [UInt8]) -> ArraySlice<UInt8> { trimmedEnd(bytes[...]) }

  private static func trimmedEnd(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    bytes.prefix((bytes.lastIndex { !isSpace($0) } ?? bytes.startIndex - 1) + 1 - bytes.startIndex)
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}
