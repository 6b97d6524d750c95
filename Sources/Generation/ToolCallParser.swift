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
/// - DeepSeek-V3.2: `<｜DSML｜invoke name="NAME">`, a line for each argument, `</｜DSML｜invoke>` (`MarkupCall`)
/// - Llama 3.1: nothing but `{"name": …, "parameters": {…}}`
///
/// A call begins when its name is known and its arguments have begun; these come on as they are written, and as they are written:
/// all pieces together are what stands in the text from `{` to `}`. Where the name comes behind the arguments, or these are no
/// object in the text, as in the markup of DeepSeek-V3.2, all of the call comes when it is whole.
///
/// What only looks like a call is text. Works on UTF-8 bytes: text comes in whole scalars, and marks are cut out whole.
public struct ToolCallParser: Sendable {
  /// What an answer consists of.
  public enum Piece: Sendable, Equatable {
    case content(String)
    case callStart(name: String)
    /// More of the arguments of the call that has begun.
    case arguments(String)
    /// The call that has begun is whole.
    case callEnd
    /// The call that has begun was cut off, or goes on with what is no JSON: its text so far, from its mark on. What the pieces of
    /// its arguments have told of is in it; what comes behind is content.
    case callFailure(String)
  }

  private static let hermes = (open: Array("<tool_call>".utf8), close: Array("</tool_call>".utf8))
  private static let deepseek = (open: Array("<｜tool▁call▁begin｜>".utf8), close: Array("<｜tool▁call▁end｜>".utf8))
  private static let separator = Array("<｜tool▁sep｜>".utf8)
  private static let fence = (open: Array("```json".utf8), close: Array("```".utf8))
  /// Stand around all calls and say nothing.
  private static let around = [Array("<｜tool▁calls▁begin｜>".utf8), Array("<｜tool▁calls▁end｜>".utf8)] + MarkupCall.around
  private static let marks = [hermes.open, deepseek.open, MarkupCall.open] + around
  /// How an answer begins that may be a bare call, without white space.
  private static let bare = [Array(#"{"name":"#.utf8), Array(#"{"type":"function""#.utf8)]
  /// More bytes than this between DeepSeek's mark and the arguments hold no name.
  private static let longestHead = 1024

  private enum State {
    /// It may still become a bare call: how it begins without white space, and up to where it was looked through.
    case start(compact: [UInt8], scanned: Int)
    case text
    /// Behind DeepSeek's opening mark, which is this with the white space before it, and before the arguments.
    case head([UInt8])
    /// Within the JSON of a call.
    case call(OpenCall)
    /// Within a call in markup.
    case markup(MarkupCall)
    /// Behind a call, of which these marks, or the last of them, may still come.
    case closing([[UInt8]])
  }

  private var state = State.start(compact: [], scanned: 0)
  /// What is not certain yet. Of a call all of it, with its opening mark.
  private var held: [UInt8] = []
  /// How many bytes at the beginning of the held text are known to be white space, so that they are not looked at for each token.
  private var spaces = 0

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
    var pieces: [Piece] = []
    switch state {
    case .call(let call):
      if call.scanner.isDone {
        complete(call, into: &pieces)
      } else if call.told != nil {
        fail(call, into: &pieces)
      }
    // The model left the closing mark out, or it was cut off.
    case .closing: drop(held.count)
    case .start, .text, .head, .markup: break
    }
    if !held.isEmpty { pieces.append(.content(Self.string(held[...]))) }
    drop(held.count)
    state = .text
    return pieces
  }

  /// Takes bytes from the beginning of the held text.
  private mutating func drop(_ count: Int) {
    held.removeFirst(count)
    spaces = max(0, spaces - count)
  }

  private mutating func countSpaces() {
    while spaces < held.count, Self.isSpace(held[spaces]) { spaces += 1 }
  }

  /// Takes what is certain from the held text; false when more is needed.
  private mutating func step(into pieces: inout [Piece]) -> Bool {
    switch state {
    case .start(let compact, let scanned): return stepAtStart(compact, scanned)
    case .text: return stepInText(into: &pieces)
    case .head(let mark):
      switch Self.head(held[mark.count...].prefix(Self.longestHead)) {
      case .incomplete: return false
      case .none: refuse(mark: mark, into: &pieces)
      case .found(let name, let start, let isFenced):
        let closing = isFenced ? [Self.fence.close, Self.deepseek.close] : [Self.deepseek.close]
        state = .call(OpenCall(mark: mark, closing: closing, start: start, name: name))
      }
      return true
    case .call(var call):
      // So that there is one copy of it only.
      state = .text
      while call.scanned < held.count {
        guard call.accept(held) else {
          fail(call, into: &pieces)
          return true
        }
        // A bare call is one only if nothing comes behind it.
        if call.scanner.isDone, !call.isBare {
          complete(call, into: &pieces)
          return true
        }
      }
      tell(&call, into: &pieces)
      state = .call(call)
      return false
    case .markup(var call):
      state = .text
      switch call.read(held) {
      case .incomplete:
        state = .markup(call)
        return false
      case .none: refuse(mark: call.mark, into: &pieces)
      case .whole(let whole, let end):
        pieces += [.callStart(name: whole.name), .arguments(whole.arguments), .callEnd]
        drop(end)
        state = .closing(Array(MarkupCall.around.suffix(1)))
      }
      return true
    case .closing(let marks):
      countSpaces()
      let rest = held[spaces...]
      if rest.isEmpty { return false }
      for (index, mark) in marks.enumerated() {
        if rest.starts(with: mark) {
          drop(spaces + mark.count)
          state = index + 1 == marks.count ? .text : .closing(Array(marks[(index + 1)...]))
          return true
        }
        if mark.starts(with: rest) { return false }
      }
      state = .text
      return true
    }
  }

  private mutating func stepAtStart(_ compact: [UInt8], _ scanned: Int) -> Bool {
    var compact = compact, scanned = scanned
    while let bare = Self.bare.first(where: { $0.starts(with: compact) }) {
      if compact.count == bare.count {
        countSpaces()
        state = .call(OpenCall(mark: [], closing: [], start: spaces))
        return true
      }
      guard scanned < held.count else {
        state = .start(compact: compact, scanned: scanned)
        return false
      }
      if !Self.isSpace(held[scanned]) { compact.append(held[scanned]) }
      scanned += 1
    }
    state = .text
    return true
  }

  private mutating func stepInText(into pieces: inout [Piece]) -> Bool {
    if let (start, mark) = firstMark() {
      let text = Self.trimmedEnd(held[..<start])
      if !text.isEmpty { pieces.append(.content(Self.string(text))) }
      // White space goes with the mark: away, or back into the text.
      let spaced = Array(held[text.endIndex..<(start + mark.count)])
      drop(text.count)
      switch mark {
      case Self.hermes.open: state = .call(OpenCall(mark: spaced, closing: [Self.hermes.close], start: spaced.count))
      case Self.deepseek.open: state = .head(spaced)
      case MarkupCall.open: state = .markup(MarkupCall(mark: spaced))
      default: drop(spaced.count)
      }
      return true
    }
    // White space may stand before a mark, and what begins like a mark may be one.
    let begun =
      Self.marks.map { mark in (1..<mark.count).last { held.suffix($0).elementsEqual(mark.prefix($0)) } ?? 0 }.max() ?? 0
    countSpaces()
    let certain = Self.trimmedEnd(held.dropLast(begun).dropFirst(spaces))
    if !certain.isEmpty {
      pieces.append(.content(Self.string(held[..<certain.endIndex])))
      drop(certain.endIndex)
    }
    return false
  }

  private func firstMark() -> (start: Int, mark: [UInt8])? {
    for start in spaces..<held.count where held[start] == UInt8(ascii: "<") {
      if let mark = Self.marks.first(where: { held[start...].starts(with: $0) }) { return (start, mark) }
    }
    return nil
  }

  private enum Head {
    /// - Parameter start: where the arguments begin.
    case found(name: String, start: Int, isFenced: Bool)
    case incomplete
    case none
  }

  /// What stands between DeepSeek's mark and the arguments.
  private static func head(_ bytes: ArraySlice<UInt8>) -> Head {
    let unfinished = bytes.count < longestHead ? Head.incomplete : .none
    guard let separator = bytes.firstRange(of: separator) else { return unfinished }
    var name = trimmed(bytes[..<separator.lowerBound]), rest = bytes[separator.upperBound...]
    var start = rest.firstIndex { !isSpace($0) }
    var isFenced = false
    if name.elementsEqual("function".utf8), start.map({ rest[$0] }) != UInt8(ascii: "{") {
      guard let fence = rest.firstRange(of: fence.open) else { return unfinished }
      name = trimmed(rest[..<fence.lowerBound])
      rest = rest[fence.upperBound...]
      start = rest.firstIndex { !isSpace($0) }
      isFenced = true
    }
    guard !name.isEmpty else { return .none }
    guard let start else { return unfinished }
    return rest[start] == UInt8(ascii: "{") ? .found(name: string(name), start: start, isFenced: isFenced) : .none
  }

  // MARK: - The JSON of a call

  /// A call that is coming. Places are those of the held text.
  private struct OpenCall {
    /// The opening mark, with the white space before it.
    let mark: [UInt8]
    /// The marks behind it; none for a bare call.
    let closing: [[UInt8]]
    /// Where its JSON begins: the arguments alone, or an object that has them.
    let start: Int
    private(set) var scanner = JSONObjectScanner()
    private(set) var scanned: Int
    /// nil until it is known to come before the arguments.
    private(set) var name: String?
    private(set) var argumentsStart: Int?
    private(set) var argumentsEnd: Int?
    /// The end of the arguments that pieces have told of; nil while nothing of the call has been told.
    var told: Int?

    /// - Parameter name: when it stands apart from the arguments.
    init(mark: [UInt8], closing: [[UInt8]], start: Int, name: String? = nil) {
      self.mark = mark
      self.closing = closing
      self.start = start
      self.name = name
      scanned = start
      argumentsStart = name == nil ? nil : start
    }

    var isBare: Bool { closing.isEmpty }

    /// Follows the next byte; false when it cannot come in a call.
    mutating func accept(_ held: [UInt8]) -> Bool {
      let byte = held[scanned], depth = scanner.depth
      guard scanner.accept(byte) else { return false }
      if let argumentsStart {
        if name != nil, argumentsEnd == nil, scanned > argumentsStart {
          if scanner.depth < depth, scanner.depth == (argumentsStart == start ? 0 : 1) { argumentsEnd = scanned + 1 }
          // Behind the brace one more byte must fit, so that `{...}` in an explanation is no call.
          if told == nil, !ToolCallParser.isSpace(byte) { told = argumentsStart }
        }
      } else if depth == 1, scanner.depth == 2, byte == UInt8(ascii: "{") {
        argumentsStart = scanned
        name = ToolCallParser.name(before: held[start..<scanned])
      }
      scanned += 1
      return true
    }
  }

  /// The name of a call that goes on with its arguments; nil where the object behind `text` is something else.
  private static func name(before text: ArraySlice<UInt8>) -> String? {
    guard let value = try? JSONValue(parsing: text + Array("{}}".utf8)), let last = value.members?.last,
      last.key == "arguments" || last.key == "parameters"
    else { return nil }
    return value["name"]?.string
  }

  /// What is new of a call.
  private func tell(_ call: inout OpenCall, into pieces: inout [Piece]) {
    guard let told = call.told, let name = call.name else { return }
    if told == call.argumentsStart { pieces.append(.callStart(name: name)) }
    let end = call.argumentsEnd ?? call.scanned
    if end > told { pieces.append(.arguments(Self.string(held[told..<end]))) }
    call.told = end
  }

  /// The JSON of a call is whole.
  private mutating func complete(_ call: OpenCall, into pieces: inout [Piece]) {
    var call = call
    if call.told != nil, let start = call.argumentsStart, let end = call.argumentsEnd {
      guard (try? JSONValue(parsing: Array(held[start..<end]))) != nil else { return fail(call, into: &pieces) }
      tell(&call, into: &pieces)
      pieces.append(.callEnd)
    } else {
      // Without arguments a bare call is an answer that has a name in it.
      let whole = Self.call(
        json: held[call.start..<call.scanned], argumentsKey: call.isBare ? "parameters" : "arguments",
        withoutArguments: call.isBare ? nil : .object([]))
      guard let whole else { return fail(call, into: &pieces) }
      pieces += [.callStart(name: whole.name), .arguments(whole.arguments), .callEnd]
    }
    drop(call.scanned)
    state = .closing(call.closing)
  }

  /// What was taken for a call is none.
  private mutating func fail(_ call: OpenCall, into pieces: inout [Piece]) {
    var call = call
    tell(&call, into: &pieces)
    guard let told = call.told else { return refuse(mark: call.mark, into: &pieces) }
    pieces.append(.callFailure(Self.string(held[..<told])))
    drop(told)
    state = .text
  }

  /// No call follows a mark: it is text, and what is behind it is looked through for others.
  private mutating func refuse(mark: [UInt8], into pieces: inout [Piece]) {
    if !mark.isEmpty { pieces.append(.content(Self.string(mark[...]))) }
    drop(mark.count)
    state = .text
  }

  private static func call(json bytes: ArraySlice<UInt8>, argumentsKey: String, withoutArguments: JSONValue?) -> ToolCall? {
    guard let value = try? JSONValue(parsing: Array(bytes)) else { return nil }
    let function = value["function"] ?? value
    guard let name = function["name"]?.string else { return nil }
    guard let arguments = function[argumentsKey] ?? function["arguments"] ?? function["parameters"] ?? withoutArguments
    else { return nil }
    if let text = arguments.string { return ToolCall(name: name, arguments: text) }
    return arguments.members == nil ? nil : ToolCall(name: name, arguments: arguments.serialized())
  }

  // MARK: - Bytes

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

  private static func trimmedEnd(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    bytes.prefix((bytes.lastIndex { !isSpace($0) } ?? bytes.startIndex - 1) + 1 - bytes.startIndex)
  }

  private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> { trimmedEnd(bytes.drop(while: isSpace)) }

  private static func string(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}
