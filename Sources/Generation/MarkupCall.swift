internal import SwiftletJSON

/// A call in the markup of DeepSeek-V3.2, read as it comes:
///
///     <｜DSML｜invoke name="NAME">
///     <｜DSML｜parameter name="NAME" string="true">TEXT</｜DSML｜parameter>
///     <｜DSML｜parameter name="NAME" string="false">JSON</｜DSML｜parameter>
///     </｜DSML｜invoke>
///
/// Its arguments become what the model's own program (`encoding_dsv32.py`) makes of them: `{"NAME": "TEXT", "NAME": JSON}`.
struct MarkupCall {
  static let open = Array("<｜DSML｜invoke name=\"".utf8)
  /// Stand around all calls.
  static let around = [Array("<｜DSML｜function_calls>".utf8), Array("</｜DSML｜function_calls>".utf8)]
  private static let close = Array("</｜DSML｜invoke>".utf8)
  private static let nameEnd = Array("\">".utf8)
  private static let parameter = (open: Array("<｜DSML｜parameter name=\"".utf8), close: Array("</｜DSML｜parameter>".utf8))
  /// How every opening mark begins; none stands in a text.
  private static let anyOpen = Array("<｜DSML｜".utf8)
  private static let kinds = [
    (mark: Array("\" string=\"true\">".utf8), isText: true), (mark: Array("\" string=\"false\">".utf8), isText: false),
  ]
  /// More bytes than this are no name.
  private static let longestName = 1024

  enum Progress {
    case incomplete
    /// What has come cannot begin a call.
    case none
    /// - Parameter end: where the call ends.
    case whole(ToolCall, end: Int)
  }

  private enum Place {
    case name
    /// Behind a line.
    case between
    case parameterName
    case text
    case json
  }

  /// The opening mark, with the white space before it.
  let mark: [UInt8]
  private var place = Place.name
  /// Where what is being read begins.
  private var start: Int
  /// Up to where its end was looked for.
  private var searched: Int
  /// Whether that is within a string of JSON, and behind a backslash there.
  private var isInString = false, isEscaped = false
  private var name = ""
  private var parameterName = ""
  private var arguments: [(name: String, json: String)] = []

  init(mark: [UInt8]) {
    self.mark = mark
    start = mark.count
    searched = mark.count
  }

  /// Goes on reading.
  /// - Parameter bytes: all of the call so far, from its mark on.
  mutating func read(_ bytes: [UInt8]) -> Progress {
    while true {
      switch place {
      case .name:
        guard let end = find([Self.nameEnd], in: bytes, within: Self.longestName) else { return unfinishedName(bytes) }
        name = Self.string(bytes[start..<end.lowerBound])
        if name.isEmpty { return .none }
        go(to: .between, end.upperBound)
      case .between:
        while searched < bytes.count, Self.isSpace(bytes[searched]) { searched += 1 }
        let rest = bytes[searched...]
        if rest.starts(with: Self.parameter.open) {
          go(to: .parameterName, rest.startIndex + Self.parameter.open.count)
        } else if rest.starts(with: Self.close) {
          return .whole(call, end: rest.startIndex + Self.close.count)
        } else {
          return Self.parameter.open.starts(with: rest) || Self.close.starts(with: rest) ? .incomplete : .none
        }
      case .parameterName:
        guard let end = find(Self.kinds.map(\.mark), in: bytes, within: Self.longestName) else { return unfinishedName(bytes) }
        parameterName = Self.string(bytes[start..<end.lowerBound])
        if arguments.contains(where: { $0.name == parameterName }) { return .none }
        let isText = Self.kinds.contains { $0.isText && bytes[end].elementsEqual($0.mark) }
        go(to: isText ? .text : .json, end.upperBound)
      case .text:
        guard let end = find([Self.parameter.close, Self.anyOpen], in: bytes) else { return .incomplete }
        // So that no text is read again and again, for each of many calls that are none.
        if bytes[end].elementsEqual(Self.anyOpen) { return .none }
        arguments.append((parameterName, JSONValue.string(Self.string(bytes[start..<end.lowerBound])).serialized()))
        go(to: .between, end.upperBound)
      case .json:
        skipJSON(bytes)
        let rest = bytes[searched...]
        guard rest.starts(with: Self.parameter.close) else {
          return Self.parameter.close.starts(with: rest) ? .incomplete : .none
        }
        guard (try? JSONValue(parsing: Array(bytes[start..<searched]))) != nil else { return .none }
        arguments.append((parameterName, Self.string(Self.trimmed(bytes[start..<searched]))))
        go(to: .between, searched + Self.parameter.close.count)
      }
    }
  }

  private var call: ToolCall {
    let members = arguments.map { JSONValue.string($0.name).serialized() + ": " + $0.json }
    return ToolCall(name: name, arguments: "{" + members.joined(separator: ", ") + "}")
  }

  private mutating func go(to place: Place, _ start: Int) {
    self.place = place
    self.start = start
    searched = start
    (isInString, isEscaped) = (false, false)
  }

  private func unfinishedName(_ bytes: [UInt8]) -> Progress {
    bytes.count - start > Self.longestName ? .none : .incomplete
  }

  /// The first of some marks that begin with the same byte.
  /// - Parameter limit: bytes before it, at most.
  private mutating func find(_ marks: [[UInt8]], in bytes: [UInt8], within limit: Int = .max) -> Range<Int>? {
    while searched < bytes.count, searched - start <= limit {
      let rest = bytes[searched...]
      for mark in marks where rest.starts(with: mark) { return searched..<searched + mark.count }
      // It may still become one.
      if marks.contains(where: { $0.starts(with: rest) }) { return nil }
      searched += 1
    }
    return nil
  }

  /// Looks on to the end of what has come, or to what can only stand in a mark: `<` outside of strings.
  private mutating func skipJSON(_ bytes: [UInt8]) {
    while searched < bytes.count {
      let byte = bytes[searched]
      if isEscaped {
        isEscaped = false
      } else if isInString {
        isEscaped = byte == UInt8(ascii: "\\")
        isInString = byte != UInt8(ascii: "\"")
      } else if byte == UInt8(ascii: "<") {
        return
      } else {
        isInString = byte == UInt8(ascii: "\"")
      }
      searched += 1
    }
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

  private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let rest = bytes.drop(while: isSpace)
    return rest.prefix((rest.lastIndex { !isSpace($0) } ?? rest.startIndex - 1) + 1 - rest.startIndex)
  }

  private static func string(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}
