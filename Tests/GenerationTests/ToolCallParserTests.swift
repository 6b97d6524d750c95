import Testing

@testable import SwiftletGeneration

@Suite struct ToolCallParserTests {
  struct Case: Sendable {
    var text: String
    var pieces: [ToolCallParser.Piece]
  }

  private static func call(_ name: String, _ arguments: String) -> ToolCallParser.Piece {
    .call(ToolCall(name: name, arguments: arguments))
  }

  static let cases = [
    Case(text: "Nothing to call.", pieces: [.content("Nothing to call.")]),
    Case(text: "a < b, <tool>, <tool_cal", pieces: [.content("a < b, <tool>, <tool_cal")]),
    Case(
      text: "I look.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n</tool_call>",
      pieces: [.content("I look."), call("f", #"{"x":1}"#)]),
    Case(
      text: "<tool_call>{\"name\": \"f\"}</tool_call>\n<tool_call>{\"name\": \"g\", \"arguments\": {}}</tool_call>",
      pieces: [call("f", "{}"), call("g", "{}")]),
    Case(text: "<tool_call>{broken</tool_call>", pieces: [.content("<tool_call>{broken</tool_call>")]),
    Case(text: "<tool_call>{\"name\": \"f\"}", pieces: [call("f", "{}")]),
    Case(text: "<tool_call>{\"name\": ", pieces: [.content("<tool_call>{\"name\": ")]),
    Case(
      text: "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"x\": \"é\"}\n```<｜tool▁call▁end｜>\n"
        + "<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
      pieces: [call("f", #"{"x":"é"}"#), call("g", "{}")]),
    Case(
      text: "Well.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"x\": [1, 2]}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
      pieces: [.content("Well."), call("f", #"{"x":[1,2]}"#)]),
    // Marks within the call's strings.
    Case(
      text: "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": \"\\\"</tool_call>\"}}</tool_call> Done.",
      pieces: [call("f", #"{"x":"\"</tool_call>"}"#), .content(" Done.")]),
    Case(
      text: "<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"x\": \"```<｜tool▁call▁end｜>\"}\n```<｜tool▁call▁end｜>",
      pieces: [call("f", #"{"x":"```<｜tool▁call▁end｜>"}"#)]),
    Case(text: "{\"name\": \"f\", \"parameters\": {\"x\": 1}}", pieces: [call("f", #"{"x":1}"#)]),
    Case(text: "{\"name\": \"Ada\"", pieces: [.content("{\"name\": \"Ada\"")]),
    Case(text: "{\"answer\": 1}", pieces: [.content("{\"answer\": 1}")]),
  ]

  /// However the text is cut.
  @Test(arguments: cases) func findsCalls(_ test: Case) {
    let scalars = Array(test.text.unicodeScalars)
    for step in [1, 2, 3, 7, max(1, scalars.count)] {
      var parser = ToolCallParser()
      var pieces: [ToolCallParser.Piece] = []
      for start in stride(from: 0, to: scalars.count, by: step) {
        let part = String(String.UnicodeScalarView(scalars[start..<min(start + step, scalars.count)]))
        pieces += parser.append(part)
      }
      pieces += parser.finish()
      #expect(Self.joined(pieces) == test.pieces, "in steps of \(step)")
    }
  }

  /// Neighbouring texts as one.
  private static func joined(_ pieces: [ToolCallParser.Piece]) -> [ToolCallParser.Piece] {
    pieces.reduce(into: []) { result, piece in
      if case .content(let text) = piece, case .content(let before)? = result.last {
        result[result.count - 1] = .content(before + text)
      } else {
        result.append(piece)
      }
    }
  }
}
