internal import SwiftletJSON

/// A call of a tool, as a model wrote it.
public struct ToolCall: Sendable, Equatable {
  public var name: String
  /// A JSON object, as text.
  public var arguments: String

  public init(name: String, arguments: String) {
    self.name = name
    self.arguments = arguments
  }
}

/// Finds the tool calls in an answer as it comes, in the forms that models are trained to write:
///
/// - Hermes and Qwen: `<tool_call>{"name": …, "arguments": {…}}</tool_call>`
/// - DeepSeek-V3 and R1: `<｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME`, the arguments in a fence of `json`, `<｜tool▁call▁end｜>`
/// - DeepSeek-V3.1: `<｜tool▁call▁begin｜>NAME<｜tool▁sep｜>{…}<｜tool▁call▁end｜>`
/// - Llama 3.1: nothing but `{"name": …, "parameters": {…}}`
///
/// What only looks like a call is text. Works on UTF-8 bytes: text comes in whole scalars, and marks are cut out whole.
public struct ToolCallParser: Sendable {
  /// What an answer consists of.
  public enum Piece: Sendable, Equatable {
    case content(String)
    case call(ToolCall)
  }

  private static let call = (open: Array("<tool_call>".utf8), close: Array("</tool_call>".utf8))
  private static let deepseek = (open: Array("<｜tool▁call▁begin｜>".utf8), close: Array("<｜tool▁call▁end｜>".utf8))
  /// Stand around all calls and say nothing.
  private static let around = [Array("<｜tool▁calls▁begin｜>".utf8), Array("<｜tool▁calls▁end｜>".utf8)]
  private static let marks = [call.open, deepseek.open] + around
  /// How an answer begins that may be a bare call, without white space.
  private static let bare = [Array(#"{"name":"#.utf8), Array(#"{"type":"function""#.utf8)]

  private enum State {
    /// Nothing but white space has come.
    case start
    case text
    /// The whole answer may be a call.
    case bare
    /// Behind an opening mark.
    case inside(open: [UInt8], close: [UInt8])
  }

  private var state = State.start
  private var held: [UInt8] = []

  public init() {}

  /// What is certain after more text.
  public mutating func append(_ text: String) -> [Piece] {
    held += text.utf8
    var pieces: [Piece] = []
    while step(into: &pieces) {}
    return pieces
  }

  /// What was held back, at the end of the answer.
  public mutating func finish() -> [Piece] {
    defer { held = [] }
    switch state {
    case .bare:
      // Without arguments it is an answer that has a name in it.
      if let call = Self.call(json: held[...], argumentsKey: "parameters", withoutArguments: nil) { return [.call(call)] }
    case .inside(let open, _):
      // A model that stops right behind the call leaves the closing mark out.
      if let call = Self.call(held[...], open: open) { return [.call(call)] }
      held = open + held
    case .start, .text: break
    }
    return held.isEmpty ? [] : [.content(String(decoding: held, as: UTF8.self))]
  }

  /// Takes what is certain from the held text; false when more is needed.
  private mutating func step(into pieces: inout [Piece]) -> Bool {
    switch state {
    case .start:
      let compact = held.filter { !Self.isSpace($0) }
      if compact.isEmpty { return false }
      if let begin = Self.bare.first(where: { $0.starts(with: compact.prefix($0.count)) }) {
        if compact.count < begin.count { return false }
        state = .bare
      } else {
        state = .text
      }
      return true
    case .bare: return false
    case .text:
      if let (start, mark) = firstMark() {
        let text = Self.trimmedEnd(held[..<start])
        if !text.isEmpty { pieces.append(.content(String(decoding: text, as: UTF8.self))) }
        held.removeFirst(start + mark.count)
        if mark == Self.call.open { state = .inside(open: mark, close: Self.call.close) }
        if mark == Self.deepseek.open { state = .inside(open: mark, close: Self.deepseek.close) }
        return true
      }
      // White space may stand before a mark, and what begins like a mark may be one.
      let begun =
        Self.marks.map { mark in (1..<mark.count).last { held.suffix($0).elementsEqual(mark.prefix($0)) } ?? 0 }.max() ?? 0
      let certain = Self.trimmedEnd(held.dropLast(begun))
      if !certain.isEmpty { pieces.append(.content(String(decoding: certain, as: UTF8.self))) }
      held.removeFirst(certain.count)
      return false
    case .inside(let open, let close):
      guard let end = Self.end(of: held, close) else { return false }
      let body = held[..<end]
      if let call = Self.call(body, open: open) {
        pieces.append(.call(call))
      } else {
        pieces.append(.content(String(decoding: open + body + close, as: UTF8.self)))
      }
      held.removeFirst(end + close.count)
      state = .text
      return true
    }
  }

  /// Where a closing mark stands, outside of the call's JSON strings.
  private static func end(of bytes: [UInt8], _ close: [UInt8]) -> Int? {
    var isInString = false, index = 0
    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: "\""): isInString.toggle()
      case UInt8(ascii: "\\") where isInString: index += 1
      case close[0] where !isInString: if bytes[index...].starts(with: close) { return index }
      default: break
      }
      index += 1
    }
    return nil
  }

  private func firstMark() -> (start: Int, mark: [UInt8])? {
    for start in held.indices where held[start] == UInt8(ascii: "<") {
      if let mark = Self.marks.first(where: { held[start...].starts(with: $0) }) { return (start, mark) }
    }
    return nil
  }

  private static func call(_ body: ArraySlice<UInt8>, open: [UInt8]) -> ToolCall? {
    open == call.open ? call(json: body, argumentsKey: "arguments") : deepseekCall(String(decoding: body, as: UTF8.self))
  }

  private static func call(
    json bytes: ArraySlice<UInt8>, argumentsKey: String, withoutArguments: JSONValue? = .object([])
  ) -> ToolCall? {
    guard let value = try? JSONValue(parsing: Array(bytes)) else { return nil }
    let function = value["function"] ?? value
    guard let name = function["name"]?.string else { return nil }
    guard let arguments = function[argumentsKey] ?? function["arguments"] ?? function["parameters"] ?? withoutArguments
    else { return nil }
    if let text = arguments.string { return ToolCall(name: name, arguments: text) }
    return arguments.members == nil ? nil : ToolCall(name: name, arguments: arguments.serialized())
  }

  private static func deepseekCall(_ text: String) -> ToolCall? {
    let parts = text.split(separator: "<｜tool▁sep｜>", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return nil }
    var name = parts[0], arguments = parts[1]
    if let fence = arguments.firstRange(of: "```json"), name.trimmed == "function" {
      name = arguments[..<fence.lowerBound]
      arguments = arguments[fence.upperBound...]
      if let end = arguments.ranges(of: "```").last { arguments = arguments[..<end.lowerBound] }
    }
    guard !name.trimmed.isEmpty, let value = try? JSONValue(parsing: String(arguments)), value.members != nil else { return nil }
    return ToolCall(name: String(name.trimmed), arguments: value.serialized())
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

  private static func trimmedEnd(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    bytes.prefix((bytes.lastIndex { !isSpace($0) } ?? bytes.startIndex - 1) + 1 - bytes.startIndex)
  }
}

extension Substring {
  /// Without white space around it.
  fileprivate var trimmed: Substring {
    let tail = drop { $0.isWhitespace }
    return tail[..<(tail.lastIndex { !$0.isWhitespace }.map { tail.index(after: $0) } ?? tail.startIndex)]
  }
}
